/**
 * The frames in which a model's events come: server-sent events, lines, a JSON array; and the whole answer in
 * one.
 * @module
 */
import type { WeirError } from "../../../errors.ts";
import { endOf, type JsonLine, NdjsonCutter } from "../ndjson.ts";
import type { SseEvent, SseEventInit } from "../sse.ts";
import { sseRules } from "../sse_rules.ts";
import type { UnitRules } from "../unit_body.ts";
import type { Answer, Inserted, ModelEngine } from "./engine.ts";
import { JsonCutter, type JsonPart } from "./json_cutter.ts";

const NAME = "modelStream";
const encoder = new TextEncoder();

/** Server-sent events, each with its JSON as data. */
export function modelEvents(engine: ModelEngine, hold: number): UnitRules<SseEvent> {
  const inserted = (list: readonly Inserted[]) =>
    list.map(({ event, name }): SseEventInit => ({
      event: name === null || typeof event.type !== "string" ? name : event.type,
      data: JSON.stringify(event),
    }));
  const answered = (event: SseEvent, answer: Answer | null) => {
    if (answer === null) return undefined;
    event.data = answer.text;
    return answer.inserted.length === 0 ? undefined : [...inserted(answer.inserted), event];
  };
  const finish = async (event?: SseEvent) => {
    const list = inserted(await engine.finish());
    return event === undefined ? list : list.length === 0 ? undefined : [...list, event];
  };
  const rules = sseRules(
    (event) => {
      if (event.data.trim() === "[DONE]") return finish(event);
      const answer = engine.event(event.data, event.event);
      return answer === null ? undefined : answer.then((answer) => answered(event, answer));
    },
    NAME,
    hold,
    () => finish(),
  );
  return { ...rules, cancel: (reason: WeirError) => engine.cancel(reason) };
}

/** A line for each object. */
export function modelLines(engine: ModelEngine, hold: number): UnitRules<JsonLine> {
  /** The last line had no end. */
  let isOpen = false;
  /** The line that was asked about, as it is to be sent. */
  let text: string | null = null;
  return {
    name: NAME,
    cutter: new NdjsonCutter(hold, NAME),
    call(line) {
      text = null;
      const answer = engine.event(line.text);
      if (answer === null) return undefined;
      return answer.then((answer) => {
        if (answer === null) return undefined;
        text = answer.text;
        return answer.inserted.length === 0 ? undefined : [...answer.inserted, line];
      });
    },
    edited(_, { bytes }) {
      isOpen = bytes.at(-1) !== 10;
      return text === null ? bytes : encoder.encode(text);
    },
    added(value, segment) {
      if (value === segment?.unit) return this.edited(undefined, segment!);
      const line = JSON.stringify((value as Inserted).event);
      if (isOpen) return encoder.encode(`\n${line}`);
      return encoder.encode(line + (segment === null ? "\n" : endOf(segment.bytes) || "\n"));
    },
    end: () => engine.finish(),
    cancel: (reason: WeirError) => engine.cancel(reason),
  };
}

/** An object, or an array of them. */
export function modelJson(engine: ModelEngine, hold: number): UnitRules<JsonPart> {
  let text: string | null = null;
  return {
    name: NAME,
    cutter: new JsonCutter(NAME, hold, () => !engine.isKnown),
    call(part) {
      text = null;
      if (part.kind === "close") {
        return engine.finish().then((list) => list.length === 0 ? undefined : [...list, part]);
      }
      const answer = engine.event(part.text, null, part.kind === "whole");
      if (answer === null) return undefined;
      return answer.then((answer) => {
        if (answer === null) return undefined;
        text = answer.text;
        return answer.inserted.length === 0 ? undefined : [...answer.inserted, part];
      });
    },
    edited(_, { bytes }) {
      return text === null ? bytes : encoder.encode(text);
    },
    added(value, segment) {
      if (value === segment!.unit) return this.edited(undefined, segment!);
      const json = JSON.stringify((value as Inserted).event);
      return encoder.encode(segment!.unit!.kind === "close" ? `,\n${json}` : `${json},\n`);
    },
    cancel: (reason: WeirError) => engine.cancel(reason),
  };
}
