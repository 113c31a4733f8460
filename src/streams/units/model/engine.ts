/**
 * The events of a model's answer, with the text of each channel sent through its stages.
 *
 * It knows nothing of how events are framed: it gets their JSON one after the other, and tells what takes
 * their place.
 * @module
 */
import { WeirError } from "../../../errors.ts";
import { nameOf } from "../../bytes.ts";
import { tooMuchHeld } from "../../hold.ts";
import { checkStreamValue, piped, type StagePair, stagesOf, type StreamHook } from "../../hook.ts";
import { dialectOf } from "./dialects.ts";
import type { Dialect, Json, ModelChannel, Reading, Slot } from "./dialect.ts";
import { ChannelText } from "./channel_text.ts";
import { type Edit, splice } from "./splice.ts";

/**
 * What a channel's text goes through: whatever `message.stream` takes but true and false; nothing to leave it
 * as it is.
 */
export type ChannelStages = StreamHook | readonly (StreamHook | StagePair)[] | null | undefined | void;

/** What takes the place of an event. */
export interface Answer {
  /** Events that come before it. */
  readonly inserted: readonly Inserted[];
  /** The event itself. */
  readonly text: string;
}

/** An event that was not there. */
export interface Inserted {
  readonly event: Json;
  /** What the event whose channel it goes on was called by its frame. */
  readonly name: string | null;
}

/** A channel that has begun. */
interface Channel {
  /** Null when it is left as it is, or at its end. */
  text: ChannelText | null;
  readonly isWatched: boolean;
  /** All that was sent, where it will be repeated. */
  said: string;
  insert: ((text: string) => Json) | null;
  name: string | null;
}

/** A string that was read, and what is written in its place. */
interface Text {
  readonly slot: Slot;
  readonly index: number;
  text: string;
}

/** Most channels that are open at the same time, or may still be repeated. */
const MAX_CHANNELS = 1000;

/** One body's. */
export class ModelEngine {
  readonly #ask: (channel: ModelChannel) => ChannelStages;
  readonly #warn: (text: string) => void;
  readonly #hold: number;
  readonly #channels = new Map<string, Channel>();
  #dialect: Dialect | null = null;
  #said = 0;
  /**
   * How many numbers (`sequence_number`) were given to events that were not there, and what comes after the
   * last one.
   */
  #shift = 0;
  #next: number | null = null;

  constructor(
    ask: (channel: ModelChannel) => ChannelStages,
    hold: number,
    warn: (text: string) => void,
  ) {
    this.#ask = ask;
    this.#hold = hold;
    this.#warn = warn;
  }

  /** False as long as nothing has shown that the body is a model's. */
  get isKnown(): boolean {
    return this.#dialect !== null;
  }

