/**
 * Content codings (RFC 9110 §8.4.1) of whole bodies: gzip (RFC 1952), deflate (RFC 1950, and raw RFC 1951 as
 * some servers send it), br (RFC 7932), zstd (RFC 8878).
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { messageOf, WeirError } from "../errors.ts";
import { listElements } from "../http_grammar.ts";
import { shown } from "../shown.ts";
import { cutShort, goesOn, GzipFooter, GzipHeader, MAX_MEMBERS, type Warn, WRONG_CHECKSUM } from "./gzip.ts";
import { MAGIC_BYTES, ZstdFrames } from "./zstd_frames.ts";

/**
 * Most bytes that a body may have when decoded, where the caller says nothing: as many as are buffered
 * (`body_buffer_limit`).
 */
export const MAX_DECODED = 256 * 1024 * 1024;
/** Most codings on one body. More than one is rare, and each multiplies what few bytes can unfold to. */
const MAX_CODINGS = 4;

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
  if (codings.length > MAX_CODINGS) {
    throw new TypeError(
      `There are ${codings.length} content codings on one body; ${MAX_CODINGS} are allowed.`,
    );
  }
  return codings;
}

/**
 * Undoes `contentEncoding`; gives `bytes` themselves when there is none.
 *
 * With `warn`, data that browsers and curl can read is read as they do: cut short, without its checksum, or
 * with other bytes behind it; `warn` is told in a sentence. Without, such data is refused.
 *
 * @throws {TypeError} on an unknown coding.
 * @throws {WeirError} `protocol` when the bytes are not what the coding says, `limit` when they unfold to
 * more than `most`.
 */
export function decodeBytes(
  bytes: Uint8Array,
  contentEncoding: string | null,
  most: number = MAX_DECODED,
  warn: Warn | null = null,
): Uint8Array {
  return codingsOf(contentEncoding).reduceRight(
    (coded, coding) => decodeOne(coded, coding, most, warn),
    bytes,
  );
}

/**
 * Applies `contentEncoding`; gives `bytes` themselves when there is none.
 *
 * @throws {TypeError} on an unknown coding.
 */
export function encodeBytes(bytes: Uint8Array, contentEncoding: string | null): Uint8Array {
  return codingsOf(contentEncoding).reduce(encodeOne, bytes);
}

/**
 * Whether `deflate` came without its zlib wrapper, as its first two bytes show (RFC 1950 §2.2): method 8, a
 * window of 32 KiB at most, and a check. The first byte alone tells nearly always.
 */
export function isRawDeflate(start: Uint8Array): boolean {
  const [first, second] = start;
  if ((first & 0x0f) !== 8 || first >> 4 > 7) return true;
  return second !== undefined && (first << 8 | second) % 31 !== 0;
}

