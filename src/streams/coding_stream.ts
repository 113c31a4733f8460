/**
 * Content codings of bodies that flow: every chunk that goes in comes out at once, so that events stay
 * events.
 * @module
 */
import zlib from "node:zlib";
import { BROTLI_PARAMS, type Coding, codingsOf } from "./coding.ts";
import { decoder } from "./decoders.ts";
import { generated } from "./generator_hook.ts";
import type { StreamHook, StreamValue } from "./hook.ts";
import { ended, written, type ZlibTransform } from "./zlib_transform.ts";
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
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants;
  const make = (): ZlibTransform => {
    if (coding === "gzip") return zlib.createGzip({ flush: Z_SYNC_FLUSH });
    if (coding === "deflate") return zlib.createDeflate({ flush: Z_SYNC_FLUSH });
    if (coding === "zstd") return zlib.createZstdCompress({ flush: ZSTD_e_flush }) as ZlibTransform;
    return zlib.createBrotliCompress({
      flush: BROTLI_OPERATION_FLUSH,
      params: BROTLI_PARAMS,
    }) as ZlibTransform;
  };
  return generated(async function* (chunks) {
    let machine: ZlibTransform | null = null;
    try {
      for await (const chunk of chunks) yield* written(machine ??= make(), chunk);
      // An empty body has a coded form.
      yield* ended(machine ??= make());
    } finally {
      machine?.destroy();
    }
  });
}
