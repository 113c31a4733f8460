/**
 * Content codings of bodies that flow: every chunk that goes in comes out at once, so that events stay events.
 * @module
 */
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { AFTER_BROTLI, BROTLI_PARAMS, type Coding, codingsOf, isRawDeflate } from "./coding.ts";
import { generated } from "./generator_hook.ts";
import type { StreamHook, StreamValue } from "./hook.ts";
import { Stage } from "./stage.ts";
import { ZstdFrames } from "./zstd_frames.ts";

/** A message, as far as its coding goes. */
export interface CodedMessage {
  /** Where `content-encoding` is. */
  readonly headers: { get(name: string): string | null };
}

/**
 * Lets hooks see the plain bytes of a compressed body: undoes the message's content coding before them and applies it again
 * after them. A message without a coding goes through the hooks alone.
 *
 * ```ts
 * flow.response.stream = decoded(flow.response, replaceStream("secret", "***"));
 * ```
 *
 * @throws {TypeError} on a content coding that weir does not know.
 */
export function decoded(message: CodedMessage, ...hooks: StreamHook[]): StreamValue {
  const contentEncoding = message.headers.get("content-encoding");
  if (codingsOf(contentEncoding).length === 0) return hooks;
  return [decodeStream(contentEncoding), ...hooks, encodeStream(contentEncoding)];
}

/** A stage that undoes `contentEncoding`. @throws {TypeError} on an unknown coding. */
export function decodeStream(contentEncoding: string | null): Stage {
  return chain(codingsOf(contentEncoding).reverse().map(decoder));
}

/** A stage that applies `contentEncoding`. @throws {TypeError} on an unknown coding. */
export function encodeStream(contentEncoding: string | null): Stage {
  return chain(codingsOf(contentEncoding).map(encoder));
}

function chain(stages: Stage[]): Stage {
  return stages.length === 1
    ? stages[0]
    : new Stage((source, onFault, warn) =>
      stages.reduce((body, stage) => stage.through(body, onFault, warn), source)
    );
}

/** One of node's transforms. */
type Machine = zlib.Zlib & Transform;

/** How a coding is done by a machine. */
interface Transcoder {
  /** Makes the machine when the first bytes are there. */
  make(first: Uint8Array): Machine;
  /** True when an empty body has a coded form, so that the machine is made also without any bytes. */
  codesEmpty?: boolean;
  /** Cuts a chunk into the parts that the machine wants one by one. */
  split?(chunk: Uint8Array): Iterable<Uint8Array>;
  /** What is written behind the last byte to have the machine look at the end. */
  after?: Uint8Array;
  /** Throws when the `total` bytes that were written cannot be all. */
  checkEnd?(machine: Machine, total: number): void;
}

function decoder(coding: Coding): Stage {
  if (coding === "gzip") return transcoded({ make: () => zlib.createGunzip() });
  if (coding === "deflate") {
    return transcoded({
      make: (first) => isRawDeflate(first[0]) ? zlib.createInflateRaw() : zlib.createInflate(),
    });
  }
  if (coding === "br") {
    return transcoded({
      make: () => zlib.createBrotliDecompress(),
      after: AFTER_BROTLI,
      checkEnd(machine, total) {
        if (machine.bytesWritten > total) throw new Error("unexpected end of file");
      },
    });
  }
  const frames = new ZstdFrames();
  return transcoded({
    make: () => zlib.createZstdDecompress(),
    *split(chunk) {
      for (let start = 0, end = 0; start < chunk.length; start = end) {
        end = frames.push(chunk, start);
        yield chunk.subarray(start, end);
      }
    },
    checkEnd() {
      if (!frames.complete) throw new Error("unexpected end of file");
    },
  });
}

function encoder(coding: Coding): Stage {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants;
  return transcoded({
    make() {
      if (coding === "gzip") return zlib.createGzip({ flush: Z_SYNC_FLUSH });
      if (coding === "deflate") return zlib.createDeflate({ flush: Z_SYNC_FLUSH });
      if (coding === "zstd") return zlib.createZstdCompress({ flush: ZSTD_e_flush });
      return zlib.createBrotliCompress({ flush: BROTLI_OPERATION_FLUSH, params: BROTLI_PARAMS });
    },
    codesEmpty: true,
  });
}

/** A machine as a stage. It is read only on demand, so that a chunk that unfolds to gigabytes waits inside zlib. */
function transcoded({ make, codesEmpty, split, after, checkEnd }: Transcoder): Stage {
  return generated(async function* (chunks) {
    let machine: Machine | null = null;
    let total = 0;
    try {
      for await (const chunk of chunks) {
        machine ??= make(chunk);
        total += chunk.length;
        for (const part of split?.(chunk) ?? [chunk]) {
          yield* output(machine, (machine, done) => machine.write(part, done));
        }
      }
      if (codesEmpty) machine ??= make(new Uint8Array(0));
      if (machine === null) return;
      if (after !== undefined) yield* output(machine, (machine, done) => machine.write(after, done));
      checkEnd?.(machine, total);
      yield* output(machine, (machine, done) => machine.once("end", done).end());
    } finally {
      machine?.destroy();
    }
  });
}

/** What comes out while the machine works on something. */
async function* output(
  machine: Machine,
  work: (machine: Machine, done: (error?: Error | null) => void) => void,
): AsyncGenerator<Uint8Array, void> {
  let isDone = false;
  let failure: Error | null = null;
  let changed = Promise.withResolvers<void>();
  const done = (error?: Error | null) => {
    isDone = true;
    failure ??= error ?? null;
    changed.resolve();
  };
  const readable = () => changed.resolve();
  machine.on("readable", readable).on("error", done);
  try {
    work(machine, done);
    for (;;) {
      for (let piece: Uint8Array | null; (piece = machine.read()) !== null;) {
        yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      }
      if (failure !== null) throw failure;
      if (isDone || machine.readableEnded) return;
      await changed.promise;
      changed = Promise.withResolvers();
    }
  } finally {
    machine.off("readable", readable).off("error", done);
  }
}
