/**
 * Frames (RFC 9113 §4.1, §6): types, flags, and what makes each of them valid, as a table.
 * @module
 */
import { Code, ConnectionError } from "./errors.ts";

/** RFC 9113 §6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const Flag = {
  /** DATA, HEADERS. */
  END_STREAM: 0x1,
  /** SETTINGS, PING. */
  ACK: 0x1,
  /** HEADERS, PUSH_PROMISE, CONTINUATION. */
  END_HEADERS: 0x4,
  /** DATA, HEADERS, PUSH_PROMISE. */
  PADDED: 0x8,
  /** HEADERS. */
  PRIORITY: 0x20,
} as const;

/** §4.1: length (3), type, flags, stream identifier (4). */
export const FRAME_HEADER = 9;
/** §6.5.2: SETTINGS_MAX_FRAME_SIZE unless said otherwise. weir asks for no more and sends no more: small frames are fair. */
export const MAX_FRAME_SIZE = 16_384;
/** §3.4: what a client sends first. */
export const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What is right for one frame type. */
interface FrameRule {
  readonly name: string;
  /** Belongs to a stream, to the connection (identifier 0), or may be either. */
  readonly on: "stream" | "connection" | "either";
  /** Payload lengths: at least, at most, and a multiple of. */
  readonly min: number;
  readonly max: number;
  readonly unit: number;
}

/** By type. The sections are those of RFC 9113. */
const RULES: readonly FrameRule[] = [
  { name: "DATA", on: "stream", min: 0, max: MAX_FRAME_SIZE, unit: 1 }, // §6.1
  { name: "HEADERS", on: "stream", min: 0, max: MAX_FRAME_SIZE, unit: 1 }, // §6.2
  { name: "PRIORITY", on: "stream", min: 5, max: 5, unit: 1 }, // §6.3
  { name: "RST_STREAM", on: "stream", min: 4, max: 4, unit: 1 }, // §6.4
  { name: "SETTINGS", on: "connection", min: 0, max: MAX_FRAME_SIZE, unit: 6 }, // §6.5
  { name: "PUSH_PROMISE", on: "stream", min: 4, max: MAX_FRAME_SIZE, unit: 1 }, // §6.6
  { name: "PING", on: "connection", min: 8, max: 8, unit: 1 }, // §6.7
  { name: "GOAWAY", on: "connection", min: 8, max: MAX_FRAME_SIZE, unit: 1 }, // §6.8
  { name: "WINDOW_UPDATE", on: "either", min: 4, max: 4, unit: 1 }, // §6.9
  { name: "CONTINUATION", on: "stream", min: 0, max: MAX_FRAME_SIZE, unit: 1 }, // §6.10
];

/**
 * Checks what can be said of a frame by its header alone. Unknown types pass (§5.5: they are ignored).
 * @throws {ConnectionError} PROTOCOL_ERROR or FRAME_SIZE_ERROR.
 */
export function checkFrame(type: number, flags: number, streamId: number, length: number): void {
  if (length > MAX_FRAME_SIZE) {
    throw new ConnectionError(Code.FRAME_SIZE_ERROR, `A frame of ${length} bytes is over ${MAX_FRAME_SIZE}.`);
  }
  const rule = RULES[type];
  if (rule === undefined) return;
  if (rule.on !== "either" && (rule.on === "stream") !== (streamId !== 0)) {
    throw new ConnectionError(Code.PROTOCOL_ERROR, `A ${rule.name} frame names stream ${streamId}.`);
  }
  if (
    length < rule.min || length > rule.max || length % rule.unit !== 0 ||
    // §6.5: an acknowledgement is empty.
    (type === FrameType.SETTINGS && (flags & Flag.ACK) !== 0 && length !== 0)
  ) {
    throw new ConnectionError(
      Code.FRAME_SIZE_ERROR,
      `A ${rule.name} frame has a payload of ${length} bytes.`,
    );
  }
}

/**
 * The payload without padding (§6.1) and without the priority fields of HEADERS (§6.2), which mean nothing any more.
 * @throws {ConnectionError} when the padding is longer than the payload.
 */
export function unpad(type: number, flags: number, payload: Uint8Array): Uint8Array {
  let start = 0, end = payload.length;
  if ((flags & Flag.PADDED) !== 0) {
    if (end < 1) throw new ConnectionError(Code.FRAME_SIZE_ERROR, "A padded frame has no pad length.");
    end -= payload[start++];
  }
  if (type === FrameType.HEADERS && (flags & Flag.PRIORITY) !== 0) {
    if (end - start < 5) {
      throw new ConnectionError(Code.FRAME_SIZE_ERROR, "A HEADERS frame is too short for its priority.");
    }
    start += 5;
  }
  if (start > end) throw new ConnectionError(Code.PROTOCOL_ERROR, "A frame has more padding than payload.");
  return payload.subarray(start, end);
}

/** Big-endian, unsigned. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
