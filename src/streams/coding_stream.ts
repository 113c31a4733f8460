/**
 * Content codings of bodies that flow: every chunk that goes in comes out at once, so that events stay events.
 * @module
 */
import zlib from "node:zlib";
import { BROTLI_PARAMS, type Coding, codingsOf } from "./coding.ts";
import { decoder } from "./decoders.ts";
import type { StreamHook, StreamValue } from "./hook.ts";
import { BROTLI_FLUSH, ZlibTransform, ZSTD_FLUSH } from "./zlib_transform.ts";
import { pumped } from "./pumped.ts";
import { Stage } from "./stage.ts";

/** A message, as far as its coding goes. */
export interface CodedMessage {
  /** Where `content-encoding` is. */
  readonly headers: { get(name: string): string | null };
}

/**
 * Lets hooks see the plain bytes of a compressed body: undoes the message's content coding before them and
 * applies it again after them. A message without a coding goes through the hooks alone.
 *
 * @example
 * ```ts
 * import { decoded, type HttpFlow, replaceStream } from "weir";
 *
 * export function responseheaders(flow: HttpFlow) {
 *   flow.response!.stream = decoded(flow.response!, replaceStream("secret", "***"));
 * }
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

function encoder(coding: Coding): Stage {
  return pumped(function* () {
    let machine: ZlibTransform | null = null;
    try {
      for (let piece; (piece = yield null) !== null;) yield* (machine ??= compressor(coding)).write(piece);
      // An empty body has a coded form.
      yield* (machine ??= compressor(coding)).end();
    } finally {
      machine?.close();
    }
  });
}

function compressor(coding: Coding): ZlibTransform {
  if (coding === "gzip") return new ZlibTransform(zlib.createGzip());
  if (coding === "deflate") return new ZlibTransform(zlib.createDeflate());
  if (coding === "zstd") return new ZlibTransform(zlib.createZstdCompress(), ZSTD_FLUSH);
  return new ZlibTransform(zlib.createBrotliCompress({ params: BROTLI_PARAMS }), BROTLI_FLUSH);
}
