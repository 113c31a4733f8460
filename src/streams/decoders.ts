/**
 * Content codings undone while a body flows (RFC 9110 §8.4.1): every chunk that goes in comes out at once.
 * What browsers and curl can read is read as they do, and as `decodeBytes` does with whole bodies: cut short,
 * without its checksum, or with other bytes behind it. That is for bodies that end; one that the wire has cut
 * stays cut.
 * @module
 */
import { concat } from "@std/bytes";
import zlib from "node:zlib";
import { AFTER_BROTLI, type Coding, EMPTY_BROTLI, isRawDeflate, isUnexpectedEnd } from "./coding.ts";
import { generated } from "./generator_hook.ts";
import { cutShort, goesOn, GzipFooter, GzipHeader, MAX_MEMBERS, type Warn, WRONG_CHECKSUM } from "./gzip.ts";
import { ended, written, type ZlibTransform } from "./zlib_transform.ts";
import { Stage } from "./stage.ts";
import { MAGIC_BYTES, ZstdFrames } from "./zstd_frames.ts";

type Chunks = AsyncIterable<Uint8Array>;
type Decoder = (chunks: Chunks, warn: Warn) => AsyncGenerator<Uint8Array, void>;

const DECODERS: Readonly<Record<Coding, Decoder>> = {
  gzip: gunzip,
  deflate: inflate,
  br: unbrotli,
  zstd: unzstd,
};

/** A stage that undoes one coding. */
export function decoder(coding: Coding): Stage {
  return new Stage((source, onFault, warn) =>
    generated((chunks) => DECODERS[coding](chunks, warn)).through(source, onFault, warn)
  );
}

async function* gunzip(chunks: Chunks, warn: Warn): AsyncGenerator<Uint8Array, void> {
  let header = new GzipHeader(), footer = new GzipFooter();
  /** Of the member whose data comes. */
  let machine: ZlibTransform | null = null;
  let members = 0, behind = 0;
  try {
    for await (const chunk of chunks) {
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
          machine = zlib.createInflateRaw();
        } else if (machine !== null) {
          const part = chunk.subarray(at), before = machine.bytesWritten;
          for await (const piece of written(machine, part)) {
            footer.data(piece);
            yield piece;
          }
          const used = machine.bytesWritten - before;
          at += used;
          if (used === part.length) continue;
          machine.destroy();
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
    machine?.destroy();
  }
}

async function* inflate(chunks: Chunks, warn: Warn): AsyncGenerator<Uint8Array, void> {
  let machine: ZlibTransform | null = null;
  /** What came before it was known which format it is. */
  let start: Uint8Array = new Uint8Array(0);
  let behind = 0;
  const make = () => isRawDeflate(start) ? zlib.createInflateRaw() : zlib.createInflate();
  try {
    for await (const chunk of chunks) {
      let part: Uint8Array = chunk;
      if (machine === null) {
        part = start = concat([start, chunk]);
        if (start.length < 2) continue;
        machine = make();
      }
      const before = machine.bytesWritten;
      if (behind === 0) yield* written(machine, part);
      behind += part.length - (machine.bytesWritten - before);
    }
    if (start.length === 0) return;
    if (machine === null) {
      machine = make();
      yield* written(machine, start);
    }
    if (behind > 0) return warn(goesOn("deflate", behind));
    try {
      yield* ended(machine);
    } catch (error) {
      if (!isUnexpectedEnd(error)) throw error;
      warn(cutShort("deflate"));
    }
  } finally {
    machine?.destroy();
  }
}

async function* unbrotli(chunks: Chunks, warn: Warn): AsyncGenerator<Uint8Array, void> {
  let machine: ZlibTransform | null = null;
  let total = 0, behind = 0, unfolded = 0;
  try {
    for await (const chunk of chunks) {
      machine ??= zlib.createBrotliDecompress() as ZlibTransform;
      total += chunk.length;
      const before = machine.bytesWritten;
      if (behind === 0) {
        for await (const piece of written(machine, chunk)) {
          unfolded += piece.length;
          yield piece;
        }
      }
      behind += chunk.length - (machine.bytesWritten - before);
    }
    if (machine === null) return;
    if (behind === 0 && await readsOn(machine, total)) return warn(cutShort("br"));
    // Where the data is broken, Deno's decoder stops and gives nothing, without an error.
    if (unfolded === 0 && total > EMPTY_BROTLI) throw new Error("invalid data");
    if (behind > 0) warn(goesOn("br", behind));
  } finally {
    machine?.destroy();
  }
}

/**
 * Whether the decoder has not seen the end of its `total` bytes: whatever it makes of one that is not theirs.
 */
async function readsOn(machine: ZlibTransform, total: number): Promise<boolean> {
  try {
    for await (const _ of written(machine, AFTER_BROTLI));
  } catch {
    return true;
  }
  return machine.bytesWritten > total;
}

async function* unzstd(chunks: Chunks, warn: Warn): AsyncGenerator<Uint8Array, void> {
  const frames = new ZstdFrames();
  let machine: ZlibTransform | null = null;
  /** Behind a whole frame: too little to know whether it begins another one. */
  let held: Uint8Array = new Uint8Array(0);
  let isWhole = false, behind = 0;
  try {
    for await (const chunk of chunks) {
      if (behind > 0) {
        behind += chunk.length;
        continue;
      }
      machine ??= zlib.createZstdDecompress() as ZlibTransform;
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
        yield* written(machine, bytes.subarray(at, end));
        isWhole ||= frames.complete;
      }
    }
    if (behind + held.length > 0) warn(goesOn("zstd", behind + held.length));
    else if (!frames.complete) warn(cutShort("zstd"));
  } finally {
    machine?.destroy();
  }
}
