/**
 * What each frame of the peer does to the session (RFC 9113 §5.1, §6). A fault of one stream resets that stream
 * (§5.4.2); any other ends the connection (§5.4.1).
 * @module
 */
import { concat } from "@std/bytes";
import { type Side, WeirError } from "../errors.ts";
import { MAX_FIELD_BLOCK, MAX_FIELDS, MAX_LENIENT_FIELDS } from "../http/mod.ts";
import type { ClosedStreams, StreamEnding } from "./closed_streams.ts";
import { Code, codeName, ConnectionError, ResetError, StreamError } from "./errors.ts";
import type { FrameReader } from "./frame_reader.ts";
import { Flag, FrameType, readUint32, unpad } from "./frames.ts";
import { type DecodedFields, HpackDecoder } from "./hpack/decoder.ts";
import type { HpackEncoder } from "./hpack/encoder.ts";
import { HpackError } from "./hpack/error.ts";
import { latin1Decode } from "./hpack/huffman.ts";
import type { Output } from "./output.ts";
import type { RateLimits } from "./rate_limits.ts";
import type { Scheduler } from "./scheduler.ts";
import {
  MAX_CONCURRENT_STREAMS,
  MAX_WINDOW,
  type PeerSettings,
  readSettings,
  type Role,
} from "./settings.ts";
import type { Stream } from "./stream.ts";

/** A compressed block is as a rule smaller than its list; this leaves room for lists that are answered with 431. */
const MAX_BLOCK_SIZE = 2 * MAX_FIELD_BLOCK;
/** CVE-2024-27316 and its like: a block of MAX_BLOCK_SIZE needs 8 frames of full size. */
const MAX_CONTINUATIONS = 64;

/** The connection that the frames are about. */
export interface Receiver {
  readonly role: Role;
  readonly peer: Side;
  readonly reader: FrameReader;
  readonly output: Output;
  readonly encoder: HpackEncoder;
  readonly scheduler: Scheduler;
  readonly rateLimits: RateLimits;
  readonly streams: ReadonlyMap<number, Stream>;
  readonly closedStreams: ClosedStreams;
  readonly earlyEnds: { answered(payload: Uint8Array): void };
  readonly peerSettings: PeerSettings;
  readonly events: { onChange?(): void };
  /** The peer's SETTINGS are known. */
  settled: boolean;
  readonly goawaySent: boolean;
  requiresHttp1: boolean;
  /** Highest identifier that the peer has opened; next that weir opens. */
  lastPeerStream: number;
  readonly nextStream: number;
  /** Opens a stream of the peer's; null refuses it. */
  acceptStream(id: number): Stream | null;
  /** @throws {ConnectionError} when the connection's window has no room for it. */
  receivedData(flowLength: number): void;
  receivedGoaway(last: number, code: number, debug: string): void;
  /** @throws {ConnectionError} when a stream's window passes its maximum. */
  changeInitialWindow(difference: number): void;
  streamLost(stream: Stream, error: WeirError, ending?: StreamEnding): void;
}

/** The receiving side of one session. */
export class Inbound {
  readonly #session: Receiver;
  readonly #decoder: HpackDecoder;
  #settled = false;
  /** The header block that CONTINUATION goes on with; stream 0 means none. */
  #blockStream = 0;
  #blockEndsStream = false;
  /** The block's HEADERS frame depends on its own stream. */
  #isBlockAtFault = false;
  #block: Uint8Array[] = [];
  #blockSize = 0;
  /** Header blocks that were complete. */
  headCount = 0;

  /** `lenient` takes more fields: for servers alone. */
  constructor(session: Receiver, { lenient }: { lenient: boolean }) {
    this.#session = session;
    this.#decoder = new HpackDecoder(lenient ? MAX_LENIENT_FIELDS : MAX_FIELDS);
  }

  get midBlock(): boolean {
    return this.#blockStream !== 0;
  }

