/**
 * HAR 1.2: written so that it is whole after every flow, read as others write it.
 * @module
 */
export { harEntry } from "./entry.ts";
export { readHar, readPackedHar } from "./read.ts";
export type {
  Har,
  HarContent,
  HarCookie,
  HarEntry,
  HarEventSourceMessage,
  HarPair,
  HarRequest,
  HarResponse,
  HarTimings,
  HarWebSocketMessage,
} from "./types.ts";
export {
  type GrowingHar,
  type HarWrite,
  type HarWriter,
  PlainHarWriter,
  toHar,
  ZlibHarWriter,
} from "./write.ts";
