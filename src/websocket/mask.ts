/**
 * Masking of what a client sends (RFC 6455 §5.3): XOR with a four-byte key, a 32-bit word at a time.
 *
 * A key is held as one number, its first byte in the lowest bits, so that a word of payload is masked by one XOR.
 * @module
 */

/** Below this, making a word view costs more than it saves. */
const WORDS_FROM = 32;
/** Keys made by one call for random numbers. */
const KEY_BATCH = 1024;

/** True where the first byte of a word is its lowest (all that Deno runs on). */
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * XORs `bytes` in place, as the part of a payload that begins at `offset`; masking and unmasking are the same.
 *
 * ```ts
 * const bytes = new Uint8Array([1, 2, 3]);
 * applyMask(bytes, 0x04030201, 0);
 * bytes; // [0, 0, 0]
 * ```
 */
export function applyMask(bytes: Uint8Array, key: number, offset: number): void {
  let turned = turn(key, offset);
  const { length } = bytes;
  let at = 0;
  if (length >= WORDS_FROM && LITTLE_ENDIAN) {
    for (; (bytes.byteOffset + at) % 4 !== 0; at++) {
      bytes[at] ^= turned;
      turned = turn(turned, 1);
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (length - at) >>> 2);
    for (let i = 0; i < words.length; i++) words[i] ^= turned;
    at += words.length * 4;
  }
  for (; at < length; at++) {
    bytes[at] ^= turned;
    turned = turn(turned, 1);
  }
}

/** The key as seen from `offset` bytes further on. */
function turn(key: number, offset: number): number {
  const bits = (offset % 4) * 8;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

const keys = new Uint32Array(KEY_BATCH);
let used = KEY_BATCH;

/** A fresh key that nobody can foretell (RFC 6455 §10.3). */
export function newMaskKey(): number {
  if (used === KEY_BATCH) {
    crypto.getRandomValues(keys);
    used = 0;
  }
  return keys[used++];
}