function decodeOne(bytes: Uint8Array, coding: Coding, most: number, warn: Warn | null): Uint8Array {
  // A message without content has no coded form either.
  if (bytes.length === 0) return bytes;
  try {
    if (coding === "gzip") return plain(gunzip(bytes, most, warn));
    if (coding === "br") return plain(unbrotli(bytes, most, warn));
    if (coding === "zstd") return plain(unzstd(bytes, most, warn));
    return plain(undeflate(bytes, most, warn));
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
 * A byte behind brotli data: Deno's decoder takes data that is cut short for whole, but only such data makes
 * it read on.
 */
export const AFTER_BROTLI: Uint8Array = Uint8Array.of(0xff);
/** Brotli data of no bytes at all is no longer than this, flushes included. */
export const EMPTY_BROTLI = 8;

function unbrotli(bytes: Uint8Array, most: number, warn: Warn | null): Uint8Array {
  const { buffer, used } = warn === null
    ? unpack(zlib.brotliDecompressSync, concat([bytes, AFTER_BROTLI]), most)
    : unbrotliCut(bytes, most);
  if (used > bytes.length) {
    if (warn === null) throw new Error("unexpected end of file");
    warn(cutShort("br"));
    return buffer;
  }
  // Where the data is broken, Deno's decoder stops and gives nothing, without an error.
  if (buffer.length === 0 && bytes.length > EMPTY_BROTLI) throw new Error("invalid data");
  if (used < bytes.length) {
    if (warn === null) throw new Error("invalid data");
    warn(goesOn("br", bytes.length - used));
  }
  return buffer;
}

/** Data that may be cut short: `used` is then more than there is, as when the byte behind it was read. */
function unbrotliCut(bytes: Uint8Array, most: number): { buffer: Uint8Array; used: number } {
  let failure: unknown = null;
  try {
    const whole = unpack(zlib.brotliDecompressSync, concat([bytes, AFTER_BROTLI]), most);
    if (whole.used <= bytes.length) return whole;
  } catch (error) {
    failure = error;
  }
  const { buffer, used } = unpack(
    zlib.brotliDecompressSync,
    bytes,
    most,
    zlib.constants.BROTLI_OPERATION_FLUSH,
  );
  // It stopped before the end: the data, and not the byte behind it, is what is wrong.
  if (used < bytes.length) throw failure ?? new Error("invalid data");
  return { buffer, used: bytes.length + 1 };
}

/** One of zlib's functions for whole data. */
type Unpacker = (bytes: Uint8Array, options: zlib.ZlibOptions & zlib.BrotliOptions) => Uint8Array;

/**
 * What `bytes` unfold to, and how many of them were used for it. `finishFlush` takes data that ends too
 * early.
 */
function unpack(
  unpacker: Unpacker,
  bytes: Uint8Array,
  most: number,
  finishFlush?: number,
): { buffer: Uint8Array; used: number } {
  const options = { maxOutputLength: Math.max(1, most), info: true, finishFlush };
  // With `info` the result is an object, which Node's types do not say.
  const { buffer, engine } = unpacker(bytes, options) as unknown as {
    buffer: Uint8Array;
    engine: { bytesWritten: number };
  };
  return { buffer, used: engine.bytesWritten };
}

/** The same for zlib's own formats, which say by themselves that they end too early: `isCut`. */
function inflate(
  unpacker: Unpacker,
  bytes: Uint8Array,
  most: number,
): { buffer: Uint8Array; used: number; isCut: boolean } {
  if (bytes.length === 0) return { buffer: bytes, used: 0, isCut: true };
  try {
    return { ...unpack(unpacker, bytes, most), isCut: false };
  } catch (error) {
    if (!isUnexpectedEnd(error)) throw error;
    return { ...unpack(unpacker, bytes, most, zlib.constants.Z_SYNC_FLUSH), isCut: true };
  }
}

/** zlib has not seen the end of its data. */
export function isUnexpectedEnd(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "Z_BUF_ERROR";
}

function undeflate(bytes: Uint8Array, most: number, warn: Warn | null): Uint8Array {
  const unpacker = isRawDeflate(bytes) ? zlib.inflateRawSync : zlib.inflateSync;
  const { buffer, used, isCut } = inflate(unpacker, bytes, most);
  if (isCut && warn === null) throw new Error("unexpected end of file");
  if (isCut) warn?.(cutShort("deflate"));
  else if (used < bytes.length) warn?.(goesOn("deflate", bytes.length - used));
  return buffer;
}

function gunzip(bytes: Uint8Array, most: number, warn: Warn | null): Uint8Array {
  if (warn === null) return zlib.gunzipSync(bytes, { maxOutputLength: most });
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const header = new GzipHeader(), footer = new GzipFooter();
    let at: number;
    try {
      at = header.push(bytes, start);
    } catch (error) {
      if (start === 0) throw error;
      warn(goesOn("gzip", bytes.length - start));
      break;
    }
    if (!header.complete) {
      warn(start === 0 ? cutShort("gzip") : goesOn("gzip", bytes.length - start));
      break;
    }
    if (parts.length === MAX_MEMBERS) throw new Error(`more than ${MAX_MEMBERS} members`);
    const { buffer, used, isCut } = inflate(zlib.inflateRawSync, bytes.subarray(at), most);
    most -= buffer.length;
    if (most < 0) throw tooLarge();
    parts.push(buffer);
    footer.data(buffer);
    start = footer.push(bytes, at + used);
    if (isCut || !footer.complete) warn(cutShort("gzip"));
    else if (!footer.isRight) warn(WRONG_CHECKSUM);
  }
  return parts.length === 1 ? parts[0] : concat(parts);
}

/** As zlib says it. */
function tooLarge(): Error {
  return Object.assign(new Error("more than allowed"), { code: "ERR_BUFFER_TOO_LARGE" });
}

/** Most frames in a zstd body: compressors that work in parallel make one for each megabyte or so. */
const MAX_FRAMES = 10_000;

function unzstd(bytes: Uint8Array, most: number, warn: Warn | null): Uint8Array {
  const frames = new ZstdFrames();
  const parts: Uint8Array[] = [];
  for (let start = 0, end = 0; start < bytes.length; start = end) {
    const isOther = warn !== null && start > 0 && bytes.length - start < MAGIC_BYTES;
    try {
      if (!isOther) end = frames.push(bytes, start);
    } catch (error) {
      if (start === 0 || warn === null) throw error;
    }
    if (end === start) {
      warn?.(goesOn("zstd", bytes.length - start));
      break;
    }
    if (!frames.complete) {
      if (warn === null) throw new Error("unexpected end of file");
      warn(cutShort("zstd"));
    }
    if (parts.length === MAX_FRAMES) throw new Error(`more than ${MAX_FRAMES} frames`);
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
