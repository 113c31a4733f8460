/**
 * Responses that are whole before their requests are (RFC 9113 §8.1): RST_STREAM with NO_ERROR has the client stop its
 * upload, but only once it has read the response.
 *
 * "Clients MUST NOT discard responses as a result of receiving such a RST_STREAM", and yet curl 7.88 and Node's client
 * do when both come in one read. So a PING is sent behind the response, and the reset when its answer (§6.7) shows that all
 * before it was read. Meanwhile the stream gets no credit, so what it may still send is bounded by its window.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { Code } from "./errors.ts";
import { FrameType, readUint32, writeUint32 } from "./frames.ts";
import type { Output } from "./output.ts";
import type { Stream } from "./stream.ts";

/** After the response has left: so long is the answer to the PING waited for, which every client must give. */
const ANSWER_MS = 1_000;
/** The first half of the payload; a count follows. Other PINGs of weir's are all zeros. */
const MARK = 0x77656972;

/** The connection, as far as it is needed here. */
interface Connection {
  readonly over: boolean;
  readonly output: Output;
  flushed(): Promise<void>;
  reset(stream: Stream, code: number, error: WeirError): void;
}

interface Ending {
  readonly ping: number;
  readonly error: WeirError;
  timer?: ReturnType<typeof setTimeout>;
}

/** The streams of one connection that are about to be reset. */
export class EarlyEnds {
  readonly #session: Connection;
  readonly #endings = new Map<Stream, Ending>();
  #pings = 0;

  constructor(session: Connection) {
    this.#session = session;
  }

  /** END_STREAM was sent on `stream`, and nobody wants the rest of what its peer sends. */
  add(stream: Stream, error: WeirError): void {
    if (stream.closed || this.#session.over || this.#endings.has(stream)) return;
    const ending: Ending = { ping: ++this.#pings, error };
    this.#endings.set(stream, ending);
    // Whoever still reads it is told now.
    stream.body.fail(error);
    const payload = new Uint8Array(8);
    writeUint32(payload, 0, MARK);
    writeUint32(payload, 4, ending.ping);
    this.#session.output.frame(FrameType.PING, 0, 0, payload);
    this.#session.flushed().then(() => {
      if (this.#endings.get(stream) !== ending) return;
      ending.timer = setTimeout(() => this.#reset(stream, ending), ANSWER_MS);
    }, () => {
      // The connection is lost, and the stream with it.
    });
  }

  /** The peer has answered a PING. */
  answered(payload: Uint8Array): void {
    if (this.#endings.size === 0 || readUint32(payload, 0) !== MARK) return;
    const ping = readUint32(payload, 4);
    for (const [stream, ending] of this.#endings) if (ending.ping <= ping) this.#reset(stream, ending);
  }

  /** The stream has ended. */
  forget(stream: Stream): void {
    const ending = this.#endings.get(stream);
    if (ending === undefined) return;
    clearTimeout(ending.timer);
    this.#endings.delete(stream);
  }

  #reset(stream: Stream, { error }: Ending): void {
    this.#session.reset(stream, Code.NO_ERROR, error);
  }
}
