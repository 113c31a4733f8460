/**
 * One stream (RFC 9113 §5.1): its two halves, its windows, and the one thing its sender may be waiting for.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { Code, StreamError } from "./errors.ts";
import { checkTrailers } from "./field_rules.ts";
import type { DecodedFields } from "./hpack/decoder.ts";
import { ReceiveBody } from "./receive_body.ts";
import { ReceiveWindow } from "./receive_window.ts";
import { MAX_STREAM_WINDOW, STREAM_WINDOW } from "./settings.ts";

/** What the owner of a stream wants to know. */
export interface StreamListener {
  /**
   * A head came, interim or final; null when it was larger than allowed. Sets `headReceived` when it was the final one.
   * @throws {StreamError} when it is malformed.
   */
  onHead(fields: DecodedFields, endStream: boolean): void;
  /** Mends in place what may be mended in the fields of a head or trailers, before anybody looks at them. */
  repair?(fields: string[]): void;
  /** The peer or the connection ended the stream before both halves were done. Not called for `Stream.reset`. */
  onLost(error: WeirError): void;
  /** A stream of weir's was opened on the wire. */
  onOpened?(): void;
}

/** The connection of a stream, as the stream sees it: it writes the frames. */
export interface StreamOwner {
  /** Who is at the other end, for errors. */
  readonly peer: Side;
  /** The stream has something pending. True when it was written at once; else `sent` is called later. */
  offer(stream: Stream): boolean;
  /** Gives the stream its identifier, as its first head is written. */
  opened(stream: Stream): void;
  /** Writes END_STREAM. */
  sendEnd(stream: Stream): void;
  sendWindowUpdate(streamId: number, increment: number): void;
  /** One half of the stream has ended. */
  halfDone(stream: Stream): void;
  /** Nobody takes the rest of what the peer sends. */
  bodyCancelled(stream: Stream, reason: WeirError): void;
  /** All was sent, the rest of what comes is not wanted. */
  endEarly(stream: Stream, error: WeirError): void;
  /** Ends the stream with RST_STREAM. */
  reset(stream: Stream, code: number, error: WeirError): void;
  /** Resolves when everything sent so far was taken by the connection. */
  flushed(): Promise<void>;
}

/** A head or trailers that wait for room in the output. */
interface PendingHead {
  readonly fields: readonly string[];
  readonly endStream: boolean;
}

/** One request with its response. */
export class Stream {
  /** 0 until a stream that weir opens has sent its first HEADERS: identifiers must rise on the wire (§5.1.1). */
  id = 0;
  /** END_STREAM was sent. */
  localEnded = false;
  /** The final response to the peer's request is on its way. */
  isAnswered = false;
  /** END_STREAM was received. */
  remoteEnded = false;
  /** Why the stream ended early. */
  error: WeirError | null = null;
  /** The final head was received; a further HEADERS frame brings trailers. */
  headReceived = false;
  /** Bytes that content-length promised (§8.1.1), or null. */
  expected: number | null = null;
  listener: StreamListener;
  readonly body: ReceiveBody;

  /** Bytes that may be sent (§6.9); negative when SETTINGS shrank it (§6.9.2). */
  sendWindow: number;
  /** What waits for its turn; the scheduler takes it from here. */
  pendingHead: PendingHead | null = null;
  pendingData: Uint8Array | null = null;
  /** In the scheduler's queue. */
  queued = false;
  /** Bytes of DATA that have come and gone. */
  moved = 0;
  /** Turn and place of the last DATA frame in the output, for an END_STREAM that comes behind. */
  lastDataTurn = -1;
  lastDataAt = 0;

  readonly #window = new ReceiveWindow(STREAM_WINDOW, MAX_STREAM_WINDOW);
  #received = 0;
  #waiter: { resolve: () => void; reject: (error: unknown) => void } | null = null;

  constructor(
    readonly owner: StreamOwner,
    listener: StreamListener,
    sendWindow: number,
  ) {
    this.listener = listener;
    this.sendWindow = sendWindow;
    this.body = new ReceiveBody(
      (count) => this.#credit(count),
      (reason) => this.owner.bodyCancelled(this, reason),
    );
  }

  get closed(): boolean {
    return this.error !== null || (this.localEnded && this.remoteEnded);
  }

  // What the peer sends. Session calls these.

