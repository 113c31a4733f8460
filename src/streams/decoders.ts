/**
 * Content codings undone while a body flows (RFC 9110 §8.4.1): every chunk that goes in comes out at once. What browsers and
 * curl can read is read as they do, and as `decodeBytes` does with whole bodies: cut short, without its checksum, or with
 * other bytes behind it. That is for bodies that end; one that the wire has cut stays cut.
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { AFTER_BROTLI, type Coding, EMPTY_BROTLI, isRawDeflate } from "./coding.ts";
import { cutShort, goesOn, GzipFooter, GzipHeader, MAX_MEMBERS, type Warn, WRONG_CHECKSUM } from "./gzip.ts";
import { BROTLI_FLUSH, ZlibTransform, ZSTD_FLUSH } from "./zlib_transform.ts";
import { type Pump, pumped } from "./pumped.ts";
import type { Stage } from "./stage.ts";
import { MAGIC_BYTES, ZstdFrames } from "./zstd_frames.ts";

const DECODERS: Readonly<Record<Coding, (warn: Warn) => Pump>> = {
  gzip: gunzip,
  deflate: inflate,
  br: unbrotli,
  zstd: unzstd,
};

/** A stage that undoes one coding. */
export function decoder(coding: Coding): Stage {
  return pumped(DECODERS[coding]);
}

function* gunzip(warn: Warn): Pump {
  let header = new GzipHeader(), footer = new GzipFooter();
  /** Of the member whose data comes. */
  let machine: ZlibTransform | null = null;
  let members = 0, behind = 0;
  try {
    for (let chunk; (chunk = yield null) !== null;) {
      for (let at = 0; at < chunk.length;) {
        if (behind > 0) {
          behind += chunk.length - at;
          break;
        }
        if (!header.complete) {
          const before = header.length;
          try {
            at = header.push(chunk, at);
          } catch (error) {
            if (members === 0) throw error;
            behind = header.length;
            at += header.length - before;
          }
          if (!header.complete) continue;
          if (++members > MAX_MEMBERS) throw new Error(`more than ${MAX_MEMBERS} members`);
          machine = new ZlibTransform(zlib.createInflateRaw());
        } else if (machine !== null) {
          const part = chunk.subarray(at), before = machine.used;
          for (const piece of machine.write(part)) {
            footer.data(piece);
            yield piece;
          }
          const used = machine.used - before;
          at += used;
          if (used === part.length) continue;
          machine.close();
          machine = null;
        } else {
          at = footer.push(chunk, at);
          if (!footer.complete) continue;
          if (!footer.isRight) warn(WRONG_CHECKSUM);
          header = new GzipHeader();
          footer = new GzipFooter();
        }
      }
    }
    const isBegun = header.length > 0;
    if (behind > 0 || isBegun && !header.complete && members > 0) {
      warn(goesOn("gzip", behind || header.length));
    } else if (isBegun) warn(cutShort("gzip"));
  } finally {
    machine?.close();
  }
}

function* inflate(warn: Warn): Pump {
  let machine: ZlibTransform | null = null;
  /** What came before it was known which format it is. */
  let start: Uint8Array = new Uint8Array(0);
  let behind = 0;
  const make = () => new ZlibTransform(isRawDeflate(start) ? zlib.createInflateRaw() : zlib.createInflate());
  try {
    for (let chunk; (chunk = yield null) !== null;) {
      let part = chunk;
      if (machine === null) {
        part = start = concat([start, chunk]);
        if (start.length < 2) continue;
        machine = make();
      }
      const before = machine.used;
      if (behind === 0) yield* machine.write(part);
      behind += part.length - (machine.used - before);
    }
    if (start.length === 0) return;
    if (machine === null) {
      machine = make();
      yield* machine.write(start);
    }
    if (behind > 0) warn(goesOn("deflate", behind));
    else if (readsOn(machine)) warn(cutShort("deflate"));
  } finally {
    machine?.close();
  }
}

function* unbrotli(warn: Warn): Pump {
  let machine: ZlibTransform | null = null;
  let total = 0, behind = 0, unfolded = 0;
  try {
    for (let chunk; (chunk = yield null) !== null;) {
      machine ??= new ZlibTransform(zlib.createBrotliDecompress(), BROTLI_FLUSH);
      total += chunk.length;
      const before = machine.used;
      if (behind === 0) {
        for (const piece of machine.write(chunk)) {
          unfolded += piece.length;
          yield piece;
        }
      }
      behind += chunk.length - (machine.used - before);
    }
    if (machine === null) return;
    if (behind === 0 && readsOn(machine)) return warn(cutShort("br"));
    // Where the data is broken, Deno's decoder stops and gives nothing, without an error.
    if (unfolded === 0 && total > EMPTY_BROTLI) throw new Error("invalid data");
    if (behind > 0) warn(goesOn("br", behind));
  } finally {
    machine?.close();
  }
}

/** Whether a decoder has not seen the end of its data: whatever it makes of a byte that is not its own. */
function readsOn(machine: ZlibTransform): boolean {
  const before = machine.used;
  try {
    for (const _ of machine.write(AFTER_BROTLI));
  } catch {
    return true;
  }
  return machine.used > before;
}

function* unzstd(warn: Warn): Pump {
  const frames = new ZstdFrames();
  let machine: ZlibTransform | null = null;
  /** Behind a whole frame: too little to know whether it begins another one. */
  let held: Uint8Array = new Uint8Array(0);
  let isWhole = false, behind = 0;
  try {
    for (let chunk; (chunk = yield null) !== null;) {
      if (behind > 0) {
        behind += chunk.length;
        continue;
      }
      machine ??= new ZlibTransform(zlib.createZstdDecompress(), ZSTD_FLUSH);
      const bytes: Uint8Array = held.length === 0 ? chunk : concat([held, chunk]);
      held = new Uint8Array(0);
      for (let at = 0, end = 0; at < bytes.length; at = end) {
        if (isWhole && frames.complete && bytes.length - at < MAGIC_BYTES) {
          held = bytes.slice(at);
          break;
        }
        try {
          end = frames.push(bytes, at);
        } catch (error) {
          if (!isWhole) throw error;
          behind = bytes.length - at;
          break;
        }
        yield* machine.write(bytes.subarray(at, end));
        isWhole ||= frames.complete;
      }
    }
    if (behind + held.length > 0) warn(goesOn("zstd", behind + held.length));
    else if (!frames.complete) warn(cutShort("zstd"));
  } finally {
    machine?.close();
  }
}
