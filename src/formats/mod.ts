/**
 * Flows in files: mitmproxy's flow file and HAR, there and back, and exports of single flows. Bytes or streams in, flows out,
 * and back: no files and no sockets (long bodies are {@linkcode StoredBody}s).
 * @module
 */
export { FormatError } from "./error.ts";
export type { ByteSource } from "./input.ts";
export {
  type EncodedFlow,
  encodeFlow,
  encodeMessage,
  type EncodeOptions,
  type RandomSource,
  readFlowFile,
  type ReadOptions,
  scanFlowFile,
  type WholeFlows,
} from "./flow_file/mod.ts";
export { DETECT_BYTES, detectFormat, type FlowFormat, readFlows } from "./detect.ts";
export {
  type GrowingHar,
  type Har,
  type HarContent,
  type HarCookie,
  type HarEntry,
  harEntry,
  type HarEventSourceMessage,
  type HarPair,
  type HarRequest,
  type HarResponse,
  type HarTimings,
  type HarWebSocketMessage,
  type HarWrite,
  type HarWriter,
  PlainHarWriter,
  readHar,
  readPackedHar,
  toHar,
  ZlibHarWriter,
} from "./har/mod.ts";
export { type RawPart, toCurl, toFetch, toHttpie, toRaw } from "./export/mod.ts";