  /** Acts on the frame that the session's reader shows. @throws {ConnectionError} */
  frame(): void {
    const { type, flags, streamId, payload } = this.#session.reader;
    if (!this.#settled) {
      // §3.4: SETTINGS is the first frame.
      if (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0) {
        throw new ConnectionError(Code.PROTOCOL_ERROR, "The first frame is not SETTINGS.");
      }
      this.#settled = true;
    }
    if (this.#blockStream !== 0 && (type !== FrameType.CONTINUATION || streamId !== this.#blockStream)) {
      throw new ConnectionError(Code.PROTOCOL_ERROR, "A header block is interrupted by another frame.");
    }
    try {
      this.#dispatch(type, flags, streamId, payload);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#streamFault(streamId, error);
    }
  }

  #dispatch(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    switch (type) {
      case FrameType.DATA:
        return this.#data(flags, streamId, payload);
      case FrameType.HEADERS:
        this.#isBlockAtFault = dependsOnItself(flags, streamId, payload);
        return this.#headers(flags, streamId, unpad(type, flags, payload));
      case FrameType.CONTINUATION:
        return this.#continuation(flags, payload);
      case FrameType.RST_STREAM:
        return this.#rstStream(streamId, readUint32(payload, 0));
      case FrameType.SETTINGS:
        return this.#settings(flags, payload);
      case FrameType.PING:
        return this.#ping(flags, payload);
      case FrameType.GOAWAY:
        return this.#session.receivedGoaway(
          readUint32(payload, 0) & 0x7fffffff,
          readUint32(payload, 4),
          printable(payload.subarray(8)),
        );
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(streamId, readUint32(payload, 0) & 0x7fffffff);
      case FrameType.PRIORITY:
        return this.#priority(streamId, payload);
      case FrameType.PUSH_PROMISE:
        // §8.4: clients never send it, and weir as a client has turned it off.
        throw new ConnectionError(Code.PROTOCOL_ERROR, "PUSH_PROMISE is not allowed here.");
    }
  }

  /** §6.1. */
  #data(flags: number, streamId: number, padded: Uint8Array): void {
    const session = this.#session;
    session.receivedData(padded.length);
    const payload = unpad(FrameType.DATA, flags, padded);
    const stream = this.#find(streamId, "DATA");
    if (stream === null) {
      // Late frames of a stream that was reset here are expected; others are not (§5.1).
      if (session.closedStreams.endingOf(streamId) !== "reset here") {
        throw new StreamError(Code.STREAM_CLOSED, "DATA on a closed stream.");
      }
      return;
    }
    if (stream.remoteEnded) throw new StreamError(Code.STREAM_CLOSED, "DATA after END_STREAM.");
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if (payload.length === 0 && !endStream) session.rateLimits.count("empty data");
    stream.receiveData(payload, padded.length, endStream);
  }

  /** §6.2. */
  #headers(flags: number, streamId: number, fragment: Uint8Array): void {
    const endStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return this.#wholeBlock(streamId, fragment, endStream);
    this.#blockStream = streamId;
    this.#blockEndsStream = endStream;
    this.#block = [fragment.slice()];
    this.#blockSize = fragment.length;
  }

  /** §6.10. */
  #continuation(flags: number, fragment: Uint8Array): void {
    if (this.#blockStream === 0) {
      throw new ConnectionError(Code.PROTOCOL_ERROR, "CONTINUATION without a header block.");
    }
    this.#blockSize += fragment.length;
    if (this.#blockSize > MAX_BLOCK_SIZE || this.#block.length > MAX_CONTINUATIONS) {
      throw new ConnectionError(
        Code.ENHANCE_YOUR_CALM,
        `A header block has ${this.#block.length + 1} frames with ${this.#blockSize} bytes.`,
      );
    }
    this.#block.push(fragment.slice());
    if ((flags & Flag.END_HEADERS) === 0) return;
    const block = concat(this.#block), streamId = this.#blockStream;
    this.#blockStream = 0;
    this.#block = [];
    this.#wholeBlock(streamId, block, this.#blockEndsStream);
  }

  #wholeBlock(streamId: number, block: Uint8Array, endStream: boolean): void {
    const session = this.#session;
    this.headCount++;
    // Decoded first and always: the decoder's table must stay the same as the peer's (§4.3).
    const fields = this.#decode(block);
    if (this.#isBlockAtFault) {
      if (session.role === "server" && streamId % 2 === 1) {
        session.lastPeerStream = Math.max(session.lastPeerStream, streamId);
      }
      throw new StreamError(Code.PROTOCOL_ERROR, SELF_DEPENDENCY);
    }
    if (session.role === "server" && streamId > session.lastPeerStream && streamId % 2 === 1) {
      return this.#newStream(streamId, fields, endStream);
    }
    const stream = this.#find(streamId, "HEADERS");
    if (stream === null) {
      const ending = session.closedStreams.endingOf(streamId);
      if (ending === "reset here") return;
      throw ending !== undefined
        ? new ConnectionError(
          Code.STREAM_CLOSED,
          `HEADERS on stream ${streamId}, which was closed (${ending}).`,
        )
        // §5.1.1: identifiers rise.
        : new ConnectionError(Code.PROTOCOL_ERROR, `HEADERS on stream ${streamId}, which is below the last.`);
    }
    if (stream.remoteEnded) throw new StreamError(Code.STREAM_CLOSED, "HEADERS after END_STREAM.");
    stream.receiveHead(fields, endStream);
  }

  #newStream(streamId: number, fields: DecodedFields, endStream: boolean): void {
    const session = this.#session;
    session.lastPeerStream = streamId;
    // §5.1.2, and after GOAWAY: the client may send it again elsewhere.
    if (session.goawaySent) throw new StreamError(Code.REFUSED_STREAM, "The connection is shutting down.");
    if (session.streams.size >= MAX_CONCURRENT_STREAMS) {
      throw new StreamError(Code.REFUSED_STREAM, `More than ${MAX_CONCURRENT_STREAMS} streams are open.`);
    }
    const stream = session.acceptStream(streamId);
    if (stream === null) {
      throw new StreamError(Code.REFUSED_STREAM, "Too many requests are still being ended.");
    }
    stream.receiveHead(fields, endStream);
  }

  #decode(block: Uint8Array): DecodedFields {
    try {
      return this.#decoder.decode(block);
    } catch (error) {
      if (error instanceof HpackError) throw new ConnectionError(Code.COMPRESSION_ERROR, error.message);
      throw error;
    }
  }

  /** §5.3.2: deprecated; nothing is done with it but what RFC 7540 §5.3.1 forbids. */
  #priority(streamId: number, payload: Uint8Array): void {
    this.#session.rateLimits.count("priority");
    if (!dependsOnItself(Flag.PRIORITY, streamId, payload)) return;
    // No RST_STREAM may name an idle stream.
    this.#find(streamId, "PRIORITY with a dependency on itself");
    throw new StreamError(Code.PROTOCOL_ERROR, SELF_DEPENDENCY);
  }

  /** §6.4. */
  #rstStream(streamId: number, code: number): void {
    const session = this.#session;
    const stream = this.#find(streamId, "RST_STREAM");
    // A server's NO_ERROR takes one of weir's own streams each time. It says that all is well, but it ends no body: what has
    // no END_STREAM is cut (§8.1).
    const isDone = session.role === "client" && code === Code.NO_ERROR && stream !== null;
    if (!isDone) session.rateLimits.count("reset");
    if (stream === null) return;
    const unprocessed = session.role === "client" && code === Code.REFUSED_STREAM;
    if (session.role === "client" && code === Code.HTTP_1_1_REQUIRED) session.requiresHttp1 = true;
    const who = session.peer === "client" ? "The client" : "The server";
    const what = isDone && stream.remoteEnded
      ? `${who} answered without the rest of the request (NO_ERROR).`
      : `${who} reset the stream with ${codeName(code)}.`;
    session.streamLost(
      stream,
      new ResetError(session.peer, what, code, unprocessed),
      "reset by peer",
    );
  }

  /** §6.5. */
  #settings(flags: number, payload: Uint8Array): void {
    if ((flags & Flag.ACK) !== 0) return;
    const session = this.#session, before = session.peerSettings.initialWindow;
    session.rateLimits.count("settings");
    session.settled = true;
    readSettings(payload, session.peerSettings, session.role === "server" ? "client" : "server");
    session.encoder.setMaxTableSize(session.peerSettings.headerTableSize);
    session.changeInitialWindow(session.peerSettings.initialWindow - before);
    session.output.frame(FrameType.SETTINGS, Flag.ACK, 0, new Uint8Array(0));
    session.events.onChange?.();
  }

  /** §6.7. */
  #ping(flags: number, payload: Uint8Array): void {
    if ((flags & Flag.ACK) !== 0) return this.#session.earlyEnds.answered(payload);
    this.#session.rateLimits.count("ping");
    this.#session.output.frame(FrameType.PING, Flag.ACK, 0, payload);
  }

  /** §6.9. */
  #windowUpdate(streamId: number, increment: number): void {
    const { scheduler } = this.#session;
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionError(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by 0.");
      scheduler.window += increment;
      if (scheduler.window > MAX_WINDOW) {
        throw new ConnectionError(
          Code.FLOW_CONTROL_ERROR,
          "WINDOW_UPDATE overflows the connection's window.",
        );
      }
      return;
    }
    const stream = this.#find(streamId, "WINDOW_UPDATE");
    if (stream === null) return;
    if (increment === 0) throw new StreamError(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by 0.");
    if (!stream.addSendWindow(increment, MAX_WINDOW)) {
      throw new StreamError(Code.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows a stream's window.");
    }
    scheduler.enqueue(stream);
  }

  /** The open stream, or null for a closed one. @throws {ConnectionError} for one that is idle (§5.1). */
  #find(streamId: number, what: string): Stream | null {
    const session = this.#session;
    const stream = session.streams.get(streamId);
    if (stream !== undefined) return stream;
    // weir pushes nothing and takes no push: streams with even identifiers are idle for ever.
    const below = session.role === "server" ? session.lastPeerStream : session.nextStream - 1;
    if (streamId % 2 === 0 || streamId > below) {
      throw new ConnectionError(Code.PROTOCOL_ERROR, `${what} on the idle stream ${streamId}.`);
    }
    return null;
  }

  #streamFault(streamId: number, fault: StreamError): void {
    const session = this.#session;
    session.rateLimits.count("reset");
    const stream = session.streams.get(streamId);
    session.output.numberFrame(FrameType.RST_STREAM, streamId, fault.code);
    if (stream === undefined) return session.closedStreams.add(streamId, "reset here");
    session.streamLost(
      stream,
      new WeirError(
        session.peer,
        "protocol",
        `HTTP/2 ${codeName(fault.code)} on a stream: ${fault.message}`,
        {
          cause: fault,
        },
      ),
    );
  }
}

const SELF_DEPENDENCY = "A stream depends on itself.";

/** RFC 7540 §5.3.1: the priority of a HEADERS or PRIORITY frame names the frame's own stream. */
function dependsOnItself(flags: number, streamId: number, payload: Uint8Array): boolean {
  const at = (flags & Flag.PADDED) !== 0 ? 1 : 0;
  return (flags & Flag.PRIORITY) !== 0 && payload.length >= at + 5 &&
    (readUint32(payload, at) & 0x7fffffff) === streamId;
}

/** Text that a peer put into GOAWAY, shortened and without control characters. */
function printable(bytes: Uint8Array): string {
  // deno-lint-ignore no-control-regex -- they are what is taken out
  return latin1Decode(bytes, 0, Math.min(bytes.length, 200)).replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}
