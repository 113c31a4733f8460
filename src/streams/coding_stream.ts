/**
 * Content codings of bodies that flow: every chunk that goes in comes out at once, so that events stay events.
 * @module
 */
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { AFTER_BROTLI, BROTLI_PARAMS, type Coding, codingsOf, isRawDeflate } from "./coding.ts";
import type { StreamHook, StreamValue } from "./hook.ts";
import type { StreamPair } from "./stream_hook.ts";
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

/** A pair of streams that undoes `contentEncoding`. @throws {TypeError} on an unknown coding. */
export function decodeStream(contentEncoding: string | null): StreamPair {
  return chain(codingsOf(contentEncoding).reverse().map(decoder));
}

/** A pair of streams that applies `contentEncoding`. @throws {TypeError} on an unknown coding. */
export function encodeStream(contentEncoding: string | null): StreamPair {
  return chain(codingsOf(contentEncoding).map(encoder));
}

function chain(pairs: StreamPair[]): StreamPair {
  return pairs.reduce((before, pair) => ({
    writable: before.writable,
    readable: (before.readable as ReadableStream<Uint8Array>).pipeThrough(pair),
  }), pairs.shift() ?? new TransformStream<Uint8Array, Uint8Array>());
}

/** How a coding is done by one of Node's transforms. */
interface Transcoder {
  /** Makes the transform when the first bytes are there. */
  make(first: Uint8Array): zlib.Zlib & Transform;
  /** True when an empty body has a coded form, so that the transform is made also without any bytes. */
  codesEmpty?: boolean;
  /** Cuts a chunk into the parts that the transform wants one by one. */
  split?(chunk: Uint8Array): Iterable<Uint8Array>;
  /** Rejects when the `total` bytes that were written cannot be all. */
  checkEnd?(transform: zlib.Zlib & Transform, total: number): Promise<void> | void;
}

function decoder(coding: Coding): StreamPair {
  if (coding === "gzip") return pairOf({ make: () => zlib.createGunzip() });
  if (coding === "deflate") {
    return pairOf({
      make: (first) => isRawDeflate(first[0]) ? zlib.createInflateRaw() : zlib.createInflate(),
    });
  }
  if (coding === "br") {
    return pairOf({
      make: () => zlib.createBrotliDecompress(),
      async checkEnd(transform, total) {
        await write(transform, AFTER_BROTLI);
        if (transform.bytesWritten > total) throw new Error("unexpected end of file");
      },
    });
  }
  const frames = new ZstdFrames();
  return pairOf({
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

function encoder(coding: Coding): StreamPair {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants;
  return pairOf({
    make() {
      if (coding === "gzip") return zlib.createGzip({ flush: Z_SYNC_FLUSH });
      if (coding === "deflate") return zlib.createDeflate({ flush: Z_SYNC_FLUSH });
      if (coding === "zstd") return zlib.createZstdCompress({ flush: ZSTD_e_flush });
      return zlib.createBrotliCompress({ flush: BROTLI_OPERATION_FLUSH, params: BROTLI_PARAMS });
    },
    codesEmpty: true,
  });
}

/**
 * A Node transform as a pair of web streams. It is read only on demand, so that a chunk that unfolds to gigabytes waits inside
 * zlib.
 */
function pairOf(transcoder: Transcoder): StreamPair {
  const started = Promise.withResolvers<Transform | null>();
  let transform: (zlib.Zlib & Transform) | null = null;
  let total = 0;
  let reading: ReadableStreamDefaultController<Uint8Array>;
  let writing: WritableStreamDefaultController;
  const fail = (error: unknown) => {
    reading.error(error);
    writing.error(error);
  };
  const start = (first: Uint8Array) => {
    transform = transcoder.make(first);
    transform.on("error", fail);
    started.resolve(transform);
    return transform;
  };
  const stop = () => {
    transform?.destroy();
    started.resolve(null);
  };
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => void (reading = controller),
    async pull(controller) {
      const source = await started.promise;
      const piece = source === null ? null : await read(source);
      if (piece === null) controller.close();
      else controller.enqueue(piece);
    },
    cancel(reason) {
      writing.error(reason);
      stop();
    },
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    start: (controller) => void (writing = controller),
    async write(chunk) {
      if (chunk.length === 0) return;
      const target = transform ?? start(chunk);
      total += chunk.length;
      try {
        for (const part of transcoder.split?.(chunk) ?? [chunk]) await write(target, part);
      } catch (error) {
        fail(error);
        stop();
      }
    },
    async close() {
      if (transform === null && transcoder.codesEmpty) start(new Uint8Array(0));
      if (transform === null) return stop();
      try {
        await transcoder.checkEnd?.(transform, total);
        transform.end();
      } catch (error) {
        fail(error);
        stop();
      }
    },
    abort(reason) {
      reading.error(reason);
      stop();
    },
  });
  return { readable, writable };
}

/** Resolves when the transform has worked on all of `chunk`, which it does not before what came out was read. */
function write(transform: Transform, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    transform.write(chunk, (error) => error ? reject(error) : resolve());
  });
}

/** What has come out, when there is something; null at the end. */
async function read(transform: Transform): Promise<Uint8Array | null> {
  for (;;) {
    if (transform.errored) throw transform.errored;
    const piece: Uint8Array | null = transform.read();
    if (piece !== null) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    if (transform.readableEnded || transform.destroyed) return null;
    await changed(transform);
  }
}

function changed(transform: Transform): Promise<void> {
  const events = ["readable", "end", "error", "close"];
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) transform.off(event, done);
      resolve();
    };
    for (const event of events) transform.on(event, done);
  });
}
