/**
 * One HTTP/2 connection without its socket (RFC 9113): bytes come in by `space` and `filled`, go out by `take` and
 * `taken`. What the frames of the peer mean is in `./inbound.ts`, whose turn it is to send in `./scheduler.ts`.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import { ClosedStreams, type StreamEnding } from "./closed_streams.ts";
import { EarlyEnds } from "./early_ends.ts";
import { Code, codeName, ConnectionError, resetCode, ResetError } from "./errors.ts";
import { Flushes } from "./flushes.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameType, PREFACE, writeUint32 } from "./frames.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { Inbound } from "./inbound.ts";
import { Output, OUTPUT_LIMIT } from "./output.ts";
import { RateLimits } from "./rate_limits.ts";
import { ReceiveWindow } from "./receive_window.ts";
import { Scheduler } from "./scheduler.ts";
import {
  CONNECTION_WINDOW,
  DEFAULT_WINDOW,
  defaultPeerSettings,
  MAX_WINDOW,
  ownSettings,
  type PeerSettings,
  type Role,
} from "./settings.ts";
import { Stream, type StreamListener, type StreamOwner } from "./stream.ts";

/** What the owner of a session wants to know. All are called synchronously. */
export interface SessionEvents {
  /** Bytes wait to be taken. */
  onPending(): void;
  /** The session is over: every stream was told. `error` is null when it ended in order. Pending bytes may remain. */
  onOver(error: WeirError | null): void;
  /** A client opens a stream (server role only); null refuses it. */
  onStream?(stream: Stream): StreamListener | null;
  /** Settings, GOAWAY or a stream's end changed what can be opened. */
  onChange?(): void;
}

/** The text in a GOAWAY frame, for whoever reads the peer's log. */
const MAX_DEBUG_BYTES = 200;

