/**
 * The chunked transfer coding (RFC 9112 §7.1): a decoder that sees bytes and gives pieces of chunks, strict where
 * leniency has been used to smuggle requests (sizes, line ends). Chunk extensions (§7.1.1) are checked and dropped.
 * @module
 */
import type { Side, WeirError } from "../errors.ts";
import { MAX_FIELD_BLOCK } from "../http/mod.ts";
import { latin1 } from "../latin1.ts";
import { ExtensionState, nextInExtension } from "./chunk_extension.ts";
import { mended, parseFields } from "./fields.ts";
import { HeadScanner } from "./head_scanner.ts";
import { malformed, tooLarge } from "./refusal.ts";

/** Extensions of one chunk, with the blanks before them, beyond this are an attack (contract §5). */
export const MAX_CHUNK_EXTENSION = 4 * 1024;
/** Enough for 2^53 - 1 with a few leading zeros; a size is never parsed as a float. */
const MAX_SIZE_DIGITS = 16;

const LF = 10, CR = 13;

/** Where in the grammar the next byte belongs. */
const enum State {
  Size,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  Trailers,
  Done,
}

/** Value of a hexadecimal digit, or 255. */
const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return digit === -1 ? 255 : digit;
});

/** Decodes one chunked body. Call `advance` until `done`, taking `available` bytes of data each time there are some. */
export class ChunkedDecoder {
  readonly #side: Side;
  readonly #isLenient: boolean;
  #state = State.Size;
  #size = 0;
  #digits = 0;
  /** Bytes behind the size, and where in their grammar they are. */
  #extension = 0;
  #extensionState = ExtensionState.Padding;
  #trailerBytes: Uint8Array | null = null;
  #trailerEnd = 0;
  #scanner: HeadScanner | null = null;
  /** Data bytes of the current chunk that have not been taken. */
  left = 0;
  /** Trailer fields once `done`, or null. */
  trailers: string[] | null = null;

  /** `lenient`: as {@linkcode HeadScanner} for the trailer section; sizes and data are never lenient. */
  constructor(side: Side, { lenient = false } = {}) {
    this.#side = side;
    this.#isLenient = lenient;
  }

  /** The last chunk and the trailer section have been read. */
  get done(): boolean {
    return this.#state === State.Done;
  }

  /** Chunk data comes next: up to `left` bytes, each given to the caller, who then calls {@linkcode taken}. */
  get inData(): boolean {
    return this.#state === State.Data;
  }

  /** `count` bytes of data were taken. */
  taken(count: number): void {
    this.left -= count;
    if (this.left === 0) this.#state = State.DataCr;
  }

  /**
   * Reads framing from `bytes[start..end)` and stops at chunk data, at the end of the body, or at `end`.
   * Gives the position behind what it read. Throws `WeirError` on anything that is not the grammar.
   */
  advance(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case State.Size:
          this.#sizeByte(bytes[at++]);
          break;
        case State.Extension:
          this.#extensionByte(bytes[at++]);
          break;
        case State.SizeLf:
          this.#expect(bytes[at++], LF, "A chunk size line has a bare CR");
          this.#startChunk();
          break;
        case State.DataCr:
          this.#expect(bytes[at++], CR, "Chunk data is longer than its size");
          this.#state = State.DataLf;
          break;
        case State.DataLf:
          this.#expect(bytes[at++], LF, "Chunk data ends with a bare CR");
          this.#state = State.Size;
          break;
        case State.Trailers:
          at = this.#trailerSection(bytes, at, end);
          break;
        default:
          return at;
      }
    }
    return at;
  }

  #sizeByte(byte: number): void {
    const digit = HEX[byte];
    if (digit !== 255) {
      if (++this.#digits > MAX_SIZE_DIGITS || this.#size > (Number.MAX_SAFE_INTEGER - digit) / 16) {
        throw malformed(this.#side, "A chunk size is too large.");
      }
      this.#size = this.#size * 16 + digit;
      return;
    }
    if (this.#digits > 0 && byte === CR) this.#state = State.SizeLf;
    else if (this.#digits === 0) throw this.#unexpected("size", byte);
    else {
      this.#state = State.Extension;
      this.#extensionState = ExtensionState.Padding;
      this.#extensionByte(byte);
    }
  }

  #extensionByte(byte: number): void {
    const before = this.#extensionState;
    const state = this.#extensionState = nextInExtension(before, byte);
    if (state === ExtensionState.End) this.#state = State.SizeLf;
    else if (state === ExtensionState.Broken) {
      throw this.#unexpected(before === ExtensionState.Padding ? "size" : "extension", byte);
    } else if (++this.#extension > MAX_CHUNK_EXTENSION) {
      throw tooLarge(this.#side, `A chunk has more than ${MAX_CHUNK_EXTENSION} bytes of extensions.`, 400);
    }
  }

  #unexpected(where: "size" | "extension", byte: number): WeirError {
    const hex = byte.toString(16).padStart(2, "0");
    return malformed(this.#side, `The byte 0x${hex} is not allowed where it is in a chunk's ${where}.`);
  }

  #startChunk(): void {
    this.left = this.#size;
    this.#state = this.#size === 0 ? State.Trailers : State.Data;
    this.#size = this.#digits = this.#extension = 0;
  }

  #expect(byte: number, wanted: number, what: string): void {
    if (byte !== wanted) throw malformed(this.#side, `${what}.`);
  }

  /** §7.1.2; almost always just the empty line. Others are collected, so that they may arrive in any pieces. */
  #trailerSection(bytes: Uint8Array, start: number, end: number): number {
    if (this.#trailerBytes === null && end - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      this.#state = State.Done;
      return start + 2;
    }
    const before = this.#trailerEnd;
    // More than the bound (and its empty line) need not be kept: the scanner refuses it.
    const count = Math.min(end - start, MAX_FIELD_BLOCK + 4 - before);
    const collected = this.#collect(bytes, start, count);
    this.#scanner ??= new HeadScanner(this.#side, false, { lenient: this.#isLenient });
    const length = this.#scanner.scan(collected, 0, this.#trailerEnd);
    if (length === -1) return start + count;
    const text = latin1(collected, 0, length);
    if (length > 2) this.trailers = parseFields(this.#isLenient ? mended(text, false) : text, 0, this.#side);
    this.#trailerBytes = null;
    this.#state = State.Done;
    return start + length - before;
  }

  #collect(bytes: Uint8Array, start: number, count: number): Uint8Array {
    const wanted = this.#trailerEnd + count;
    let collected = this.#trailerBytes;
    if (collected === null || collected.length < wanted) {
      const larger = new Uint8Array(Math.max(wanted, 2 * (collected?.length ?? 0)));
      if (collected !== null) larger.set(collected.subarray(0, this.#trailerEnd));
      collected = larger;
    }
    collected.set(bytes.subarray(start, start + count), this.#trailerEnd);
    this.#trailerEnd = wanted;
    return this.#trailerBytes = collected;
  }
}
