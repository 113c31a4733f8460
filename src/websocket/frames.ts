/**
 * Frames off the wire (RFC 6455 §5): an incremental parser that gives heads, and payloads in the pieces they come in.
 *
 * Sans-io: bytes are pushed in, events are pulled out, nothing is kept but the few bytes of a head.
 * @module
 */
import type { Side } from "../errors.ts";
import { CloseCode, WebSocketError } from "./close.ts";
import { applyMask } from "./mask.ts";

/** RFC 6455 §5.2. */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Longest head: 2 bytes, a 64-bit length, a key. */
export const MAX_HEAD = 14;
/** RFC 6455 §5.5: longest payload of a control frame. */
export const MAX_CONTROL = 125;

/** The first bytes of a frame (RFC 6455 §5.2). */
export interface FrameHead {
  readonly fin: boolean;
  /** With permessage-deflate, on a message's first frame: it is compressed (RFC 7692 §6). */
  readonly rsv1: boolean;
  readonly rsv2: boolean;
  readonly rsv3: boolean;
  readonly opcode: number;
  readonly masked: boolean;
  /** Bytes of payload. */
  readonly length: number;
}

/** True for Close, Ping and Pong (and what is reserved beside them). */
export function isControl(head: FrameHead): boolean {
  return head.opcode >= 8;
}

/** What a frame is judged by besides its head. */
interface Context {
  /** Who sent it. */
  readonly side: Side;
  /** permessage-deflate was agreed on. */
  readonly deflate: boolean;
  /** A fragmented message is unfinished. */
  readonly open: boolean;
}

interface Rule {
  broken(head: FrameHead, context: Context): boolean;
  says(head: FrameHead): string;
}

/** What a head must not be; the first rule that is broken is told. */
const RULES: readonly Rule[] = [
  { // RFC 6455 §5.2
    broken: ({ opcode }) => opcode > 10 || (opcode > 2 && opcode < 8),
    says: ({ opcode }) => `a frame with the reserved opcode ${opcode}`,
  },
  { // RFC 6455 §5.2
    broken: ({ rsv2, rsv3 }) => rsv2 || rsv3,
    says: () => "a frame with RSV2 or RSV3 set, which no extension asked for",
  },
  { // RFC 7692 §6 and §6.1: compression belongs to a message, so to its first frame
    broken: ({ rsv1, opcode }, { deflate }) =>
      rsv1 && !(deflate && (opcode === Opcode.text || opcode === Opcode.binary)),
    says: () => "a frame with RSV1 set where nothing can be compressed",
  },
  { // RFC 6455 §5.1
    broken: ({ masked }, { side }) => masked !== (side === "client"),
    says: ({ masked }) => masked ? "a masked frame" : "an unmasked frame",
  },
  { // RFC 6455 §5.5
    broken: (head) => isControl(head) && head.length > MAX_CONTROL,
    says: ({ length }) => `a control frame of ${length} bytes (at most ${MAX_CONTROL} are allowed)`,
  },
  { // RFC 6455 §5.5
    broken: (head) => isControl(head) && !head.fin,
    says: () => "a fragmented control frame",
  },
  { // RFC 6455 §5.4
    broken: ({ opcode }, { open }) => opcode === Opcode.continuation && !open,
    says: () => "a continuation frame with no message to continue",
  },
  { // RFC 6455 §5.4
    broken: (head, { open }) => !isControl(head) && head.opcode !== Opcode.continuation && open,
    says: () => "a new message inside an unfinished one",
  },
];

/** What {@linkcode FrameParser.next} found: a head, or (part of) its payload. Every head is followed by a payload. */
export type FrameEvent = "head" | "payload";

const EMPTY = new Uint8Array(0);

/** Takes one peer's bytes apart. */
export class FrameParser {
  /** The current frame's head. */
  head: FrameHead = {
    fin: true,
    rsv1: false,
    rsv2: false,
    rsv3: false,
    opcode: 0,
    masked: false,
    length: 0,
  };
  /** After "payload": the piece, unmasked; a view on what was pushed. Empty only when the whole payload is. */
  piece: Uint8Array = EMPTY;
  /** After "payload": how many bytes of the payload follow the piece; 0 when the frame is complete. */
  left = 0;
  readonly #side: Side;
  readonly #deflate: boolean;
  readonly #start = new Uint8Array(MAX_HEAD);
  #have = 0;
  #need = 2;
  #inPayload = false;
  #open = false;
  #key = 0;
  #input: Uint8Array = EMPTY;
  #at = 0;

