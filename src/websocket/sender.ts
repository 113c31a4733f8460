/**
 * How a message leaves: as it came when it was not changed, else cut and compressed anew (RFC 6455 §5.4, RFC 7692 §6.1).
 *
 * A compressed message that was not changed goes on as it was on the wire, frame lengths kept, since both legs agreed on the
 * same parameters. With context takeover that holds only while the receiver's window is the sender's: after the first
 * compressed message that was changed or dropped, weir compresses that direction itself. Injected
 * messages go uncompressed, which leaves the windows alone (RFC 7692 §7.2.3.2).
 * @module
 */
import { internals } from "../internals.ts";
import type { WebSocketMessage } from "./conversation.ts";
import { Deflater, MIN_DEFLATE_BITS } from "./deflate.ts";
import { Opcode } from "./frames.ts";
import type { ReadMessage } from "./messages.ts";
import { textCut } from "./utf8.ts";
import type { FrameWriter } from "./writer.ts";

/** permessage-deflate as one direction has it. */
export interface DirectionDeflate {
  readonly windowBits: number;
  readonly takeover: boolean;
}

/** Sends one direction's messages. */
export class MessageSender {
  readonly #out: FrameWriter;
  readonly #deflate: DirectionDeflate | null;
  #deflater: Deflater | null = null;
  #inStep = true;

  constructor(out: FrameWriter, deflate: DirectionDeflate | null) {
    this.#out = out;
    this.#deflate = deflate;
  }

  /** True while compressed messages can go on as they came. */
  get inStep(): boolean {
    return this.#inStep;
  }

  /** Sends what was read, as the hooks left it. Undefined when all fitted into the writer's buffer. */
  send(message: WebSocketMessage, read: ReadMessage): Promise<void> | undefined {
    const { changed } = message[internals];
    if (read.compressed) {
      if ((changed || message.dropped) && this.#deflate!.takeover) this.#inStep = false;
      if (message.dropped) return;
      if (!changed && read.wire !== null && this.#inStep) {
        return this.#frames(message, read.wire, read.lengths, true);
      }
      if (this.#deflate!.windowBits >= MIN_DEFLATE_BITS) return this.#compress(message, read);
    } else if (message.dropped) return;
    const content = contentOf(message);
    if (!changed && !read.compressed) return this.#frames(message, content, read.lengths, false);
    const size = read.compressed ? Infinity : longest(read);
    return this.#frames(message, content, cut(content, size, message.isText), false);
  }

  /** Sends a message of an addon's, in one frame. */
  inject(message: WebSocketMessage): Promise<void> | undefined {
    return this.#frames(message, contentOf(message), [message.size], false);
  }

  close(): void {
    this.#deflater?.close();
  }

  #compress(message: WebSocketMessage, read: ReadMessage): Promise<void> | undefined {
    const { windowBits, takeover } = this.#deflate!;
    this.#deflater ??= new Deflater(windowBits, takeover);
    const wire = this.#deflater.deflate(contentOf(message));
    return this.#frames(message, wire, cut(wire, longest(read), false), true);
  }

  #frames(
    message: WebSocketMessage,
    bytes: Uint8Array,
    lengths: readonly number[],
    compressed: boolean,
  ): Promise<void> | undefined {
    const opcode = message.isText ? Opcode.text : Opcode.binary;
    if (lengths.length === 1) return this.#out.frame(true, compressed, opcode, bytes);
    return this.#fragments(opcode, bytes, lengths, compressed);
  }

  async #fragments(opcode: number, bytes: Uint8Array, lengths: readonly number[], compressed: boolean) {
    let at = 0;
    for (let i = 0; i < lengths.length; i++) {
      const first = i === 0, fin = i === lengths.length - 1;
      const payload = bytes.subarray(at, at += lengths[i]);
      await this.#out.frame(fin, first && compressed, first ? opcode : Opcode.continuation, payload);
    }
  }
}

/** Without the bytes counting as seen: a busy message has its content. */
function contentOf(message: WebSocketMessage): Uint8Array {
  return message[internals].content!;
}

/** The fragment size of the peer that sent it; a message of one frame is sent in one frame again. */
function longest({ lengths }: ReadMessage): number {
  return lengths.length === 1 ? Infinity : lengths.reduce((a, b) => Math.max(a, b), 1);
}

/** Frame lengths for `bytes`, each at most `size`; a text is cut only between code points. */
function cut(bytes: Uint8Array, size: number, isText: boolean): number[] {
  const lengths: number[] = [];
  let at = 0;
  do {
    const end = isText ? textCut(bytes, at, size) : Math.min(bytes.length, at + size);
    lengths.push(end - at);
    at = end;
  } while (at < bytes.length);
  return lengths;
}
