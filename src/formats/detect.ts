/**
 * Which format a file has, from its first bytes.
 * @module
 */
import type { Flow } from "../flow/flow.ts";
import { FormatError } from "./error.ts";
import { readFlowFile, type ReadOptions } from "./flow_file/mod.ts";
import { readHar, readPackedHar } from "./har/mod.ts";
import type { ByteSource } from "./input.ts";

/** mitmproxy's flow file, a HAR, or a HAR that is packed with zlib (`.zhar`) or gzip. */
export type FlowFormat = "mitmproxy" | "har" | "zhar" | "har.gz";

/** Bytes that are enough to tell. */
export const DETECT_BYTES = 64;

/** The format of what begins with these bytes, {@linkcode DETECT_BYTES} or all there are; null when it is none of them. */
export function detectFormat(start: Uint8Array): FlowFormat | null {
  const [first, second] = start;
  // A file without flows is one of mitmproxy's that nothing was written to.
  if (start.length === 0 || first >= 0x30 && first <= 0x39) return "mitmproxy";
  if (first === 0x1f && second === 0x8b) return "har.gz";
  // RFC 1950 §2.2: deflate, and a check of both bytes.
  if ((first & 0x0f) === 8 && first >> 4 <= 7 && (first * 256 + second) % 31 === 0) return "zhar";
  return /^(?:\xef\xbb\xbf)?\s*\{/.test(String.fromCharCode(...start.subarray(0, DETECT_BYTES)))
    ? "har"
    : null;
}

/**
 * The flows of a file in any format that weir knows, found out from its content.
 * @throws {FormatError} where it is broken, after all flows before that place; at byte 0 when it is none of the formats.
 */
export async function* readFlows(source: ByteSource, options: ReadOptions = {}): AsyncGenerator<Flow, void> {
  const pieces = source[Symbol.asyncIterator]();
  try {
    const start = await startOf(pieces);
    const format = detectFormat(start);
    if (format === null) {
      throw new FormatError(0, "this is neither a flow file of mitmproxy nor a HAR");
    }
    const whole = joined(start, pieces);
    if (format === "mitmproxy") yield* readFlowFile(whole, options);
    else if (format === "har") yield* readHar(whole, options);
    else yield* readPackedHar(whole, format === "zhar" ? "zlib" : "gzip", options);
  } finally {
    await pieces.return?.();
  }
}

async function startOf(pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let start = new Uint8Array();
  while (start.length < DETECT_BYTES) {
    const { done, value } = await pieces.next();
    if (done) break;
    const longer = new Uint8Array(start.length + value.length);
    longer.set(start);
    longer.set(value, start.length);
    start = longer;
  }
  return start;
}

async function* joined(
  start: Uint8Array,
  pieces: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  if (start.length > 0) yield start;
  for (let next; !(next = await pieces.next()).done;) yield next.value;
}