  /** HEADERS with all of its CONTINUATION. */
  receiveHead(fields: DecodedFields, endStream: boolean): void {
    if (fields !== null) this.listener.repair?.(fields);
    if (!this.headReceived) {
      if (endStream) this.remoteEnded = true;
      this.listener.onHead(fields, endStream);
      if (endStream) this.#receiveEnd(null);
      return;
    }
    // §8.1: trailers end the stream.
    if (!endStream) throw new StreamError(Code.PROTOCOL_ERROR, "A second HEADERS does not end its stream.");
    this.#receiveEnd(checkTrailers(fields));
  }

  /** @param flowLength the payload with its padding, which counts for flow control (§6.9.1) */
  receiveData(payload: Uint8Array, flowLength: number, endStream: boolean): void {
    if (!this.headReceived) throw new StreamError(Code.PROTOCOL_ERROR, "DATA came before the head.");
    if (!this.#window.receive(flowLength)) {
      throw new StreamError(Code.FLOW_CONTROL_ERROR, "A stream's flow-control window was exceeded.");
    }
    this.#received += payload.length;
    this.moved += flowLength;
    if (this.expected !== null && this.#received > this.expected) {
      throw new StreamError(Code.PROTOCOL_ERROR, `DATA goes beyond the content-length ${this.expected}.`);
    }
    // Padding is consumed on arrival.
    this.#credit(flowLength - payload.length);
    if (payload.length > 0) this.body.push(payload);
    if (endStream) this.#receiveEnd(null);
  }

  #receiveEnd(trailers: string[] | null): void {
    if (this.expected !== null && this.#received !== this.expected) {
      const message = `The body has ${this.#received} bytes, its content-length says ${this.expected}.`;
      // A client that sees the response come may stop its upload so (curl does): a reset would take the response from it.
      if (!this.isAnswered) throw new StreamError(Code.PROTOCOL_ERROR, message);
      this.body.fail(new WeirError("client", "closed", message));
    }
    this.remoteEnded = true;
    this.body.end(trailers);
    this.owner.halfDone(this);
  }

  /** WINDOW_UPDATE, or the difference that SETTINGS made. False when the window would pass its maximum (§6.9.1). */
  addSendWindow(increment: number, maximum: number): boolean {
    this.sendWindow += increment;
    return this.sendWindow <= maximum;
  }

  /** The stream is over before its time. */
  lose(error: WeirError): void {
    if (this.error !== null) return;
    this.error = error;
    this.pendingHead = this.pendingData = null;
    this.body.fail(error);
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
  }

  // What weir sends. At most one of these at a time waits.

  /**
   * Sends a head or trailers, at once where there is room, else when the returned promise resolves.
   * @throws {WeirError} when the stream is lost.
   */
  sendHead(fields: readonly string[], endStream: boolean): Promise<void> | undefined {
    this.#check();
    this.pendingHead = { fields, endStream };
    return this.#offer();
  }

  /** Sends one piece, which must stay as it is until the returned promise (if any) resolves. */
  sendData(piece: Uint8Array): Promise<void> | undefined {
    this.#check();
    this.pendingData = piece;
    return this.#offer();
  }

  /** Sends END_STREAM: on the last DATA frame if it has not left yet. */
  sendEnd(): void {
    this.#check();
    this.owner.sendEnd(this);
  }

  /** Waits for something else (a body's next piece); rejects as soon as the stream is lost. */
  wait(promise: Promise<void>): Promise<void> {
    this.#check();
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      promise.then(() => this.sent(), (error) => {
        this.#waiter = null;
        reject(error);
      });
    });
  }

  /** Ends the stream at once with RST_STREAM. Idempotent. */
  reset(code: number, error: WeirError): void {
    this.owner.reset(this, code, error);
  }

  /** All was sent and the rest of what comes is not wanted: ends the stream once its peer has read what was sent. */
  endEarly(error: WeirError): void {
    this.owner.endEarly(this, error);
  }

  /** The scheduler has written what was pending. */
  sent(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }

  #offer(): Promise<void> | undefined {
    if (this.owner.offer(this)) return undefined;
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  #check(): void {
    if (this.error !== null) throw this.error;
  }

  /** The consumer took bytes: the peer may send as many more. */
  #credit(count: number): void {
    const credit = this.#window.take(count, !this.remoteEnded && this.error === null);
    if (credit > 0) this.owner.sendWindowUpdate(this.id, credit);
  }
}
