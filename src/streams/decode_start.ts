/**
 * The start of a body without its content codings (RFC 9110 §8.4), for who shows it: what is behind is not unfolded.
 *
 * node's calls for whole bodies give nothing when there is too much, and its streams answer a turn later. So the native
 * machines are driven directly, a piece at a time, as those of permessage-deflate are (`src/websocket/deflate.ts`).
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { messageOf, WeirError } from "../errors.ts";
import { type Coding, codingsOf, isRawDeflate } from "./coding.ts";

/** What one step of a machine gives at most. */
const PIECE = 64 * 1024;
/** Nothing at all has no longer coded form than this, whatever the coding. */
const LARGEST_EMPTY = 64;
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
 * The first `most` bytes of what `bytes` unfold to. No coding of several unfolds to much more than that either, so that few
 * bytes cost little whatever they are.
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
  if (size === 0 && bytes.length > LARGEST_EMPTY) {
    throw new WeirError(
      "weir",
      "protocol",
      `The body is no valid ${contentEncoding}: nothing comes out of it.`,
    );
  }
  return { bytes: concat(parts), isWhole: !progress.isCut };
}

/** The part of a zlib stream that is used: node's own internals, which Deno has too. */
interface Native {
  readonly _handle: {
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void;
    onerror: (message: string) => void;
  };
  /** Set by `writeSync`: bytes left free in the output, bytes left over of the input. */
  readonly _writeState: Uint32Array;
  reset(): void;
  close(): void;
}

/** What comes out of one coding: views that are valid until the next. Ends, and says so, after `most` bytes. */
function* unfold(
  pieces: Iterable<Uint8Array>,
  coding: Coding,
  most: number,
  progress: { isCut: boolean },
): Generator<Uint8Array, void> {
  const output = new Uint8Array(PIECE);
  let machine: Native | null = null;
  let failed: string | null = null;
  let total = 0;
  let hasEnded = false;
  try {
    for (const piece of pieces) {
      if (machine === null) {
        machine = machineFor(coding, piece);
        machine._handle.onerror = (message) => failed = message;
      }
      for (let at = 0, isAgain = false; !hasEnded;) {
        machine._writeState[0] = PIECE;
        try {
          machine._handle.writeSync(
            zlib.constants.Z_SYNC_FLUSH,
            piece,
            at,
            piece.length - at,
            output,
            0,
            PIECE,
          );
        } catch (error) {
          failed = messageOf(error);
        }
        const [free, left] = machine._writeState;
        const isStuck = piece.length - left === at && free === PIECE;
        at = piece.length - left;
        if (free < PIECE) {
          total += PIECE - free;
          yield output.subarray(0, PIECE - free);
          if (total >= most) {
            progress.isCut = true;
            return;
          }
        }
        if (failed !== null) {
          // Bytes behind a whole member or frame that begin no other one are no part of the body (RFC 1952 §2.2).
          if (total > 0 && OTHER_HEADER.test(failed)) return;
          throw new WeirError("weir", "protocol", `The body is no valid ${coding}: ${failed}.`);
        }
        if (free === 0) continue;
        if (left === 0) break;
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

function machineFor(coding: Coding, first: Uint8Array): Native {
  const make = {
    gzip: () => zlib.createGunzip(),
    deflate: () => isRawDeflate(first) ? zlib.createInflateRaw() : zlib.createInflate(),
    br: () => zlib.createBrotliDecompress(),
    zstd: () => zlib.createZstdDecompress(),
  };
  return make[coding]() as unknown as Native;
}