  /**
   * What takes the place of an event, or of a whole answer (`isWhole`); null when that is the event as it is.
   * `name` is what its frame calls it. Not to be called again before the promise has resolved.
   */
  event(text: string, name: string | null = null, isWhole = false): Promise<Answer | null> | null {
    const event = parsed(text);
    if (event === null) return null;
    this.#dialect ??= dialectOf(event);
    if (this.#dialect === null) return null;
    const reading = this.#dialect.read(event);
    const { sequence_number: number } = event;
    if (typeof number === "number") this.#next = number + this.#shift + 1;
    if (reading.slots.length === 0 && reading.ends.length === 0 && this.#shift === 0) return null;
    return this.#run(text, event, reading, name, isWhole);
  }

  /** The events that come before the end of the stream. */
  async finish(): Promise<Inserted[]> {
    const inserted: Inserted[] = [];
    for (const [key, channel] of [...this.#channels]) await this.#end(key, channel, inserted);
    if (this.#next !== null) { for (const { event } of inserted) event.sequence_number = this.#next++; }
    return inserted;
  }

  cancel(reason: WeirError): void {
    for (const { text } of this.#channels.values()) text?.cancel(reason);
    this.#channels.clear();
  }

  async #run(
    text: string,
    event: Json,
    { slots, ends }: Reading,
    name: string | null,
    isWhole: boolean,
  ): Promise<Answer | null> {
    const inserted: Inserted[] = [];
    const texts: Text[] = [];
    for (const slot of slots) await this.#take(slot, name, texts, inserted);
    for (const [key, channel] of isWhole || ends.length > 0 ? [...this.#channels] : []) {
      if (!isWhole && !ends.some((end) => key.startsWith(end))) continue;
      const last = texts.findLast(({ slot }) => slot.key === key && slot.kind === "delta");
      const hasText = last?.slot.texts[last.index].text !== "" || last?.text !== "";
      await this.#end(key, channel, last !== undefined && (hasText || isWhole) ? last : inserted);
    }
    const edits = texts.flatMap(editsOf);
    const { sequence_number: number } = event;
    if (typeof number === "number") {
      for (const { event } of inserted) event.sequence_number = number + this.#shift++;
      if (this.#shift > 0) edits.push({ path: ["sequence_number"], json: `${number + this.#shift}` });
      this.#next = number + this.#shift + 1;
    }
    if (edits.length === 0 && inserted.length === 0) return null;
    return { inserted, text: splice(text, edits) };
  }

  /** Sends the text of one slot through its channel. */
  async #take(slot: Slot, name: string | null, texts: Text[], inserted: Inserted[]): Promise<void> {
    const { key, kind } = slot;
    if (kind === "values") {
      if (slot.texts.length === 0) return;
      const { text } = this.#open(slot);
      const values = await text?.values(slot.texts.map(({ text }) => text));
      values?.forEach((text, index) => texts.push({ slot, index, text }));
      this.#channels.delete(key);
      return;
    }
    const [{ text: piece }] = slot.texts;
    let channel = this.#channels.get(key);
    if (kind === "whole") {
      if (channel === undefined) {
        if (piece === "") return;
        channel = this.#open(slot);
        if (channel.text !== null) this.#say(channel, await channel.text.push(piece));
      }
      const tail = await this.#end(key, channel, inserted);
      // Where there were no deltas, no event is added.
      if (channel.insert === null) this.#say(channel, tail);
      if (channel.isWatched) texts.push({ slot, index: 0, text: channel.said });
      return;
    }
    if (channel === undefined) {
      if (piece === "") return;
      channel = this.#open(slot);
    }
    channel.insert = slot.insert ?? channel.insert;
    channel.name = name;
    if (channel.text === null) return;
    const text = piece === "" ? "" : await channel.text.push(piece);
    this.#say(channel, text);
    texts.push({ slot, index: 0, text });
  }

  /** Asks for the stages of a channel that begins. */
  #open({ key, channel: about }: Slot): Channel {
    const stages = this.#ask(about);
    const isWatched = stages !== undefined && stages !== null;
    let text: ChannelText | null = null;
    if (isWatched) {
      if (typeof stages === "boolean") {
        throw new TypeError(`it takes stages for a channel, or undefined to leave it; not ${nameOf(stages)}`);
      }
      checkStreamValue(stages);
      text = new ChannelText(
        stagesOf(stages),
        (source, stages) => piped(source, stages, undefined, this.#warn),
      );
    }
    if (this.#channels.size === MAX_CHANNELS) {
      throw new WeirError("weir", "limit", `modelStream: more than ${MAX_CHANNELS} texts at once.`);
    }
    const channel = { text, isWatched, said: "", insert: null, name: null };
    this.#channels.set(key, channel);
    return channel;
  }

  /** What was sent on a channel. @throws {WeirError} `limit` */
  #say(channel: Channel, text: string): void {
    if (!this.#dialect?.repeats) return;
    channel.said += text;
    this.#said += text.length;
    if (this.#said > this.#hold) throw tooMuchHeld("modelStream", this.#hold);
  }

  /** Ends a channel; what it held goes to the text, or among the events. */
  async #end(key: string, channel: Channel, to: Text | Inserted[]): Promise<string> {
    const { text, insert, name } = channel;
    if (text === null) {
      if (!this.#dialect?.repeats) this.#channels.delete(key);
      return "";
    }
    const tail = await text.end();
    if (insert !== null || !Array.isArray(to)) this.#say(channel, tail);
    channel.text = null;
    if (!this.#dialect?.repeats) this.#channels.delete(key);
    if (tail === "") return "";
    if (!Array.isArray(to)) to.text += tail;
    else if (insert !== null) to.push({ event: insert(tail), name });
    return tail;
  }
}

function parsed(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : null;
  } catch {
    return null;
  }
}

function editsOf({ slot, index, text }: Text): Edit[] {
  const { path, text: before } = slot.texts[index];
  return text === before ? [] : [{ path, json: JSON.stringify(text) }, ...slot.mutes ?? []];
}
