/**
 * tnetstrings: the syntax of mitmproxy's flow files.
 * @module
 */
export { MAX_DIGITS, parsePrefix, type Prefix } from "./parse.ts";
export { type LongValue, TnetstringReader } from "./reader.ts";
export { ByteString, type Dict, nameOf, type Value } from "./value.ts";
export { bool, bytes, dict, float, int, json, list, NULL, Pieces, type Raw, sizeOf, text } from "./write.ts";
