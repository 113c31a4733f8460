/**
 * mitmproxy's flow files: versions 14 to 21 are read, 17 is written.
 * @module
 */
export { versionOf } from "./decode.ts";
export { type EncodedFlow, encodeFlow, encodeMessage, type EncodeOptions } from "./encode.ts";
export { readFlowFile, type ReadOptions } from "./read.ts";
export { type RandomSource, scanFlowFile, type WholeFlows } from "./scan.ts";
