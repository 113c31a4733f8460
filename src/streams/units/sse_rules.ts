/**
 * What a stage does with the server-sent events of one body.
 * @module
 */
import {
  checkEvent,
  copyOf,
  isSame,
  lineEndOf,
  rewriteEvent,
  SseCutter,
  type SseEvent,
  type SseEventInit,
  writeEvent,
} from "./sse.ts";
import type { UnitOutput, UnitRules } from "./unit_body.ts";

/** What the function of `sseStream` may give. */
export type SseOutput = UnitOutput<SseEventInit>;

/** The rules of a stage for one body of events; `end` gives events that are added when it has ended. */
export function sseRules(
  fn: (event: SseEvent) => unknown,
  name: string,
  hold: number,
  end?: () => unknown,
): UnitRules<SseEvent> {
  /** The event that the function was called for, as it was. */
  let before: SseEvent;
  let lineEnd: string | null = null;
  return {
    name,
    cutter: new SseCutter(hold, name),
    call(event) {
      before = copyOf(event);
      return fn(event);
    },
    edited(value, { bytes, unit }) {
      if (value === undefined && isSame(before, unit!)) return bytes;
      return rewriteEvent(bytes, before, checkEvent(value === undefined ? unit : value));
    },
    added(value, segment) {
      if (segment !== null) lineEnd = lineEndOf(segment.bytes);
      const event = checkEvent(value);
      if (value !== segment?.unit) return writeEvent(event, lineEnd ?? "\n");
      const bytes = rewriteEvent(segment!.bytes, before, event);
      // The LF of its last line is not there yet, or comes behind what is sent after it.
      return lineEnd !== "\r\n" || bytes.at(-1) !== 13 ? bytes : Uint8Array.of(...bytes, 10);
    },
    end,
  };
}
