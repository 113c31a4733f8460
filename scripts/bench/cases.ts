/**
 * All work that is measured, in the order of the table.
 * @module
 */
import type { Case } from "./cases/case.ts";
import { HTTP2 } from "./cases/http2.ts";
import { LARGE } from "./cases/large.ts";
import { LATENCY } from "./cases/latency.ts";
import { MEMORY } from "./cases/memory.ts";
import { SMALL } from "./cases/small.ts";
import { START_UP } from "./cases/start_up.ts";
import { WEBSOCKET } from "./cases/websocket.ts";

export const CASES: readonly Case[] = [
  ...SMALL,
  ...LARGE,
  ...LATENCY,
  ...MEMORY,
  ...START_UP,
  ...WEBSOCKET,
  ...HTTP2,
];
