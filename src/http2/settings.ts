/**
 * SETTINGS (RFC 9113 §6.5): what weir says of itself, and what a peer says.
 * @module
 */
import { Code, ConnectionError } from "./errors.ts";
import { DEFAULT_TABLE_SIZE } from "./hpack/dynamic_table.ts";
import { MAX_FIELD_BLOCK } from "../http/mod.ts";
import { MAX_FRAME_SIZE, readUint32, writeUint32 } from "./frames.ts";

/** §6.5.2. */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** §6.9.2: windows before any SETTINGS, and the connection's at all times until WINDOW_UPDATE. */
export const DEFAULT_WINDOW = 65_535;
/** §6.9.1. */
export const MAX_WINDOW = 0x7fffffff;

/** §5.1.2: streams that a client may have open; 100 is the least that is recommended, and enough for a browser. */
export const MAX_CONCURRENT_STREAMS = 128;
/**
 * What one stream may hold that its consumer has not taken, which is the bound on the memory of a stalled stream. It begins
 * small, so that many stalled streams do not drain their sources; each time that half of it was taken it doubles, as TCP's does.
 */
export const STREAM_WINDOW = 128 * 1024;
/** Where it stops: 20 MB/s from a peer that is 50 ms away. */
export const MAX_STREAM_WINDOW = 1024 * 1024;
/**
 * The window of the connection bounds only what is on the wire: its credit goes back when bytes arrive, since every
 * stream's own window bounds what is kept. So no stalled stream can use it up for its siblings.
 */
export const CONNECTION_WINDOW = 16 * 1024 * 1024;

/** Which end of the connection this is. */
export type Role = "client" | "server";

/** What the peer has said so far. */
export interface PeerSettings {
  headerTableSize: number;
  maxConcurrentStreams: number;
  initialWindow: number;
}

export function defaultPeerSettings(): PeerSettings {
  // No limit is the default (§6.5.2); a peer that has one says so in its first frame. Until then: a modest number.
  return { headerTableSize: DEFAULT_TABLE_SIZE, maxConcurrentStreams: 100, initialWindow: DEFAULT_WINDOW };
}

/** The payload of weir's own SETTINGS. */
export function ownSettings(role: Role): Uint8Array {
  return settingsPayload([
    [Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW],
    [Setting.MAX_HEADER_LIST_SIZE, MAX_FIELD_BLOCK],
    role === "server" ? [Setting.MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS] : [Setting.ENABLE_PUSH, 0],
  ]);
}

export function settingsPayload(settings: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const payload = new Uint8Array(settings.length * 6);
  settings.forEach(([id, value], i) => {
    payload[i * 6] = id >> 8;
    payload[i * 6 + 1] = id;
    writeUint32(payload, i * 6 + 2, value);
  });
  return payload;
}

/**
 * Takes over what the peer says (§6.5.2); unknown settings are ignored.
 * @throws {ConnectionError} on a value out of range.
 */
export function readSettings(payload: Uint8Array, into: PeerSettings, from: Role): void {
  for (let at = 0; at < payload.length; at += 6) {
    const value = readUint32(payload, at + 2);
    switch (payload[at] << 8 | payload[at + 1]) {
      case Setting.HEADER_TABLE_SIZE:
        into.headerTableSize = value;
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1 || (from === "server" && value !== 0)) invalid("SETTINGS_ENABLE_PUSH", value);
        break;
      case Setting.MAX_CONCURRENT_STREAMS:
        into.maxConcurrentStreams = value;
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW) invalid("SETTINGS_INITIAL_WINDOW_SIZE", value, Code.FLOW_CONTROL_ERROR);
        into.initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < MAX_FRAME_SIZE || value > 0xffffff) invalid("SETTINGS_MAX_FRAME_SIZE", value);
        break;
    }
  }
}

function invalid(name: string, value: number, code: number = Code.PROTOCOL_ERROR): never {
  throw new ConnectionError(code, `${name} must not be ${value}.`);
}
