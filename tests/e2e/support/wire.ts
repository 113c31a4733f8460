/**
 * One TCP or TLS connection in a test's hands: bytes out in chosen pieces, bytes in as they come, and how it ended.
 *
 * Text is Latin-1, one character per byte, so that transcripts show what was on the wire.
 * @module
 */
import { indexOfNeedle } from "@std/bytes";
import { Late, SOON, within } from "./within.ts";

/** What a {@linkcode Wire} needs of a connection. */
export interface RawConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  /** Only where the platform can. */
  reset?(): void;
}

/** How the peer ended its direction. */
export type End = "fin" | "reset";

/** The peer ended in mid message. */
export class Cut extends Error {
  override readonly name = "Cut";
  constructor(readonly end: End, readonly rest: string) {
    super(`The peer ended (${end}) in mid message, after ${JSON.stringify(rest.slice(0, 500))}.`);
  }
}

/** One read; larger than a socket buffer's usual step, so that bulk tests are quick. */
const READ_SIZE = 256 * 1024;

/** A connection with a buffer for what was read and not yet taken. */
export class Wire implements AsyncDisposable {
  bytesRead = 0;
  bytesWritten = 0;
  /** True when this end was closed here. */
  closed = false;
  #conn: RawConn;
  #pending: Uint8Array = new Uint8Array();
  #ended: End | null = null;
  readonly #into = new Uint8Array(READ_SIZE);

  constructor(conn: RawConn) {
    this.#conn = conn;
  }

  /** Goes on over TLS (or anything else) on the same connection; nothing may be pending. */
  protected replace(upgrade: (conn: RawConn) => RawConn): void {
    if (this.#pending.length > 0) throw new Error("Bytes are pending: the connection cannot be upgraded.");
    this.#conn = upgrade(this.#conn);
  }

  protected get conn(): RawConn {
    return this.#conn;
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? bytesOf(data) : data;
    for (let at = 0; at < bytes.length;) {
      const count = await this.#conn.write(bytes.subarray(at));
      at += count;
      this.bytesWritten += count;
    }
  }

  /** What is pending or the next bytes that come; null at the peer's end, whichever way it ended. */
  async readSome(): Promise<Uint8Array | null> {
    if (this.#pending.length === 0 && !await this.#more()) return null;
    const bytes = this.#pending;
    this.#pending = new Uint8Array();
    return bytes;
  }

  /** Latin-1 text up to and with `end`. */
  async readUntil(end: string): Promise<string> {
    const needle = bytesOf(end);
    for (let from = 0;;) {
      const at = indexOfNeedle(this.#pending, needle, from);
      if (at !== -1) return textOf(this.#take(at + end.length));
      from = Math.max(0, this.#pending.length - end.length);
      if (!await this.#more()) throw new Cut(this.#ended!, textOf(this.#pending));
    }
  }

  async readExactly(count: number): Promise<Uint8Array> {
    while (this.#pending.length < count) {
      if (!await this.#more()) throw new Cut(this.#ended!, textOf(this.#pending));
    }
    return this.#take(count);
  }

  /** At most `count` bytes, as soon as there are any; null at the end. */
  async readAtMost(count: number): Promise<Uint8Array | null> {
    if (this.#pending.length === 0 && !await this.#more()) return null;
    return this.#take(count);
  }

  /** Everything to the peer's end, as text. */
  async readToEnd(): Promise<{ text: string; end: End }> {
    while (await this.#more());
    const text = textOf(this.#pending);
    this.#pending = new Uint8Array();
    return { text, end: this.#ended! };
  }

  /** Reads and forgets everything to the peer's end; says how it ended. */
  async untilEnd(): Promise<End> {
    do this.#pending = new Uint8Array(); while (await this.#more());
    return this.#ended!;
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      this.#conn.close();
    } catch {
      // Already closed by a failed upgrade.
    }
  }

  /** Closes with a TCP reset; only on connections made `resettable`. */
  reset(): void {
    if (!this.#conn.reset) throw new Error("This connection was not made resettable.");
    this.closed = true;
    this.#conn.reset();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    // A read that close() interrupted settles in a later turn; the leak check must not see it.
    return new Promise((resolve) => setImmediate(resolve));
  }

  #take(count: number): Uint8Array {
    const bytes = this.#pending.subarray(0, count);
    this.#pending = this.#pending.subarray(count);
    return bytes;
  }

  async #more(): Promise<boolean> {
    if (this.#ended !== null) return false;
    let count: number | null;
    try {
      // No test lets a peer be silent for longer: that is a failure, not a hang.
      count = await within(SOON, this.#conn.read(this.#into), "bytes from the peer");
    } catch (error) {
      if (this.closed || error instanceof Late) throw error;
      this.#ended = "reset";
      return false;
    }
    if (count === null) {
      this.#ended = "fin";
      return false;
    }
    this.bytesRead += count;
    const joined = new Uint8Array(this.#pending.length + count);
    joined.set(this.#pending);
    joined.set(this.#into.subarray(0, count), this.#pending.length);
    this.#pending = joined;
    return true;
  }
}

/** Bytes as text, one character each. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}

/** Latin-1 text as bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
