/**
 * The bytes of messages on their way: everything that looks at a body, changes it, slows it or keeps it.
 *
 *     body ─▶ [valve] ─▶ [limit] ─▶ [meter] ─▶ [decode] ─▶ [stages of message.stream] ─▶ [encode] ─▶ [tee] ─▶ body
 *
 * Each box is a {@linkcode Stage}: a `TransformStream` that works alone with `pipeThrough`, in its own file.
 * Underneath, a body is a pull source (`./body.ts`), and a stage is a function from body to body: stages
 * behind one another run in one pass, without a promise or a copy for each piece. Web streams are made where
 * somebody asks for them (`./stage.ts`), or gave some (`./stream_hook.ts`). Bodies that are made of events,
 * lines, messages or parts are in `units/`.
 * @module
 */
export type { Body } from "./body.ts";
export { Automaton } from "./automaton.ts";
export { bytesBody } from "./bytes_body.ts";
export { collect } from "./collect.ts";
export { bodyOf, readableOf } from "./convert.ts";
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
export { BodySlice } from "./slice.ts";
export { StoredBody, type StoredBodyOptions } from "./store.ts";
export { tee } from "./tee.ts";
export { decodeBytes, encodeBytes, MAX_DECODED } from "./coding.ts";
export { type CodedMessage, decoded, decodeStream, encodeStream } from "./coding_stream.ts";
export { type ContentStart, decodeStart } from "./decode_start.ts";
export { drop } from "./drop.ts";
export { corruptStream, cutStream, limitStream, stallStream } from "./border.ts";
export { delayStream } from "./delay.ts";
export type { HoldOptions } from "./hold.ts";
export { isThenable } from "./iterators.ts";
export { jsonStream } from "./json.ts";
export type { JsonEdits, JsonPlace } from "./json/edits.ts";
export { linesStream } from "./lines.ts";
export type { LineOutput } from "./lines/line_editor.ts";
export { countStream, type Digest, hashStream, tapStream } from "./look.ts";
export { rechunkStream } from "./rechunk.ts";
export type { MatchFunction } from "./regexp/replacer.ts";
export { Redacting, redactStream } from "./redact.ts";
export { redactBytes } from "./redact_bytes.ts";
export type { FoundSecret, SecretList, SecretReplacement } from "./redact/redaction.ts";
export { literalReplacer, type ReplaceOptions, replaceStream } from "./replace.ts";
export { ResendableBody } from "./resendable.ts";
export { saveStream } from "./save.ts";
export { removeTemporaryFiles } from "./temporary_file.ts";
export { type ThrottleOptions, throttleStream } from "./throttle.ts";
export { timedStream } from "./timed.ts";
export { type Moment, Timeline } from "./timeline.ts";
export { TokenBucket } from "./token_bucket.ts";
export { withSize } from "./sized.ts";
export { withTrailers } from "./trailed.ts";
export { Valve, valvedBody } from "./valve.ts";
export type { Replacement, Replacements } from "./replacer.ts";
export { NativeZlib } from "./native_zlib.ts";
