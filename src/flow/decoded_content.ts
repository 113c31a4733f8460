/**
 * What a body unfolded to when its content codings were taken off: made once, counted while its flow runs.
 *
 * A failure is remembered as well: a bomb that passes the limit costs its unfolding once, not each time a hook looks.
 * When the flow has ended the copy stays only as long as somebody else holds it, so that flows that addons keep cost what
 * came by the wire, and not a hundred times that.
 * @module
 */
import { decodeBytes, MAX_DECODED } from "../streams/mod.ts";
import type { MessageOwner } from "./message_owner.ts";

/** The content of one body under one `content-encoding`. */
export class DecodedContent {
  readonly raw: Uint8Array;
  readonly coding: string;
  #content: Uint8Array | null;
  #weak: WeakRef<Uint8Array> | null = null;
  /** What is in the way of decoding; null when nothing was. */
  readonly failure: unknown = null;
  /** Bytes that are booked for it. */
  #booked = 0;

  /** Decodes. What is too much for `owner`, or is not what its coding says, is a `failure`, and its content is `raw`. */
  constructor(raw: Uint8Array, coding: string, owner: MessageOwner | null) {
    this.raw = raw;
    this.coding = coding;
    this.#content = raw;
    try {
      const most = Math.min(MAX_DECODED, owner?.room ?? Infinity);
      this.#content = decodeBytes(raw, coding, most, (text) => owner?.warn(text));
    } catch (error) {
      this.failure = error;
      return;
    }
    if (this.#content !== raw) this.#booked = owner?.hold(this.#content.length) ?? 0;
  }

  /** Null when it was given up. */
  get content(): Uint8Array | null {
    return this.#content ?? this.#weak?.deref() ?? null;
  }

  /** Another one takes its place: books it out. */
  drop(owner: MessageOwner | null): void {
    owner?.hold(-this.#booked);
    this.#booked = 0;
  }

  /** The flow has ended, and what it had booked is booked out: from here on it is kept by who else has it. */
  end(): void {
    if (this.failure !== null || this.#content === null || this.#content === this.raw) return;
    this.#weak = new WeakRef(this.#content);
    this.#content = null;
    this.#booked = 0;
  }
}
