/**
 * Server-sent events of a response, each with its time.
 * @module
 */
import type { Response } from "../../flow/response.ts";
import { SseCutter } from "../../streams/units/mod.ts";
import type { HarEntry, HarEventSourceMessage } from "./types.ts";

/** Streams that are longer are no lists of events in a HAR. */
const MAX_BODY = 16 * 1024 * 1024;

/** The events of a body that is kept; times are those at which their last byte came, where that was noted. */
export function eventMessages(response: Response): Pick<HarEntry, "_eventSourceMessages"> {
  const type = response.headers.get("content-type") ?? "";
  if (!/^\s*text\/event-stream\s*(?:;|$)/i.test(type) || response.size > MAX_BODY) return {};
  const content = response.content;
  if (content === null) return {};
  const messages: HarEventSourceMessage[] = [];
  const moments = response.timeline;
  let bytes = 0, moment = 0;
  try {
    for (const { bytes: cut, unit } of new SseCutter().push(content)) {
      bytes += cut.length;
      if (unit === null) continue;
      while (moment < moments.length - 1 && moments[moment][1] < bytes) moment++;
      const time = response.timestampStart + (moments[moment]?.[0] ?? 0);
      messages.push({
        time: time / 1000,
        eventName: unit.event ?? "message",
        eventId: unit.id ?? "",
        data: unit.data,
      });
    }
  } catch {
    // An event beyond what is held: those before it are there.
  }
  return { _eventSourceMessages: messages };
}
