/**
 * Content codings (RFC 9110 §8.4.1) of whole bodies: gzip (RFC 1952), deflate (RFC 1950, and raw RFC 1951 as some servers send
 * it), br (RFC 7932), zstd (RFC 8878).
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { messageOf, WeirError } from "../errors.ts";
import { listElements } from "../http_grammar.ts";
import { shown } from "../shown.ts";
import { ZstdFrames } from "./zstd_frames.ts";

/** Most bytes that a body may have when decoded, where the caller says nothing: as many as are buffered (`body_buffer_limit`). */
export const MOST_DECODED = 256 * 1024 * 1024;
/** Most codings on one body. More than one is rare, and each multiplies what few bytes can unfold to. */
const MOST_CODINGS = 4;

/** The codings that weir can undo. */
export type Coding = "gzip" | "deflate" | "br" | "zstd";

/**
 * The codings of a `content-encoding` value in the order in which they were applied, without `identity`.
 *
 * @throws {TypeError} on an unknown coding, or more than four.
 */
export function codingsOf(contentEncoding: string | null): Coding[] {
  const codings: Coding[] = [];
  for (const part of listElements(contentEncoding ?? "")) {
    const name = part.toLowerCase();
    if (name === "" || name === "identity") continue;
    if (name === "x-gzip") codings.push("gzip");
    else if (name === "gzip" || name === "deflate" || name === "br" || name === "zstd") codings.push(name);
    else throw new TypeError(`The content coding ${shown(name)} is not known.`);
  }
  if (codings.length > MOST_CODINGS) {
    throw new TypeError(
      `There are ${codings.length} content codings on one body; ${MOST_CODINGS} are allowed.`,
    );
  }
  return codings;
}

/**
 * Undoes `contentEncoding`; gives `bytes` themselves when there is none.
 *
 * @throws {TypeError} on an unknown coding.
 * @throws {WeirError} `protocol` when the bytes are not what the coding says, `limit` when they unfold to more than `most`.
 */
export function decodeBytes(
  bytes: Uint8Array,
  contentEncoding: string | null,
  most: number = MOST_DECODED,
): Uint8Array {
  return codingsOf(contentEncoding).reduceRight((coded, coding) => decodeOne(coded, coding, most), bytes);
}

/**
 * Applies `contentEncoding`; gives `bytes` themselves when there is none.
 *
 * @throws {TypeError} on an unknown coding.
 */
export function encodeBytes(bytes: Uint8Array, contentEncoding: string | null): Uint8Array {
  return codingsOf(contentEncoding).reduce(encodeOne, bytes);
}

/** Whether `deflate` came without its zlib wrapper, as its first byte shows (RFC 1950 §2.2: method 8). */
export function isRawDeflate(first: number): boolean {
  return (first & 0x0f) !== 8;
}

function decodeOne(bytes: Uint8Array, coding: Coding, most: number): Uint8Array {
  // A message without content has no coded form either.
  if (bytes.length === 0) return bytes;
  const options = { maxOutputLength: most };
  try {
    if (coding === "gzip") return plain(zlib.gunzipSync(bytes, options));
    if (coding === "br") return plain(unbrotli(bytes, most));
    if (coding === "zstd") return plain(unzstd(bytes, most));
    return plain(
      isRawDeflate(bytes[0]) ? zlib.inflateRawSync(bytes, options) : zlib.inflateSync(bytes, options),
    );
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") {
      throw new WeirError("weir", "limit", `The ${coding} body unfolds to more than ${most} bytes.`, {
        cause,
      });
    }
    throw new WeirError("weir", "protocol", `The body is no valid ${coding}: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

/**
 * A byte behind brotli data: Deno's decoder takes data that is cut short for whole, but only such data makes it read on.
 */
export const AFTER_BROTLI: Uint8Array = Uint8Array.of(0xff);
/** Brotli data of no bytes at all is no longer than this, flushes included. */
const EMPTY_BROTLI = 8;

function unbrotli(bytes: Uint8Array, most: number): Uint8Array {
  const options = { maxOutputLength: most, info: true };
  // With `info` the result is an object, which Node's types do not say.
  const { buffer, engine } = zlib.brotliDecompressSync(concat([bytes, AFTER_BROTLI]), options) as unknown as {
    buffer: Uint8Array;
    engine: { bytesWritten: number };
  };
  if (engine.bytesWritten > bytes.length) throw new Error("unexpected end of file");
  // Where the data is broken, Deno's decoder stops and gives nothing, without an error.
  const stopped = buffer.length === 0 && bytes.length > EMPTY_BROTLI;
  if (stopped || engine.bytesWritten < bytes.length) throw new Error("invalid data");
  return buffer;
}

/** Most frames in a zstd body: compressors that work in parallel make one for each megabyte or so. */
const MOST_FRAMES = 10_000;

function unzstd(bytes: Uint8Array, most: number): Uint8Array {
  const frames = new ZstdFrames();
  const parts: Uint8Array[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    end = frames.push(bytes, start);
    if (!frames.complete) throw new Error("unexpected end of file");
    if (parts.length === MOST_FRAMES) throw new Error(`more than ${MOST_FRAMES} frames`);
    const part = zlib.zstdDecompressSync(bytes.subarray(start, end), { maxOutputLength: Math.max(1, most) });
    most -= part.length;
    parts.push(part);
  }
  return parts.length === 1 ? parts[0] : concat(parts);
}

function encodeOne(bytes: Uint8Array, coding: Coding): Uint8Array {
  if (coding === "gzip") return plain(zlib.gzipSync(bytes));
  if (coding === "deflate") return plain(zlib.deflateSync(bytes));
  if (coding === "zstd") return plain(zlib.zstdCompressSync(bytes));
  return plain(zlib.brotliCompressSync(bytes, { params: BROTLI_PARAMS }));
}

/** Brotli's default quality (11) is for files that are compressed once; 4 is as fast as gzip and smaller. */
export const BROTLI_PARAMS: Readonly<Record<number, number>> = {
  [zlib.constants.BROTLI_PARAM_QUALITY]: 4,
};

/** A Node `Buffer` as what it is underneath, so that addons meet one type of bytes. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
