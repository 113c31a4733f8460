/**
 * `grpcStream`: a function for each message of a gRPC, gRPC-Web or Connect body.
 * @module
 */
import { Buffer } from "node:buffer";
import { WeirError } from "../../errors.ts";
import { asBytes, nameOf } from "../bytes.ts";
import { codingsOf, decodeBytes, encodeBytes } from "../coding.ts";
import type { CodedMessage } from "../coding_stream.ts";
import { holdOf, type HoldOptions } from "../hold.ts";
import type { Cutter, Segment } from "./cutter.ts";
import { COMPRESSED, GRPC_HOLD, GrpcCutter, type GrpcFrame, writeFrame } from "./grpc.ts";
import type { GrpcMessage, GrpcMessageInit, GrpcOutput } from "./grpc_message.ts";
import { checkFunction, type UnitRules, unitStage } from "./unit_body.ts";

/**
 * A stage that calls `fn` for each message. With the HTTP `message` given, `data` is decompressed as its
 * `grpc-encoding` (or `connect-content-encoding`) says, and compressed again when it was changed; without it,
 * `data` is as on the wire. The function may change the message in place (its bytes too), return another one
 * to send instead, `null` (or `drop`) to send none, or an iterator of several (a generator's call, also an
 * async one); it may be async, and the next message waits for it.
 *
 * What is not changed goes out byte for byte as it came, still compressed; trailers (gRPC-Web) and the end of
 * the stream (Connect) pass. gRPC-Web's base64 form passes unseen, with one warning.
 *
 * A message of more than `hold` bytes (4 MiB, as in gRPC), compressed or not, fails the stage (code `limit`),
 * as does a body that ends in the middle of a message (`protocol`), and a function that throws or gives what
 * is no message (`addon`): the body is cut.
 *
 * @example
 * ```ts
 * import { grpcStream } from "weir";
 *
 * const hello = Uint8Array.of(0, 0, 0, 0, 2, 104, 105);
 * const stage = grpcStream((message) => {
 *   message.data[0] = 72;
 * });
 * const source = new Response(hello).body!;
 * const bytes = await new Response(source.pipeThrough(stage)).bytes();
 * if (bytes[5] !== 72) throw new Error(`${bytes}`);
 * ```
 *
 * @throws {TypeError} when `fn` is no function, and on an encoding that weir does not know.
 */
export function grpcStream(
  fn: (message: GrpcMessage) => GrpcOutput | PromiseLike<GrpcOutput>,
  message?: CodedMessage | null,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction(fn, "grpcStream", "grpcStream((message) => { message.data = … }, flow.response)");
  const { encoding, isText } = message == null ? { encoding: undefined, isText: null } : readHead(message);
  const hold = holdOf(options, GRPC_HOLD);
  return unitStage((warn) => {
    const cutter = new GrpcCutter(hold);
    return new GrpcRules(
      fn,
      encoding,
      hold,
      isText === false ? cutter : new TextCutter(cutter, isText, warn),
    );
  });
}

/** The message encoding (null for none), and whether the body is in base64. */
function readHead(message: CodedMessage): { encoding: string | null; isText: boolean } {
  if (typeof message.headers?.get !== "function") {
    throw new TypeError(
      `grpcStream takes the HTTP message as its second argument, flow.request or flow.response; not ${
        nameOf(message)
      }.`,
    );
  }
  const { headers } = message;
  const encoding = headers.get("grpc-encoding") ?? headers.get("connect-content-encoding");
  return {
    encoding: codingsOf(encoding).length === 0 ? null : encoding,
    isText: /^application\/grpc-web-text\b/i.test(headers.get("content-type") ?? ""),
  };
}

/** Bytes with which base64 begins when its first byte is 0, 1 or 128, and which no frame begins with. */
const TEXT_STARTS = [0x41, 0x67];

/**
 * gRPC-Web's base64 form (application/grpc-web-text) passes; `isText` is null when the body itself must tell.
 */
class TextCutter implements Cutter<GrpcFrame> {
  readonly #cutter: GrpcCutter;
  readonly #warn: (text: string) => void;
  #isText: boolean | null;
  #isStart = true;

  constructor(cutter: GrpcCutter, isText: boolean | null, warn: (text: string) => void) {
    this.#cutter = cutter;
    this.#isText = isText;
    this.#warn = warn;
  }

