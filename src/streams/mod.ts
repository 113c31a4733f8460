/**
 * The bytes of messages on their way: everything that looks at a body, changes it or keeps it.
 *
 * The plan differs from the sketch in the house rules in one point: the boxes between parser and serialiser are `Body` values
 * (see `./body.ts`), pulled without a promise where the bytes are there, and web streams are made only where an addon gave one
 * or is given one. That a hook's chunks may be 4096 bytes small is then affordable.
 * @module
 */
export type { Body } from "./body.ts";
export { bytesBody, joinedBody, type KeptPiece } from "./bytes_body.ts";
export { collect, type Collected, type CollectLimits } from "./collect.ts";
export { bodyOf, type BodyOptions, readableOf } from "./convert.ts";
export {
  checkStreamValue,
  type ChunkHook,
  type ChunkOutput,
  type GeneratorHook,
  type HookFunction,
  piped,
  type StagePair,
  stagesOf,
  type StreamHook,
  type StreamValue,
} from "./hook.ts";
export { asBytes, type BytesLike, EMPTY, nameOf } from "./bytes.ts";
export type { Chunk } from "./split.ts";
export type { StreamPair } from "./stream_hook.ts";
export { limit, observe, type Observer } from "./observe.ts";
export { Stage } from "./stage.ts";
export { StoredBody, type StoredBodyOptions } from "./store.ts";
export { tee } from "./tee.ts";
export { decodeBytes, encodeBytes, MOST_DECODED } from "./coding.ts";
export { type CodedMessage, decoded, decodeStream, encodeStream } from "./coding_stream.ts";
export { type ContentStart, decodeStart } from "./decode_start.ts";
export { drop } from "./drop.ts";
export { cutStream, limitStream, stallStream } from "./border.ts";
export { delayStream } from "./delay.ts";
export type { HoldOptions } from "./hold.ts";
export { isThenable } from "./iterators.ts";
export { type LineOutput, linesStream } from "./lines.ts";
export { countStream, type Digest, hashStream, tapStream } from "./look.ts";
export { rechunkStream } from "./rechunk.ts";
export type { MatchFunction } from "./regexp/replacer.ts";
export { redactStream } from "./redact.ts";
export { redactBytes } from "./redact_bytes.ts";
export type { FoundSecret, SecretList, SecretReplacement } from "./redact/redaction.ts";
export { replaceStream } from "./replace.ts";
export { ResendableBody } from "./resendable.ts";
export { saveStream } from "./save.ts";
export { removeTemporaryFiles } from "./temporary_file.ts";
export { type ThrottleOptions, throttleStream } from "./throttle.ts";
export { timedStream } from "./timed.ts";
export { type Moment, Timeline } from "./timeline.ts";
export { TokenBucket } from "./token_bucket.ts";
export { withTrailers } from "./trailed.ts";
export { Valve, ValveBody } from "./valve.ts";
export type { Replacement, Replacements } from "./replacer.ts";
