/**
 * The start of a body without its content codings (RFC 9110 §8.4), for who shows it: what is behind is not
 * unfolded.
 *
 * node's calls for whole bodies give nothing when there is too much, and its streams answer a turn later. So
 * the native machines are driven directly, a piece at a time (`./native_zlib.ts`).
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { WeirError } from "../errors.ts";
import { type Coding, codingsOf, isRawDeflate } from "./coding.ts";
import { NativeZlib } from "./native_zlib.ts";

/** What one step of a machine gives at most. */
const PIECE = 64 * 1024;
/** Nothing at all has no longer coded form than this, whatever the coding. */
const MAX_EMPTY = 64;
/** What the machines say of bytes with which nothing of theirs begins. */
const OTHER_HEADER = /header check|unknown frame/i;

/** The first bytes of a content. */
export interface ContentStart {
  /** As many as were asked for, or all that there are. */
  readonly bytes: Uint8Array;
  /** Nothing comes behind them. */
  readonly isWhole: boolean;
}

/**
 * The first `most` bytes of what `bytes` unfold to. No coding of several unfolds to much more than that
 * either, so that few bytes cost little whatever they are.
 *
 * @throws {TypeError} on an unknown coding, or too many.
 * @throws {WeirError} `protocol` when not even the first byte can be decoded.
 */
export function decodeStart(bytes: Uint8Array, contentEncoding: string | null, most: number): ContentStart {
  const codings = codingsOf(contentEncoding).reverse();
  if (codings.length === 0 || bytes.length === 0) {
    return { bytes: bytes.subarray(0, most), isWhole: bytes.length <= most };
  }
  const progress = { isCut: false };
  let pieces: Iterable<Uint8Array> = [bytes];
  for (const coding of codings) pieces = unfold(pieces, coding, most + PIECE, progress);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (const piece of pieces) {
      const part = piece.slice(0, most - size);
      parts.push(part);
      size += part.length;
      if (part.length < piece.length) return { bytes: concat(parts), isWhole: false };
    }
  } catch (error) {
    if (size === 0) throw error;
    progress.isCut = true;
  }
  // Deno's brotli decoder stops without a word where data is broken.
  if (size === 0 && bytes.length > MAX_EMPTY) {
    throw new WeirError(
      "weir",
      "protocol",
      `The body is no valid ${contentEncoding}: nothing comes out of it.`,
    );
  }
  return { bytes: concat(parts), isWhole: !progress.isCut };
}

/**
 * What comes out of one coding: views that are valid until the next. Ends, and says so, after `most` bytes.
 */
function* unfold(
  pieces: Iterable<Uint8Array>,
  coding: Coding,
  most: number,
  progress: { isCut: boolean },
): Generator<Uint8Array, void> {
  const output = new Uint8Array(PIECE);
  let machine: NativeZlib | null = null;
  let total = 0;
  let hasEnded = false;
  try {
    for (const piece of pieces) {
      machine ??= new NativeZlib(machineFor(coding, piece), output);
      for (let at = 0, isAgain = false; !hasEnded;) {
        const unfolded = machine.step(piece, at), { failed } = machine;
        const isStuck = machine.at === at && unfolded.length === 0;
        at = machine.at;
        if (unfolded.length > 0) {
          total += unfolded.length;
          yield unfolded;
          if (total >= most) {
            progress.isCut = true;
            return;
          }
        }
        if (failed !== null) {
          // Bytes behind a whole member or frame that begin no other one are no part of the body (RFC 1952
          // §2.2).
          if (total > 0 && OTHER_HEADER.test(failed)) return;
          throw new WeirError("weir", "protocol", `The body is no valid ${coding}: ${failed}.`);
        }
        if (machine.isFull) continue;
        if (at === piece.length) break;
        // It has ended before its input has: another member or frame follows, or what is no part of it.
        if (isStuck && isAgain) hasEnded = true;
        else machine.reset();
        isAgain = true;
      }
    }
  } finally {
    machine?.close();
  }
}

function machineFor(coding: Coding, first: Uint8Array): zlib.Zlib {
  const make = {
    gzip: () => zlib.createGunzip(),
    deflate: () => isRawDeflate(first) ? zlib.createInflateRaw() : zlib.createInflate(),
    br: () => zlib.createBrotliDecompress(),
    zstd: () => zlib.createZstdDecompress(),
  };
  return make[coding]();
}