  push(piece: Uint8Array): Iterable<Segment<GrpcFrame>> {
    this.#isText ??= TEXT_STARTS.includes(piece[0]);
    if (!this.#isText) return this.#cutter.push(piece);
    if (this.#isStart) this.#warn("grpcStream: the body is gRPC-Web in base64, which passes unchanged.");
    this.#isStart = false;
    return [{ bytes: piece, unit: null }];
  }

  end(): Iterable<Segment<GrpcFrame>> {
    return this.#cutter.end();
  }
}

/** What is done with the messages of one body. */
class GrpcRules implements UnitRules<GrpcFrame> {
  readonly name = "grpcStream";
  readonly cutter: Cutter<GrpcFrame>;
  readonly #fn: (message: GrpcMessage) => unknown;
  /** Undefined when it is not known, and messages stay as they are. */
  readonly #encoding: string | null | undefined;
  readonly #hold: number;
  /** The message that the function was called for, and its data as it was. */
  #message: GrpcMessage | null = null;
  #before: Uint8Array | null = null;

  constructor(
    fn: (message: GrpcMessage) => unknown,
    encoding: string | null | undefined,
    hold: number,
    cutter: Cutter<GrpcFrame>,
  ) {
    this.#fn = fn;
    this.#encoding = encoding;
    this.#hold = hold;
    this.cutter = cutter;
  }

  call({ flags, payload }: GrpcFrame): unknown {
    const compressed = (flags & COMPRESSED) !== 0;
    this.#before = compressed && this.#encoding !== undefined ? this.#decoded(payload) : payload;
    this.#message = { data: this.#before.slice(), compressed, flags };
    return this.#fn(this.#message);
  }

  #decoded(payload: Uint8Array): Uint8Array {
    if (this.#encoding === null) {
      throw new WeirError(
        "weir",
        "protocol",
        "A gRPC message is compressed, but its head names no encoding.",
      );
    }
    return decodeBytes(payload, this.#encoding!, this.#hold);
  }

  edited(value: unknown, { bytes, unit }: { bytes: Uint8Array; unit: GrpcFrame | null }): Uint8Array {
    const { data, flags } = this.#checked(value === undefined ? this.#message : value, unit!);
    return flags === unit!.flags && isEqual(data, this.#before!) ? bytes : this.#written(flags, data);
  }

  added(value: unknown, segment: { bytes: Uint8Array; unit: GrpcFrame | null } | null): Uint8Array {
    if (value === this.#message && segment !== null) return this.edited(value, segment);
    const { data, flags } = this.#checked(value, segment!.unit!);
    return this.#written(flags, data);
  }

  /** Data and flags of a message that is to be sent in the place of `frame`. */
  #checked(value: unknown, frame: GrpcFrame): { data: Uint8Array; flags: number } {
    const message = Object(value) as Partial<GrpcMessageInit>;
    const data = asBytes(message.data);
    if (typeof value !== "object" || value === null || data === null) {
      const what = typeof value === "object" && value !== null
        ? `its data is ${nameOf(message.data)}`
        : nameOf(value);
      throw new TypeError(`a message is { data: Uint8Array, compressed?, flags? }, but ${what}`);
    }
    const { flags: given, compressed } = message;
    const wasCompressed = (frame.flags & COMPRESSED) !== 0;
    // Where nothing is said, weir compresses what takes the place of what was compressed.
    const flags = given ??
      (compressed === undefined && wasCompressed && typeof this.#encoding === "string" ? COMPRESSED : 0);
    if (!Number.isInteger(flags) || flags < 0 || flags > 0xff) {
      throw new TypeError(`the flags of a message are one byte, 0 to 255, not ${nameOf(flags)}`);
    }
    // Of the two, the one that was changed says it.
    const isSaid = compressed !== undefined &&
      (compressed !== wasCompressed || given === undefined || given === frame.flags);
    const isCompressed = isSaid ? compressed : (flags & COMPRESSED) !== 0;
    if (isCompressed && this.#encoding === null) {
      throw new TypeError("a message cannot be compressed where the head names no encoding");
    }
    return { data, flags: isCompressed ? flags | COMPRESSED : flags & ~COMPRESSED };
  }

  #written(flags: number, data: Uint8Array): Uint8Array {
    const isCoded = (flags & COMPRESSED) !== 0 && typeof this.#encoding === "string";
    return writeFrame(flags, isCoded ? encodeBytes(data, this.#encoding as string) : data);
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