  /** `side`: whose bytes these are; `deflate`: permessage-deflate was agreed on. */
  constructor(side: Side, deflate: boolean) {
    this.#side = side;
    this.#deflate = deflate;
  }

  /** True between the first and the last frame of a message. */
  get open(): boolean {
    return this.#open;
  }

  /** Gives the next bytes; the last ones must be used up. They are unmasked in place. */
  push(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#at = 0;
  }

  /** What comes next; undefined when more bytes are needed. Throws {@linkcode WebSocketError} on a broken rule. */
  next(): FrameEvent | undefined {
    return this.#inPayload ? this.#payload() : this.#head();
  }

  #head(): "head" | undefined {
    const input = this.#input, start = this.#start;
    while (this.#have < this.#need) {
      if (this.#at === input.length) return undefined;
      start[this.#have++] = input[this.#at++];
      if (this.#have === 2) this.#need = headLength(start[1]);
    }
    const head = this.head = decodeHead(start, this.#side);
    const context = { side: this.#side, deflate: this.#deflate, open: this.#open };
    for (const rule of RULES) {
      if (rule.broken(head, context)) {
        throw new WebSocketError(
          this.#side,
          CloseCode.protocolError,
          `The ${this.#side} sent ${rule.says(head)}.`,
        );
      }
    }
    if (!isControl(head)) this.#open = !head.fin;
    if (head.masked) this.#key = new DataView(start.buffer).getInt32(this.#need - 4, true);
    this.left = head.length;
    this.#inPayload = true;
    this.#have = 0;
    this.#need = 2;
    return "head";
  }

  #payload(): "payload" | undefined {
    const available = this.#input.length - this.#at;
    if (available === 0 && this.left > 0) return undefined;
    const count = Math.min(available, this.left);
    const piece = this.piece = this.#input.subarray(this.#at, this.#at + count);
    if (this.head.masked) applyMask(piece, this.#key, this.head.length - this.left);
    this.#at += count;
    this.left -= count;
    if (this.left === 0) this.#inPayload = false;
    return "payload";
  }
}

/** Bytes of a head, told by its second byte. */
function headLength(second: number): number {
  const length = second & 0x7f;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (second & 0x80 ? 4 : 0);
}

function decodeHead(start: Uint8Array, side: Side): FrameHead {
  const first = start[0], second = start[1];
  let length = second & 0x7f;
  if (length === 126) length = start[2] << 8 | start[3];
  else if (length === 127) {
    const long = new DataView(start.buffer).getBigUint64(2);
    // RFC 6455 §5.2 forbids the top bit; beyond 2^53 a number could not count the bytes.
    if (long > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new WebSocketError(side, CloseCode.protocolError, `The ${side} sent a frame of ${long} bytes.`);
    }
    length = Number(long);
  }
  return {
    fin: (first & 0x80) !== 0,
    rsv1: (first & 0x40) !== 0,
    rsv2: (first & 0x20) !== 0,
    rsv3: (first & 0x10) !== 0,
    opcode: first & 0x0f,
    masked: (second & 0x80) !== 0,
    length,
  };
}

/** Writes a head at `at`, with a mask key unless that is null; returns where the payload goes. */
export function encodeFrameHead(
  into: Uint8Array,
  at: number,
  fin: boolean,
  rsv1: boolean,
  opcode: number,
  length: number,
  key: number | null,
): number {
  const masked = key === null ? 0 : 0x80;
  into[at++] = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode;
  if (length < 126) into[at++] = masked | length;
  else if (length < 0x10000) {
    into[at++] = masked | 126;
    into[at++] = length >> 8;
    into[at++] = length;
  } else {
    into[at++] = masked | 127;
    for (let shift = 7; shift >= 0; shift--) into[at++] = Math.floor(length / 2 ** (8 * shift)) % 256;
  }
  if (key !== null) { for (let bits = 0; bits < 32; bits += 8) into[at++] = key >>> bits; }
  return at;
}
