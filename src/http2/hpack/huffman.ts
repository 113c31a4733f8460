/**
 * The Huffman code of HPACK (RFC 7541 §5.2 and Appendix B).
 *
 * The code is canonical: shorter codes come first and codes of one length are in the order of their symbols, so the
 * list of lengths is the whole table. Decoding goes half a byte at a time through a table of states (one state for each
 * inner node of the code tree); no code is shorter than five bits, so a step gives at most one symbol.
 * @module
 */
import { HpackError } from "./error.ts";

/** RFC 7541 Appendix B: bits of the code for each of the symbols 0 to 255, and of EOS (256). */
// deno-fmt-ignore
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
   6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
  13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
  15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const EOS = 256;
const LONGEST = 30;

/** The code of each symbol, right-aligned. */
const CODES = new Uint32Array(LENGTHS.length);

/** Inner nodes of the code tree; a complete tree of 257 leaves has 256. */
const STATES = 256;
/** For state × half byte: the next state in the low byte, SYMBOL and the symbol above it; or BROKEN. */
const STEPS = new Int32Array(STATES * 16);
const SYMBOL = 1 << 16;
const BROKEN = -1;
/** 1 where the text may end: fewer than eight bits since the last symbol, all ones (RFC 7541 §5.2: the start of EOS). */
const MAY_END = new Uint8Array(STATES);

buildTables();

function buildTables(): void {
  // A node's two children: a number ≥ 0 is an inner node, below 0 it is the leaf of symbol -1 - n.
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    for (let symbol = 0; symbol < LENGTHS.length; symbol++) {
      if (LENGTHS[symbol] !== length) continue;
      CODES[symbol] = code;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const side = (code >>> bit) & 1;
        if (children[node][side] === 0) children[node][side] = children.push([0, 0]) - 1;
        node = children[node][side];
      }
      children[node][code & 1] = -1 - symbol;
      code++;
    }
    code *= 2;
  }
  for (let state = 0; state < STATES; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state, step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const next = children[node][(half >> bit) & 1];
        if (next === -1 - EOS) {
          step = BROKEN;
          break;
        }
        if (next < 0) step = SYMBOL | (-1 - next) << 8;
        node = next < 0 ? 0 : next;
      }
      STEPS[state * 16 + half] = step === BROKEN ? BROKEN : step | node;
    }
  }
  for (let ones = 0, node = 0; ones < 8; ones++, node = children[node][1]) MAY_END[node] = 1;
}

/** Bits per symbol at least: a text of n bytes decodes to at most n × 8 / 5. */
const SHORTEST = 5;
let scratch = new Uint8Array(4096);

/**
 * Decodes the bytes from `start` to `end` into Latin-1 text.
 * @throws {HpackError} on EOS in the text or padding that is no start of EOS.
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string {
  const most = Math.ceil((end - start) * 8 / SHORTEST);
  if (scratch.length < most) scratch = new Uint8Array(most);
  let state = 0, length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    let step = STEPS[state * 16 + (byte >> 4)];
    if (step === BROKEN) throw new HpackError("A Huffman coded string contains EOS.");
    if ((step & SYMBOL) !== 0) scratch[length++] = step >> 8;
    step = STEPS[(step & 0xff) * 16 + (byte & 15)];
    if (step === BROKEN) throw new HpackError("A Huffman coded string contains EOS.");
    if ((step & SYMBOL) !== 0) scratch[length++] = step >> 8;
    state = step & 0xff;
  }
  if (MAY_END[state] === 0) throw new HpackError("A Huffman coded string has bad padding.");
  return latin1Decode(scratch, 0, length);
}

/** Bytes that {@linkcode huffmanEncode} will write for this Latin-1 text. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += LENGTHS[text.charCodeAt(i)];
  return (bits + 7) >> 3;
}

/** Writes `text` (Latin-1) at `at`; gives the position after it. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  // Never more than 7 + 16 bits are pending, so 32-bit arithmetic holds.
  let pending = 0, bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    const code = CODES[symbol];
    let length = LENGTHS[symbol];
    if (length > 16) {
      pending = pending << (length - 16) | code >>> 16;
      bits += length - 16;
      while (bits >= 8) into[at++] = pending >>> (bits -= 8);
      pending &= 0xff;
      length = 16;
    }
    pending = pending << length | code & 0xffff;
    bits += length;
    while (bits >= 8) into[at++] = pending >>> (bits -= 8);
    pending &= 0xff;
  }
  if (bits > 0) into[at++] = pending << (8 - bits) | 0xff >>> bits;
  return at;
}

/** Strings up to this length go to `fromCharCode` in one call; longer ones piecewise, for the stack's sake. */
const TEXT_PIECE = 4096;

/** Bytes as text, one character each. (`TextDecoder` knows no true Latin-1: its "latin1" is windows-1252.) */
export function latin1Decode(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += TEXT_PIECE) {
    text += String.fromCharCode.apply(
      null,
      bytes.subarray(at, Math.min(end, at + TEXT_PIECE)) as unknown as number[],
    );
  }
  return text;
}
