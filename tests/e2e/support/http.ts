/**
 * The tests' own reading of HTTP/1.1 messages (RFC 9112), strict and independent of weir's: heads field by field, bodies wire
 * chunk by wire chunk.
 * @module
 */
import { concat } from "@std/bytes";
import { Cut, textOf, type Wire } from "./wire.ts";

/** A message head as it was on the wire. */
export class Head {
  readonly startLine: string;
  /** Name and value of each field line, in order, with their case. */
  readonly fields: [string, string][];

  constructor(readonly raw: string) {
    const [startLine, ...lines] = raw.slice(0, -4).split("\r\n");
    this.startLine = startLine;
    this.fields = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
  }

  /** The only value of that name, or null; throws when there are several. */
  get(name: string): string | null {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`Several ${name} in ${JSON.stringify(this.raw)}`);
    return values[0] ?? null;
  }

  all(name: string): string[] {
    return this.fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  // Of a request.
  get method(): string {
    return this.startLine.split(" ")[0];
  }
  get target(): string {
    return this.startLine.split(" ")[1];
  }

  // Of a response.
  get version(): string {
    return this.startLine.split(" ")[0];
  }
  get statusCode(): number {
    return Number(this.startLine.split(" ")[1]);
  }
  get reason(): string {
    return this.startLine.split(" ").slice(2).join(" ");
  }
}

export async function readHead(wire: Wire): Promise<Head> {
  return new Head(await wire.readUntil("\r\n\r\n"));
}

/** How a body is delimited. */
export type Framing = "none" | "length" | "chunked" | "close";

/** Framing of a request (RFC 9112 §6.3). */
export function requestFraming(head: Head): Framing {
  if (head.get("transfer-encoding") !== null) return "chunked";
  return Number(head.get("content-length") ?? 0) > 0 ? "length" : "none";
}

/** Framing of the response to a `method` request. */
export function responseFraming(head: Head, method: string): Framing {
  if (method === "HEAD" || head.statusCode < 200 || [204, 304].includes(head.statusCode)) return "none";
  if (head.get("transfer-encoding") !== null) return "chunked";
  if (head.get("content-length") === null) return "close";
  return head.get("content-length") === "0" ? "none" : "length";
}

/** A body piece by piece. */
export class BodyReader {
  trailers: [string, string][] | null = null;
  #left: number;
  #done: boolean;

  constructor(readonly wire: Wire, readonly framing: Framing, length: number) {
    this.#left = length;
    this.#done = framing === "none";
  }

  static ofRequest(wire: Wire, head: Head): BodyReader {
    return new BodyReader(wire, requestFraming(head), Number(head.get("content-length") ?? 0));
  }

  static ofResponse(wire: Wire, head: Head, method = "GET"): BodyReader {
    return new BodyReader(wire, responseFraming(head, method), Number(head.get("content-length") ?? 0));
  }

  /** One whole wire chunk, or what came of an unchunked body; null at the clean end. Throws {@linkcode Cut}. */
  async next(): Promise<Uint8Array | null> {
    if (this.#done) return null;
    if (this.framing === "chunked") return await this.#chunk();
    if (this.framing === "close") {
      const bytes = await this.wire.readSome();
      if (bytes !== null) return bytes;
      const { end } = await this.wire.readToEnd();
      if (end === "reset") throw new Cut(end, "");
      this.#done = true;
      return null;
    }
    const bytes = await this.wire.readAtMost(this.#left);
    if (bytes === null) throw new Cut((await this.wire.readToEnd()).end, `${this.#left} bytes missing`);
    this.#left -= bytes.length;
    this.#done = this.#left === 0;
    return bytes;
  }

  async nextText(): Promise<string | null> {
    const bytes = await this.next();
    return bytes && textOf(bytes);
  }

  /** The rest of the body, in pieces. */
  async pieces(): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (let piece; (piece = await this.next()) !== null;) pieces.push(piece);
    return pieces;
  }

  async text(): Promise<string> {
    return textOf(concat(await this.pieces()));
  }

  async #chunk(): Promise<Uint8Array | null> {
    const line = await this.wire.readUntil("\r\n");
    const match = /^([0-9a-f]+)(;[^\r\n]*)?\r\n$/i.exec(line);
    if (!match) throw new Error(`No chunk size: ${JSON.stringify(line)}`);
    const size = parseInt(match[1], 16);
    if (size > 0) {
      const data = await this.wire.readExactly(size);
      const end = await this.wire.readUntil("\r\n");
      if (end !== "\r\n") throw new Error(`Chunk of ${size} goes on with ${JSON.stringify(end)}`);
      return data;
    }
    this.#done = true;
    this.trailers = [];
    for (let field; (field = await this.wire.readUntil("\r\n")) !== "\r\n";) {
      const colon = field.indexOf(":");
      this.trailers.push([field.slice(0, colon), field.slice(colon + 1).trim()]);
    }
    return null;
  }
}

/** A chunk as on the wire. */
export function chunk(data: string | Uint8Array): string {
  const text = typeof data === "string" ? data : textOf(data);
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A chunked body as on the wire. */
export function chunks(data: readonly string[], trailers = ""): string {
  return data.map(chunk).join("") + `0\r\n${trailers}\r\n`;
}
