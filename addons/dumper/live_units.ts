/**
 * Streamed bodies that are made of units, shown while they are on their way: each event as it is sent.
 * @module
 */
import {
  type BodyObserver,
  type BodyUnit,
  decodeStream,
  escapeControl,
  type HttpFlow,
  type Message,
  type UnitReader,
  unitReader,
} from "weir";
import { plainLines, shortened, shownOf } from "./body_lines.ts";
import { type Part, print } from "./printer.ts";
import { oneUnit } from "./unit_lines.ts";
import { clientOf, serverOf } from "./words.ts";

/** Bodies that were shown as they came, so that they are not shown again. */
const shown = new WeakSet<Message>();

/** Whether the body was shown as it came. */
export function wasShown(message: Message): boolean {
  return shown.has(message);
}

/** Shows the units of a body that is streamed, when its type has any. */
export function showLive(flow: HttpFlow, message: Message, detail: number): void {
  const reader = unitReader(message, shownOf(detail));
  if (reader === null || message.streamedBy === null || shown.has(message)) return;
  const show = new LiveUnits(flow, message, reader, detail);
  const coding = message.headers.get("content-encoding");
  try {
    message.watch(coding === null ? show : decoding(coding, show));
  } catch {
    // A coding that is not known: there are no units to be seen.
    return;
  }
  shown.add(message);
}

class LiveUnits implements BodyObserver {
  readonly #flow: HttpFlow;
  readonly #arrow: string;
  readonly #reader: UnitReader;
  readonly #detail: number;
  #count = 0;

  constructor(flow: HttpFlow, message: Message, reader: UnitReader, detail: number) {
    this.#flow = flow;
    this.#arrow = message === flow.request ? "->" : "<-";
    this.#reader = reader;
    this.#detail = detail;
  }

  piece(bytes: Uint8Array): Promise<void> | void {
    return this.#show(this.#reader.push(bytes));
  }

  end(error: Error | null): Promise<void> | void {
    if (error === null) return this.#show(this.#reader.end());
  }

  /** Most pieces end no unit, or one. */
  #show(units: Iterable<BodyUnit>): Promise<void> | void {
    const lines = this.#lines(units);
    const { value, done } = lines.next();
    if (!done) return print(behind(value, lines));
  }

  *#lines(units: Iterable<BodyUnit>): Generator<string | Part> {
    for (const unit of units) {
      if (unit.kind !== "rest") this.#count++;
      const path = escapeControl(this.#flow.request.path);
      yield `${clientOf(this.#flow)} ${this.#arrow} ${serverOf(this.#flow)}${path}`;
      yield* shortened(oneUnit(unit, this.#count, plainLines), this.#detail);
      yield "";
    }
  }
}

function* behind<T>(first: T, rest: Iterable<T>): Generator<T> {
  yield first;
  yield* rest;
}

/** The same for a body with content codings: they are taken off, piece by piece. */
function decoding(coding: string, show: LiveUnits): BodyObserver {
  const { readable, writable } = decodeStream(coding);
  const writer = writable.getWriter();
  const isDone = (async () => {
    for await (const piece of readable) await show.piece(piece);
    await show.end(null);
  })();
  // Of a body that is cut, or no such coding, what came of it was shown.
  isDone.catch(() => {});
  writer.closed.catch(() => {});
  return {
    piece: (bytes) => writer.write(bytes.slice()),
    end: async (error) => {
      if (error !== null) return await writer.abort(error).catch(() => {});
      await writer.close();
      await isDone;
    },
  };
}
