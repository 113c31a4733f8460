/**
 * UTF-8 over fragments (RFC 6455 §8.1, RFC 3629): a validator that fails at the first bad byte, and cuts between code points.
 * @module
 */
import { isUtf8 } from "node:buffer";

/** Checks a text that comes in pieces; code points may be split anywhere. */
export class Utf8Validator {
  /** The first bytes of a code point whose rest has not come yet. */
  readonly #carry = new Uint8Array(4);
  #have = 0;

  /** False as soon as no continuation could make the text valid. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (this.#have > 0 && at < bytes.length) {
      this.#carry[this.#have++] = bytes[at++];
      if (!isPrefix(this.#carry, 0, this.#have)) return false;
      if (this.#have === sequenceLength(this.#carry[0])) this.#have = 0;
    }
    const end = Math.max(at, bytes.length - unfinished(bytes));
    if (!isUtf8(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))) return false;
    if (end === bytes.length) return true;
    this.#carry.set(bytes.subarray(end));
    this.#have = bytes.length - end;
    return isPrefix(this.#carry, 0, this.#have);
  }

  /** True when the text ends here with a complete code point; makes the validator ready for the next text. */
  end(): boolean {
    const complete = this.#have === 0;
    this.#have = 0;
    return complete;
  }
}

/** Bytes of a code point that begins with `lead`; 0 when none does (RFC 3629 §4). */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** How many bytes at the end of `bytes` begin a code point without finishing it. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (isContinuation(byte)) continue;
    return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

/** True when `bytes[at, end)` begins a valid code point (RFC 3629 §4: the second byte's range hangs on the first). */
function isPrefix(bytes: Uint8Array, at: number, end: number): boolean {
  const lead = bytes[at];
  if (sequenceLength(lead) < end - at) return false;
  if (end - at < 2) return true;
  const second = bytes[at + 1];
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return false;
  for (let i = at + 2; i < end; i++) if (!isContinuation(bytes[i])) return false;
  return true;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/**
 * Where to cut `text` (valid UTF-8) so that the part from `start` has about `size` bytes and no code point is split:
 * at most `size`, more only when a single code point is longer.
 */
export function textCut(text: Uint8Array, start: number, size: number): number {
  let end = start + size;
  if (end >= text.length) return text.length;
  while (end > start && isContinuation(text[end])) end--;
  if (end > start) return end;
  end++;
  while (end < text.length && isContinuation(text[end])) end++;
  return end;
}
