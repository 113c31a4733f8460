/**
 * The text of one channel on its way through the stages that an addon gave for it.
 *
 * For each piece that goes in, what the stages give for it comes out: all that they have decided when they
 * ask for the next piece.
 * @module
 */
import { concat } from "@std/bytes";
import { WeirError } from "../../../errors.ts";
import type { Body } from "../../body.ts";
import { ignore } from "../../iterators.ts";
import type { Stage } from "../../stage.ts";
import { Feed } from "./feed.ts";

/**
 * Microtasks that stages may take to hand over what they have after they have asked for more: web streams
 * read ahead. A stage that needs longer (a timer) has its text come with a later piece.
 */
const GRACE = 60;

/** Stands between the values of an object: no text, so no pattern matches across it. */
const BORDER = 0xff;
const REPLACEMENT = "\ufffd";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One text through its stages. */
export class ChannelText {
  readonly #feed = new Feed();
  readonly #out: Body;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** The first half of a character that was cut in two. */
  #half = "";
  /** A `fill` that is under way; `#isFilled` when it is done. */
  #filling: Promise<void> | null = null;
  #isFilled = true;

  /** The stages are as for `piped`. */
  constructor(stages: readonly Stage[], pipe: (source: Body, stages: readonly Stage[]) => Body) {
    this.#out = pipe(this.#feed, stages);
  }

  /** The next piece of text; gives what is decided. @throws {WeirError} when a stage fails. */
  async push(text: string): Promise<string> {
    text = this.#half + text;
    this.#half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : "";
    this.#feed.push(encoder.encode(this.#half === "" ? text : text.slice(0, -1)));
    return this.#decoder.decode(await this.#decided(), { stream: true });
  }

  /** The text has ended; gives what is left. @throws {WeirError} when a stage fails. */
  async end(): Promise<string> {
    this.#feed.push(encoder.encode(this.#half));
    this.#feed.end();
    return this.#decoder.decode(await this.#decided());
  }

  /**
   * The values of an object, which are all of the text. @throws {WeirError} when they cannot be told apart
   * any more.
   */
  async values(texts: readonly string[]): Promise<string[]> {
    texts.forEach((text, index) => {
      if (index > 0) this.#feed.push(Uint8Array.of(BORDER));
      this.#feed.push(encoder.encode(text));
    });
    this.#feed.end();
    const bytes = await this.#decided();
    const values = splitAt(BORDER, bytes).map((part) => decoder.decode(part));
    if (values.length === texts.length) return values;
    // Somebody read it as text, where the borders are replacement characters.
    const read = decoder.decode(bytes).split(REPLACEMENT);
    if (read.length === texts.length && !texts.some((text) => text.includes(REPLACEMENT))) return read;
    throw new WeirError(
      "weir",
      "addon",
      `The stages for a tool's arguments got ${texts.length} strings and gave ${values.length}: ` +
        "they must leave the bytes 0xff that part them.",
    );
  }

  cancel(reason: WeirError): void {
    this.#feed.cancel(reason);
    this.#out.cancel(reason);
  }

  /** All that comes out until the stages want more text, or until the end. */
  async #decided(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      while (this.#isFilled) {
        const wasDry = this.#feed.isDry, piece = this.#out.take();
        if (piece === null) return joined(pieces);
        if (piece !== undefined) {
          pieces.push(piece.slice());
          continue;
        }
        const isDry = this.#feed.isDry && !wasDry;
        this.#fill();
        // It was asked for more text in this very call: nothing is on its way in between.
        if (isDry) return joined(pieces);
      }
      if (!this.#feed.isDry) await Promise.race([this.#filling, this.#feed.dry()]);
      for (let n = 0; n < GRACE && !this.#isFilled; n++) await null;
      if (!this.#isFilled && this.#feed.isDry) return joined(pieces);
    }
  }

  #fill(): void {
    this.#isFilled = false;
    const done = () => void (this.#isFilled = true);
    // `take` throws what it failed with.
    this.#filling = this.#out.fill().then(done, done);
    this.#filling.catch(ignore);
  }
}

function joined(pieces: Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0] : concat(pieces);
}

function splitAt(byte: number, bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end; (end = bytes.indexOf(byte, start)) !== -1; start = end + 1) {
    parts.push(bytes.subarray(start, end));
  }
  return [...parts, bytes.subarray(start)];
}
