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
