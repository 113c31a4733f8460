/**
 * The members of gzip data (RFC 1952 §2.2), of which there may be several: header, deflate data, checksum and
 * length.
 *
 * Only the deflate data is left to zlib, so that what browsers and curl read is read here, too: data without
 * its footer, data that is cut short, and bytes behind it that begin no other member. Each is told of.
 * @module
 */
import zlib from "node:zlib";

/** Told, in a sentence, what is wrong with coded data that could be used all the same. */
export type Warn = (text: string) => void;

/** Most members of one body: compressors that work in parallel make one for each block of 128 KiB or so. */
export const MAX_MEMBERS = 10_000;
/** CRC-32 and length. */
const FOOTER_BYTES = 8;

/** What is wrong with data that ends too early. */
export function cutShort(coding: string): string {
  return `The ${coding} body is cut short: what could be unpacked is used.`;
}

/** What is wrong with data that goes on behind its end. */
export function goesOn(coding: string, count: number): string {
  return `${count} bytes behind the end of the ${coding} body are ignored.`;
}

/** What is wrong with data that its footer does not describe. */
export const WRONG_CHECKSUM = "The checksum of the gzip body is wrong; what was unpacked is used.";

const FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16;
const MAGIC = [0x1f, 0x8b, 8];
/** Magic, flags, time, extra flags, system. */
const FIXED_BYTES = 10;

/** Follows a member's header (§2.3.1) that comes in pieces. */
export class GzipHeader {
  /** Bytes that it has taken. */
  length = 0;
  /** Optional parts that are still to come, as flags. */
  #parts = 0;
  #extraBytes = 0;
  #extraLength = 0;
  #checksumBytes = 0;

  /** All of it has come. */
  get complete(): boolean {
    return this.length >= FIXED_BYTES && this.#parts === 0;
  }

  /**
   * Takes bytes from offset `at`; gives the offset behind what belongs to it. @throws {Error} when it begins
   * no member.
   */
  push(bytes: Uint8Array, at: number): number {
    while (at < bytes.length && !this.complete) this.#byte(bytes[at++]);
    return at;
  }

  #byte(byte: number): void {
    const at = this.length++;
    if (at < MAGIC.length) {
      if (byte !== MAGIC[at]) throw new Error("incorrect header check");
    } else if (at === MAGIC.length) {
      if ((byte & 0xe0) !== 0) throw new Error("unknown header flags set");
      this.#parts = byte & (FHCRC | FEXTRA | FNAME | FCOMMENT);
    } else if (at >= FIXED_BYTES) this.#optional(byte);
  }

  /** §2.3: extra field, name, comment and checksum, in this order. */
  #optional(byte: number): void {
    if ((this.#parts & FEXTRA) !== 0) {
      const at = this.#extraBytes++;
      if (at < 2) this.#extraLength |= byte << (8 * at);
      if (at >= 1 && this.#extraBytes === 2 + this.#extraLength) this.#parts &= ~FEXTRA;
    } else if ((this.#parts & FNAME) !== 0) {
      if (byte === 0) this.#parts &= ~FNAME;
    } else if ((this.#parts & FCOMMENT) !== 0) {
      if (byte === 0) this.#parts &= ~FCOMMENT;
    } else if (++this.#checksumBytes === 2) this.#parts &= ~FHCRC;
  }
}

/** Follows a member's footer (§2.3.1), and checks it against the data. */
export class GzipFooter {
  readonly #bytes = new Uint8Array(FOOTER_BYTES);
  #have = 0;
  #crc = 0;
  #size = 0;

  get complete(): boolean {
    return this.#have === FOOTER_BYTES;
  }

  /** Data of its member. */
  data(piece: Uint8Array): void {
    this.#crc = zlib.crc32(piece, this.#crc);
    this.#size = (this.#size + piece.length) % 2 ** 32;
  }

  /** Takes bytes from offset `at`; gives the offset behind what belongs to it. */
  push(bytes: Uint8Array, at: number): number {
    while (at < bytes.length && !this.complete) this.#bytes[this.#have++] = bytes[at++];
    return at;
  }

  /** What it says is what the data is. */
  get isRight(): boolean {
    const view = new DataView(this.#bytes.buffer);
    return view.getUint32(0, true) === this.#crc && view.getUint32(4, true) === this.#size;
  }
}
