/**
 * Just enough HTTP/1.1 (RFC 9112) for the bench's own origins and clients, who know what they are sent: fast, and no
 * part of weir, so that weir is not measured with itself.
 * @module
 */

/** The start line and the fields of a message, names in lower case. */
export interface Head {
  readonly start: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** As large as a socket is worth being read (see the speed of the ground: larger brings nothing). */
const BUFFER = 256 * 1024;
const CR = 13;
const LF = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One connection, read through one buffer. */
export class Wire {
  readonly #buffer = new Uint8Array(BUFFER);
  #start = 0;
  #end = 0;

  constructor(readonly conn: Deno.Conn) {}

  /** Writes all of it. */
  async write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    for (let sent = 0; sent < bytes.length;) sent += await this.conn.write(bytes.subarray(sent));
  }

  /** The next head; null when the connection ends before one. */
  async head(): Promise<Head | null> {
    for (let searched = this.#start;;) {
      const end = this.#blankLine(searched);
      if (end >= 0) {
        const lines = decoder.decode(this.#buffer.subarray(this.#start, end)).split("\r\n");
        this.#start = end + 4;
        const fields = new Map<string, string>();
        for (let i = 1; i < lines.length; i++) {
          const colon = lines[i].indexOf(":");
          fields.set(lines[i].slice(0, colon).toLowerCase(), lines[i].slice(colon + 1).trim());
        }
        return { start: lines[0], fields };
      }
      const seen = this.#end - this.#start;
      if (!await this.#fill()) return null;
      searched = this.#start + Math.max(0, seen - 3);
    }
  }

  /** Whatever comes next, valid until the next call; null at the end of the connection. */
  async bytes(limit = Infinity): Promise<Uint8Array | null> {
    if (this.#start === this.#end && !await this.#fill()) return null;
    const end = Math.min(this.#end, this.#start + limit);
    const bytes = this.#buffer.subarray(this.#start, end);
    this.#start = end;
    return bytes;
  }

  /** Reads the body that `head` announces, hands over its pieces, and resolves to its length. */
  async body(head: Head, each: (bytes: Uint8Array) => void = () => {}): Promise<number> {
    if (head.fields.get("transfer-encoding")?.toLowerCase() === "chunked") return await this.#chunks(each);
    const length = head.fields.get("content-length");
    return await this.#take(length === undefined ? Infinity : Number(length), each);
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // The other side was first.
    }
  }

  async #chunks(each: (bytes: Uint8Array) => void): Promise<number> {
    for (let total = 0;;) {
      const size = parseInt(await this.#line(), 16);
      if (Number.isNaN(size)) throw new Error("The chunked body is malformed.");
      await this.#take(size, each);
      await this.#line();
      if (size === 0) return total;
      total += size;
    }
  }

  async #take(length: number, each: (bytes: Uint8Array) => void): Promise<number> {
    for (let taken = 0;;) {
      if (taken === length) return taken;
      const bytes = await this.bytes(length - taken);
      if (bytes === null) {
        if (length === Infinity) return taken;
        throw new Error(`The body ended after ${taken} of ${length} bytes.`);
      }
      taken += bytes.length;
      each(bytes);
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.subarray(0, this.#end).indexOf(LF, this.#start);
      if (end >= 0) {
        let line = "";
        for (let i = this.#start; i < end; i++) {
          if (this.#buffer[i] !== CR) line += String.fromCharCode(this.#buffer[i]);
        }
        this.#start = end + 1;
        return line;
      }
      if (!await this.#fill()) throw new Error("The connection ended inside a line.");
    }
  }

  #blankLine(from: number): number {
    const buffer = this.#buffer.subarray(0, this.#end);
    for (let i = buffer.indexOf(CR, from); i >= 0; i = buffer.indexOf(CR, i + 1)) {
      if (buffer[i + 1] === LF && buffer[i + 2] === CR && buffer[i + 3] === LF) return i;
    }
    return -1;
  }

  async #fill(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    else if (this.#end === BUFFER) {
      if (this.#start === 0) throw new Error(`A line or head is longer than ${BUFFER} bytes.`);
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const read = await this.conn.read(this.#buffer.subarray(this.#end));
    if (read === null) return false;
    this.#end += read;
    return true;
  }
}
