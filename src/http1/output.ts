/**
 * What one connection is about to write: heads, framing and small pieces gather in one buffer, so that what is ready
 * together leaves in one write; large pieces go out from where they are.
 *
 * A buffer is held only while it has something in it: a connection that waits holds none.
 * @module
 */
import { bulk, BULK_SIZE, type Conn } from "../net/mod.ts";
import { encodeHead } from "./serialise.ts";

/** Most messages fit; allocated per connection on first use. */
const SMALL_SIZE = 8 * 1024;
/** From here on copying costs more than a write of its own. */
const DIRECT_SIZE = 16 * 1024;

/** Gathers bytes for a {@linkcode Conn}. One writer at a time. */
export class Output {
  /** Bytes that the connection has taken so far. */
  taken = 0;
  used = 0;
  /** The connection could not be written: it, not the message, is broken. */
  failed = false;
  readonly #conn: Conn;
  #small: Uint8Array<ArrayBuffer> | null = null;
  #bytes: Uint8Array<ArrayBuffer> | null = null;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  /** Makes room for `count` more bytes without a write; false when they do not fit and a flush must come first. */
  reserve(count: number): boolean {
    const bytes = this.#bytes ??= this.#small ??= new Uint8Array(SMALL_SIZE);
    const wanted = this.used + count;
    if (wanted <= bytes.length) return true;
    if (wanted > BULK_SIZE || bytes.length === BULK_SIZE) return false;
    this.#bytes = bulk.borrow();
    this.#bytes.set(bytes.subarray(0, this.used));
    return true;
  }

  /** Adds a head or a trailer section; checked against injection, see {@linkcode encodeHead}. */
  async head(text: string, lines: number): Promise<void> {
    if (!this.reserve(text.length)) {
      await this.flush();
      if (!this.reserve(text.length)) throw new RangeError("A head is larger than the output buffer.");
    }
    this.used = encodeHead(text, lines, this.#bytes!, this.used);
  }

  /** Adds ASCII text of this codec's own; the caller has reserved. */
  ascii(text: string): void {
    const bytes = this.#bytes!;
    for (let i = 0; i < text.length; i++) bytes[this.used++] = text.charCodeAt(i);
  }

  /** Adds bytes, writing when there are too many to gather. They are the caller's again when it resolves. */
  add(piece: Uint8Array): Promise<void> | void {
    if ((this.used > 0 || piece.length < DIRECT_SIZE) && this.reserve(piece.length)) {
      this.#bytes!.set(piece, this.used);
      this.used += piece.length;
      return;
    }
    return this.#addLarge(piece);
  }

  /** Writes all that was gathered. */
  async flush(): Promise<void> {
    const bytes = this.#bytes;
    if (bytes === null || this.used === 0) return;
    const count = this.used;
    this.used = 0;
    this.#bytes = null;
    // When the write fails the runtime may still hold the buffer: then it is left to the collector.
    if (bytes === this.#small) this.#small = null;
    await this.#write(bytes.subarray(0, count));
    if (bytes.length === BULK_SIZE) bulk.giveBack(bytes);
    else this.#small = bytes;
  }

  /** Drops what was gathered: the message cannot go out. */
  discard(): void {
    this.used = 0;
  }

  async #addLarge(piece: Uint8Array): Promise<void> {
    let rest = piece;
    if (this.used > 0) {
      // The head and as much of the body as fits leave together.
      const room = this.#bytes!.length - this.used;
      this.#bytes!.set(rest.subarray(0, room), this.used);
      this.used += room;
      rest = rest.subarray(room);
      await this.flush();
      if (rest.length < DIRECT_SIZE) return this.add(rest);
    }
    await this.#write(rest);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#conn.write(bytes);
    } catch (thrown) {
      this.failed = true;
      throw thrown;
    }
    this.taken += bytes.length;
  }
}
