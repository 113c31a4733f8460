/**
 * Writes HARs that are whole, valid JSON after every flow: each entry takes the place of the closing brackets, and writes them
 * anew.
 * @module
 */
import zlib from "node:zlib";
import type { Flow, HttpFlow } from "../../flow/flow.ts";
import { VERSION } from "../../version.ts";
import { harEntry } from "./entry.ts";
import type { Har } from "./types.ts";

const encoder = new TextEncoder();
const CLOSING = encoder.encode("\n]}}\n");

function creator(): Har["log"]["creator"] {
  return { name: "weir", version: VERSION, comment: "" };
}

function opening(): Uint8Array {
  const log = JSON.stringify({ version: "1.2", creator: creator(), pages: [] });
  return encoder.encode(`{"log":${log.slice(0, -1)},"entries":[`);
}

/**
 * The HAR of some flows: an object whose text is its JSON. Raw conversations are no part of it.
 *
 * @example
 * ```ts
 * import { type HttpFlow, toHar } from "weir";
 *
 * export async function complete(flow: HttpFlow) {
 *   await Deno.writeTextFile(`${flow.id}.har`, String(toHar([flow])));
 * }
 * ```
 */
export function toHar(flows: Iterable<Flow>): Har {
  const entries = [...flows].filter((flow): flow is HttpFlow => flow.type === "http").map(harEntry);
  const har: Har = { log: { version: "1.2", creator: creator(), pages: [], entries } };
  return Object.defineProperty(har, "toString", { value: () => JSON.stringify(har), enumerable: false });
}

/** What is to be written, and where: with it the file is whole again. */
export interface HarWrite {
  /** The place in the file. */
  readonly at: number;
  /** The bytes from there to the file's end. */
  readonly bytes: Uint8Array;
}

/** A HAR that grows: `begin` makes an empty one, `add` puts a flow into it. */
export interface HarWriter {
  /** All of a HAR without entries. */
  begin(): HarWrite;
  /** One more entry. Call it again only when the bytes of the last call are written. */
  add(flow: HttpFlow): HarWrite;
}

/** Counts, and puts a comma before every entry but the first. */
export abstract class GrowingHar implements HarWriter {
  /** Where the closing brackets are. */
  #at = 0;
  #isEmpty = true;

  /** A new file: what it holds without any entry. */
  begin(): HarWrite {
    this.#at = 0;
    this.#isEmpty = true;
    return this.#write(opening());
  }

  /** One more entry. */
  add(flow: HttpFlow): HarWrite {
    const before = this.#isEmpty ? "\n" : ",\n";
    this.#isEmpty = false;
    return this.#write(encoder.encode(before + JSON.stringify(harEntry(flow))));
  }

  #write(text: Uint8Array): HarWrite {
    const at = this.#at;
    const body = this.pack(text), closing = this.close();
    this.#at += body.length;
    const bytes = new Uint8Array(body.length + closing.length);
    bytes.set(body);
    bytes.set(closing, body.length);
    return { at, bytes };
  }

  /** What stands in the file for good. */
  protected abstract pack(text: Uint8Array): Uint8Array;
  /** What ends the file, until more comes. */
  protected abstract close(): Uint8Array;
}

/** A writer of `.har`. */
export class PlainHarWriter extends GrowingHar {
  /** @ignore */
  protected override pack(text: Uint8Array): Uint8Array {
    return text;
  }

  /** @ignore */
  protected override close(): Uint8Array {
    return CLOSING;
  }
}

/** CMF and FLG of zlib (RFC 1950 §2.2): deflate with a window of 32 KiB, default compression. */
const ZLIB_HEAD = Uint8Array.of(0x78, 0x9c);
/** BFINAL and a stored block's type (RFC 1951 §3.2.4), its length, and that inverted. */
const STORED_BLOCK = Uint8Array.of(1, CLOSING.length, 0, 255 - CLOSING.length, 255);

/**
 * A writer of `.zhar` (mitmproxy's name): zlib. Every entry is flushed to a byte's end, and what ends the file is a stored block,
 * so that this, too, is whole after every flow.
 */
export class ZlibHarWriter extends GrowingHar {
  #sum = new Adler32();

  /** A new file: what it holds without any entry. */
  override begin(): HarWrite {
    this.#sum = new Adler32();
    const { at, bytes } = super.begin();
    return { at, bytes };
  }

  /** @ignore */
  protected override pack(text: Uint8Array): Uint8Array {
    const isFirst = this.#sum.isFresh;
    this.#sum.add(text);
    const packed = zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    if (!isFirst) return packed;
    const first = new Uint8Array(ZLIB_HEAD.length + packed.length);
    first.set(ZLIB_HEAD);
    first.set(packed, ZLIB_HEAD.length);
    return first;
  }

  /** @ignore */
  protected override close(): Uint8Array {
    const sum = this.#sum.copy();
    sum.add(CLOSING);
    const bytes = new Uint8Array(STORED_BLOCK.length + CLOSING.length + 4);
    bytes.set(STORED_BLOCK);
    bytes.set(CLOSING, STORED_BLOCK.length);
    new DataView(bytes.buffer).setUint32(bytes.length - 4, sum.value);
    return bytes;
  }
}

/** The checksum of zlib (RFC 1950 §8.2). */
class Adler32 {
  #a = 1;
  #b = 0;

  get isFresh(): boolean {
    return this.#a === 1 && this.#b === 0;
  }

  get value(): number {
    return this.#b * 65536 + this.#a;
  }

  add(bytes: Uint8Array): void {
    let a = this.#a, b = this.#b;
    for (let at = 0; at < bytes.length;) {
      // As many as cannot overflow before the remainder is taken.
      const end = Math.min(at + 3800, bytes.length);
      while (at < end) b += a += bytes[at++];
      a %= 65521;
      b %= 65521;
    }
    this.#a = a;
    this.#b = b;
  }

  copy(): Adler32 {
    const copy = new Adler32();
    copy.#a = this.#a;
    copy.#b = this.#b;
    return copy;
  }
}
