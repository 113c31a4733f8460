/**
 * Bytes of a file that come in pieces: as many as are asked for at once, without holding more than that.
 * @module
 */

/** Where the bytes of a file come from. The pieces may be of any size and may be used again once the next was asked for. */
export type ByteSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** What the buffer holds at least: small values are looked for in it without waiting. */
const MIN_BUFFER = 64 * 1024;

/** A source with a buffer before it. */
export class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer = new Uint8Array(MIN_BUFFER);
  #start = 0;
  #end = 0;
  /** A piece that had more than there was room for. */
  #rest: Uint8Array = EMPTY;
  #ended = false;
  #offset = 0;

  constructor(source: ByteSource) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** How many bytes were taken so far: the place of the next one in the file. */
  get offset(): number {
    return this.#offset;
  }

  /** What is in the buffer, valid until the next call that waits. */
  get view(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** True when the buffer holds so many bytes; false when the source ends before that. */
  async has(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      if (!this.#fill(count) && !await this.#next()) return false;
    }
    return true;
  }

  /** Drops bytes that are in the buffer. */
  skip(count: number): void {
    this.#start += count;
    this.#offset += count;
  }

  /** A copy of bytes that are in the buffer, which are then taken. */
  take(count: number): Uint8Array {
    const bytes = this.#buffer.slice(this.#start, this.#start + count);
    this.skip(count);
    return bytes;
  }

  /** What is there of the next `most` bytes, at least one, taken; valid until the next call. Null at the end. */
  async some(most: number): Promise<Uint8Array | null> {
    if (this.#start === this.#end && this.#rest.length > 0) {
      const piece = this.#rest.subarray(0, most);
      this.#rest = this.#rest.subarray(piece.length);
      this.#offset += piece.length;
      return piece;
    }
    if (!await this.has(1)) return null;
    const piece = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + most));
    this.skip(piece.length);
    return piece;
  }

  /** Nothing more is wanted: frees the source. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#rest = EMPTY;
    await this.#source.return?.();
  }

  /** Moves what waits into the buffer, on the way to `count` bytes; false when nothing waits. */
  #fill(count: number): boolean {
    if (this.#rest.length === 0) return false;
    if (this.#start + count > this.#buffer.length) this.#makeRoom(count);
    const piece = this.#rest.subarray(0, this.#buffer.length - this.#end);
    this.#buffer.set(piece, this.#end);
    this.#end += piece.length;
    this.#rest = this.#rest.subarray(piece.length);
    return true;
  }

  /** Moves what is held to the front; a full buffer doubles, so that a length that is only claimed costs nothing. */
  #makeRoom(count: number): void {
    const { length } = this.#buffer, held = this.view;
    if (held.length === length) {
      this.#buffer = new Uint8Array(Math.min(count, 2 * length));
      this.#buffer.set(held);
    } else this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = held.length;
  }

  async #next(): Promise<boolean> {
    if (this.#ended) return false;
    const { done, value } = await this.#source.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    this.#rest = value;
    return true;
  }
}

const EMPTY = new Uint8Array();
