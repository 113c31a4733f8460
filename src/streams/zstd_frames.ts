/**
 * Where the frames of zstd data end (RFC 8878 §3.1), without decoding them.
 *
 * Deno's decoder stops after the first frame, and takes data that is cut short for whole; this tells both.
 * @module
 */

/** Of each frame's beginning. */
export const MAGIC_BYTES = 4;
const MAGIC = 0xfd2fb528;
/** RFC 8878 §3.1.2: sixteen magic numbers of frames to be skipped. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Bytes of a field, by its flag in the frame header descriptor (RFC 8878 §3.1.1.1.1). */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

type Field = "magic" | "skippable size" | "descriptor" | "block header";

/** Follows zstd data that comes in pieces. */
export class ZstdFrames {
  #field: Field = "magic";
  /** The field that is being read, little-endian, and how many of its bytes are there. */
  #value = 0;
  #got = 0;
  #need = 4;
  /** Bytes that are passed over before the next field, or before the frame's end. */
  #skip = 0;
  #ends = false;
  #checksum = false;

  /** True between frames: the data may end here. */
  get complete(): boolean {
    return this.#field === "magic" && this.#got === 0;
  }

  /**
   * Follows `bytes` from offset `at` up to the end of the frame that they are in; gives the offset behind it.
   *
   * @throws {Error} when a frame does not begin as one.
   */
  push(bytes: Uint8Array, at: number): number {
    while (at < bytes.length) {
      if (this.#skip > 0) {
        const count = Math.min(this.#skip, bytes.length - at);
        this.#skip -= count;
        at += count;
      } else {
        this.#value += bytes[at++] * 2 ** (8 * this.#got);
        if (++this.#got === this.#need) this.#read(this.#value);
      }
      if (this.#ends && this.#skip === 0) {
        this.#ends = false;
        this.#expect("magic", 4, 0);
        break;
      }
    }
    return at;
  }

  #expect(field: Field, need: number, skip: number): void {
    this.#field = field;
    this.#need = need;
    this.#skip = skip;
    this.#value = this.#got = 0;
  }

  #read(value: number): void {
    if (this.#field === "magic") {
      if (value === MAGIC) this.#expect("descriptor", 1, 0);
      else if (value - value % 16 === SKIPPABLE_MAGIC) this.#expect("skippable size", 4, 0);
      else throw new Error("unknown frame descriptor");
    } else if (this.#field === "skippable size") {
      this.#ends = true;
      this.#skip = value;
    } else if (this.#field === "descriptor") {
      const singleSegment = (value & 0x20) !== 0;
      this.#checksum = (value & 0x04) !== 0;
      const contentSize = CONTENT_SIZE_BYTES[value >> 6] || (singleSegment ? 1 : 0);
      const window = singleSegment ? 0 : 1;
      this.#expect("block header", 3, window + DICTIONARY_ID_BYTES[value & 3] + contentSize);
    } else {
      // RFC 8878 §3.1.1.2: last block, type, size; a block of type 1 is one byte that is repeated.
      const size = (value >> 1 & 3) === 1 ? 1 : value >> 3;
      this.#ends = (value & 1) !== 0;
      this.#expect("block header", 3, size + (this.#ends && this.#checksum ? 4 : 0));
    }
  }
}
