/**
 * Single flows for other tools: commands, code, bytes.
 * @module
 */
export { toCurl } from "./curl.ts";
export { toFetch } from "./fetch.ts";
export { toHttpie } from "./httpie.ts";
export { type RawPart, toRaw } from "./raw.ts";
