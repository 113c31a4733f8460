/**
 * Whose turn it is to send: streams go round, one frame each, as far as the windows (RFC 9113 §6.9) and the output have
 * room. Nothing is queued here but streams, each with at most one piece that its sender is waiting to see written.
 * @module
 */
import { Flag, FrameType, MAX_FRAME_SIZE } from "./frames.ts";
import type { HpackEncoder } from "./hpack/encoder.ts";
import type { Output } from "./output.ts";
import type { Stream } from "./stream.ts";

/** The sending side of a connection. */
export class Scheduler {
  /** The connection's window. */
  window: number;
  readonly #output: Output;
  readonly #encoder: HpackEncoder;
  readonly #onEnded: (stream: Stream) => void;
  /** Heads go first: they need no window, so a client that takes no DATA still gets them. */
  readonly #heads: Stream[] = [];
  readonly #turns: Stream[] = [];

  /** @param onEnded END_STREAM was written for this stream */
  constructor(window: number, output: Output, encoder: HpackEncoder, onEnded: (stream: Stream) => void) {
    this.window = window;
    this.#output = output;
    this.#encoder = encoder;
    this.#onEnded = onEnded;
  }

  /** Writes what `stream` has pending if nobody else waits and there is room; else it gets a turn. True when written. */
  offer(stream: Stream): boolean {
    if (stream.pendingHead !== null) {
      if (this.#heads.length === 0 && this.#output.hasRoom) this.#writeHead(stream);
      else this.#heads.push(stream);
    } else {
      if (this.#turns.length === 0) { while (this.#writeData(stream)); }
      this.enqueue(stream);
    }
    return stream.pendingHead === null && stream.pendingData === null;
  }

  /** Gives a turn to a stream that has DATA pending, unless it has no window: then WINDOW_UPDATE does. */
  enqueue(stream: Stream): void {
    if (stream.queued || stream.pendingData === null || stream.sendWindow <= 0) return;
    stream.queued = true;
    this.#turns.push(stream);
  }

  /** Writes as much as there is room for. */
  run(): void {
    while (this.#heads.length > 0 && this.#output.hasRoom) {
      const stream = this.#heads.shift()!;
      // It may have been lost meanwhile.
      if (stream.pendingHead === null) continue;
      this.#writeHead(stream);
      stream.sent();
    }
    const turns = this.#turns;
    while (turns.length > 0 && this.#output.hasRoom) {
      const stream = turns[0];
      // When only the connection's window is in the way, all keep their place.
      if (!this.#writeData(stream) && stream.pendingData !== null && stream.sendWindow > 0) return;
      turns.shift();
      stream.queued = false;
      if (stream.pendingData !== null) this.enqueue(stream);
      else if (stream.error === null) stream.sent();
    }
  }

  /** Streams that wait to be opened. */
  unopened(): Stream[] {
    return this.#heads.filter((stream) => stream.id === 0 && stream.pendingHead !== null);
  }

  #writeHead(stream: Stream): void {
    const { fields, endStream } = stream.pendingHead!;
    stream.pendingHead = null;
    stream.owner.opened(stream);
    this.#output.headerBlock(stream.id, this.#encoder.encode(fields), endStream);
    if (endStream) this.#onEnded(stream);
  }

  /** Writes one DATA frame; false when there is nothing to write or no room for it. */
  #writeData(stream: Stream): boolean {
    const data = stream.pendingData;
    if (data === null || !this.#output.hasRoom) return false;
    const count = Math.min(data.length, MAX_FRAME_SIZE, stream.sendWindow, this.window);
    if (count <= 0) return false;
    const payload = count === data.length ? data : data.subarray(0, count);
    stream.lastDataAt = this.#output.frame(FrameType.DATA, 0, stream.id, payload);
    stream.lastDataTurn = this.#output.turn;
    stream.moved += count;
    stream.sendWindow -= count;
    this.window -= count;
    stream.pendingData = count === data.length ? null : data.subarray(count);
    return true;
  }

  /** END_STREAM on the last DATA frame where it is still here, else on an empty one. */
  end(stream: Stream): void {
    if (stream.lastDataTurn === this.#output.turn) this.#output.addFlag(stream.lastDataAt, Flag.END_STREAM);
    else this.#output.frame(FrameType.DATA, Flag.END_STREAM, stream.id, new Uint8Array(0));
    this.#onEnded(stream);
  }
}