/** The state of one connection. */
export class Session implements StreamOwner {
  readonly role: Role;
  /** Who is at the other end, for errors. */
  readonly peer: Side;
  readonly reader: FrameReader;
  readonly output: Output;
  readonly rateLimits: RateLimits;
  readonly scheduler: Scheduler;
  readonly encoder = new HpackEncoder();
  readonly streams = new Map<number, Stream>();
  readonly closedStreams = new ClosedStreams();
  readonly earlyEnds = new EarlyEnds(this);
  readonly peerSettings: PeerSettings = defaultPeerSettings();
  readonly events: SessionEvents;
  /** Nothing more is read. */
  over = false;
  /** The peer's SETTINGS are known. */
  settled = false;
  /** GOAWAY was sent, received. */
  goawaySent = false;
  goawayReceived = false;
  /** The peer has asked for HTTP/1.1 in the place of this connection (§7). */
  requiresHttp1 = false;
  /** Highest identifier that the peer has opened. */
  lastPeerStream = 0;
  /** Next identifier that weir opens. */
  nextStream = 1;
  readonly #inbound: Inbound;
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW);
  readonly #flushes = new Flushes();

  constructor(
    role: Role,
    events: SessionEvents,
    { now, lenient = false }: { now?: () => number; lenient?: boolean } = {},
  ) {
    this.role = role;
    this.peer = role === "server" ? "client" : "server";
    this.events = events;
    this.rateLimits = new RateLimits(now);
    this.reader = new FrameReader(role === "server");
    this.output = new Output(() => events.onPending());
    this.scheduler = new Scheduler(
      DEFAULT_WINDOW,
      this.output,
      this.encoder,
      (stream) => this.#localEnd(stream),
    );
    this.#inbound = new Inbound(this, { lenient });
  }

  /** §3.4: the preface of this end. */
  start(): void {
    if (this.role === "client") this.output.bytes(PREFACE);
    this.output.frame(FrameType.SETTINGS, 0, 0, ownSettings(this.role));
    this.sendWindowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  // Bytes in.

  space(): Uint8Array {
    return this.reader.space();
  }

  /** `count` bytes of the peer's were put into `space()`. */
  filled(count: number): void {
    if (this.over) return;
    this.reader.filled(count);
    try {
      while (!this.over && this.reader.next()) this.#inbound.frame();
      if (this.output.length > OUTPUT_LIMIT) {
        throw new ConnectionError(Code.ENHANCE_YOUR_CALM, "Answers pile up that the peer does not read.");
      }
    } catch (error) {
      this.fail(error);
    }
    this.scheduler.run();
  }

  /** A head has begun and is not complete: the peer owes the rest. */
  get midHead(): boolean {
    return this.reader.midHead || this.#inbound.midBlock;
  }

  /** Heads that were complete so far. */
  get headCount(): number {
    return this.#inbound.headCount;
  }

  // Bytes out.

  /** The bytes to write now, empty when there are none; `taken` must follow when they are written. */
  take(): Uint8Array {
    if (this.output.length === 0) return NOTHING;
    this.#flushes.started();
    return this.output.take();
  }

  taken(): void {
    this.output.written();
    this.#flushes.finished();
    this.scheduler.run();
  }

  /** Resolves when everything sent so far was taken by the connection. */
  flushed(): Promise<void> {
    return this.#flushes.all(this.output.length > 0);
  }

  // Streams.

  /** A stream for a request of weir's; it is opened on the wire by its first head. */
  newStream(listener: StreamListener): Stream {
    return new Stream(this, listener, this.peerSettings.initialWindow);
  }

  /** A stream that the peer has opened. */
  acceptStream(id: number): Stream | null {
    const stream = this.newStream(NOBODY);
    stream.id = id;
    const listener = this.events.onStream?.(stream) ?? null;
    if (listener === null) return null;
    stream.listener = listener;
    this.streams.set(id, stream);
    return stream;
  }

  /** Called as a stream's head is written: gives it its identifier if it has none. */
  opened(stream: Stream): void {
    if (stream.id !== 0) return;
    stream.id = this.nextStream;
    this.nextStream += 2;
    // SETTINGS may have come while it waited.
    stream.sendWindow = this.peerSettings.initialWindow;
    this.streams.set(stream.id, stream);
    stream.listener.onOpened?.();
  }

  offer(stream: Stream): boolean {
    return this.scheduler.offer(stream);
  }

  sendEnd(stream: Stream): void {
    this.scheduler.end(stream);
  }

  sendWindowUpdate(streamId: number, increment: number): void {
    if (!this.over) this.output.numberFrame(FrameType.WINDOW_UPDATE, streamId, increment);
  }

  /** Ends one stream with RST_STREAM; its listener is not told. */
  reset(stream: Stream, code: number, error: WeirError): void {
    if (stream.closed) return;
    stream.lose(error);
    if (stream.id === 0 || this.over) return;
    this.output.numberFrame(FrameType.RST_STREAM, stream.id, code);
    this.#forget(stream, "reset here");
  }

  /** END_STREAM was written. */
  #localEnd(stream: Stream): void {
    stream.localEnded = true;
    const { cancelled } = stream.body;
    if (cancelled !== null) this.bodyCancelled(stream, cancelled);
    this.halfDone(stream);
  }

  /** One half of a stream has ended; a stream with both ended is closed. */
  halfDone(stream: Stream): void {
    if (stream.localEnded && stream.remoteEnded && stream.error === null) this.#forget(stream, "in order");
  }

  /** The peer, or a fault of the peer's, has ended a stream. */
  streamLost(stream: Stream, error: WeirError, ending: StreamEnding = "reset here"): void {
    stream.lose(error);
    this.#forget(stream, ending);
    stream.listener.onLost(error);
  }

  /**
   * Nobody takes the rest of what the peer sends. A server is told at once. A client is told once it has its whole
   * response (§8.1): RST_STREAM would take the response from it, and until then its window stops it.
   */
  bodyCancelled(stream: Stream, reason: WeirError): void {
    if (stream.remoteEnded) return;
    if (this.role === "client") this.reset(stream, resetCode(reason, "server"), reason);
    else if (stream.localEnded) this.earlyEnds.add(stream, reason);
  }

  endEarly(stream: Stream, error: WeirError): void {
    this.earlyEnds.add(stream, error);
  }

  #forget(stream: Stream, ending: StreamEnding): void {
    if (!this.streams.delete(stream.id)) return;
    this.earlyEnds.forget(stream);
    this.closedStreams.add(stream.id, ending);
    this.events.onChange?.();
    if (this.streams.size === 0 && (this.goawaySent || this.goawayReceived)) this.end(null);
  }

  // The connection.

  /** DATA arrived. @throws {ConnectionError} when there was none left. */
  receivedData(flowLength: number): void {
    if (!this.#window.receive(flowLength)) {
      throw new ConnectionError(
        Code.FLOW_CONTROL_ERROR,
        "The connection's flow-control window was exceeded.",
      );
    }
    const credit = this.#window.take(flowLength);
    if (credit > 0) this.sendWindowUpdate(0, credit);
  }

  /** §6.9.2: a change of the initial window moves the window of every stream. */
  changeInitialWindow(difference: number): void {
    for (const stream of this.streams.values()) {
      if (!stream.addSendWindow(difference, MAX_WINDOW)) {
        throw new ConnectionError(
          Code.FLOW_CONTROL_ERROR,
          "SETTINGS_INITIAL_WINDOW_SIZE overflows a window.",
        );
      }
      if (stream.pendingData !== null) this.scheduler.enqueue(stream);
    }
  }

  /** §6.8: streams beyond `last` were not looked at; the others go on. */
  receivedGoaway(last: number, code: number, debug: string): void {
    this.goawayReceived = true;
    this.requiresHttp1 ||= code === Code.HTTP_1_1_REQUIRED;
    const why = `GOAWAY with ${codeName(code)}${debug === "" ? "" : ` (${debug})`}`;
    if (this.role === "client") {
      for (const [id, stream] of [...this.streams]) {
        // §7: what has no answer by now will get none over HTTP/2.
        if (id > last || (code === Code.HTTP_1_1_REQUIRED && !stream.headReceived)) {
          this.streamLost(
            stream,
            new ResetError("server", `The server did not process the request: ${why}.`, code, true),
          );
        }
      }
    }
    this.#loseUnopened(`The request was not sent: ${why}.`, code);
    this.events.onChange?.();
    if (this.streams.size === 0 && !this.over) this.end(null);
  }

  /** Streams whose first head still waits for its turn. */
  #loseUnopened(message: string, code: number): void {
    for (const stream of this.scheduler.unopened()) {
      this.streamLost(stream, new ResetError(this.peer, message, code, true));
    }
  }

  ping(): void {
    this.output.frame(FrameType.PING, 0, 0, new Uint8Array(8));
  }

  /** Says GOAWAY, accepts no new stream, and ends when the open ones are done. */
  drain(): void {
    if (this.over || this.goawaySent) return;
    this.#sendGoaway(Code.NO_ERROR, "");
    this.events.onChange?.();
    if (this.streams.size === 0) this.end(null);
  }

  /** Says GOAWAY and ends now; open streams are lost. */
  close(error: WeirError): void {
    if (this.over) return;
    if (!this.goawaySent) this.#sendGoaway(Code.NO_ERROR, "");
    this.end(error);
  }

  /** The session cannot go on, by the peer's fault or by weir's: GOAWAY says why. */
  fail(thrown: unknown): void {
    if (this.over) return;
    const known = thrown instanceof ConnectionError;
    const code = known ? thrown.code : Code.INTERNAL_ERROR;
    this.#sendGoaway(code, known ? thrown.message : "");
    this.end(
      known
        ? new WeirError(this.peer, "protocol", `HTTP/2 ${codeName(code)}: ${thrown.message}`, {
          cause: thrown,
        })
        : WeirError.from(thrown, "weir", "internal", "HTTP/2 failed"),
    );
  }

  /** The session is over; streams that are still open are lost. */
  end(error: WeirError | null): void {
    if (this.over) return;
    this.over = true;
    const lost = error ?? new WeirError(this.peer, "closed", "The HTTP/2 connection has ended.");
    for (const stream of [...this.streams.values()]) this.streamLost(stream, lost);
    this.#loseUnopened("The connection ended before the request was sent.", Code.NO_ERROR);
    this.events.onChange?.();
    this.events.onOver(error);
  }

  /** The connection will take no more bytes. */
  cannotWrite(error: WeirError): void {
    this.#flushes.fail(error);
    this.end(error);
  }

  #sendGoaway(code: number, debug: string): void {
    this.goawaySent = true;
    const text = new TextEncoder().encode(debug).subarray(0, MAX_DEBUG_BYTES);
    const payload = new Uint8Array(8 + text.length);
    writeUint32(payload, 0, this.lastPeerStream);
    writeUint32(payload, 4, code);
    payload.set(text, 8);
    this.output.frame(FrameType.GOAWAY, 0, 0, payload);
  }
}

const NOTHING = new Uint8Array(0);
/** Stands in until the owner of a stream is known. */
const NOBODY: StreamListener = { onHead() {}, onLost() {} };
