/**
 * Just enough WebSocket (RFC 6455) to flood a proxy with messages and to count what comes out.
 * @module
 */

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const BINARY = 0x2;
const FIN = 0x80;
const MASKED = 0x80;
/** Random in real life (section 5.3); any will do against nobody. */
const MASK = [0x37, 0xfa, 0x21, 0x3d];
/** The longest frame header: two bytes, eight of length, four of mask. */
const MAX_HEADER = 14;

const encoder = new TextEncoder();

/** The answer to a `Sec-WebSocket-Key` (section 4.2.2). */
export async function acceptKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", encoder.encode(key + GUID));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}

/** `count` binary messages of `size` zeros, ready to send; a client's are masked. */
export function frames(size: number, count: number, masked: boolean): Uint8Array {
  const header = frameHeader(FIN | BINARY, size, masked);
  const frame = new Uint8Array(header.length + size);
  frame.set(header);
  if (masked) { for (let i = 0; i < size; i++) frame[header.length + i] = MASK[i & 3]; }
  const block = new Uint8Array(count * frame.length);
  for (let i = 0; i < count; i++) block.set(frame, i * frame.length);
  return block;
}

/** Counts whole messages, whatever frames they come in. */
export class MessageCounter {
  messages = 0;
  /** Payload bytes of all data frames that have begun. */
  payload = 0;
  readonly #header = new Uint8Array(MAX_HEADER);
  #have = 0;
  #skip = 0;

  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.length - at);
        this.#skip -= step;
        at += step;
      } else {
        this.#header[this.#have++] = bytes[at++];
        if (this.#have >= 2 && this.#have === headerLength(this.#header)) this.#begin();
      }
    }
  }

  #begin(): void {
    const length = payloadLength(this.#header);
    this.#have = 0;
    this.#skip = length;
    // Control frames are no messages.
    if ((this.#header[0] & 0x0f) >= 0x8) return;
    this.payload += length;
    if ((this.#header[0] & FIN) !== 0) this.messages++;
  }
}

function frameHeader(first: number, size: number, masked: boolean): Uint8Array {
  const extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const header = new Uint8Array(2 + extended + (masked ? 4 : 0));
  header[0] = first;
  header[1] = (masked ? MASKED : 0) | (extended === 0 ? size : extended === 2 ? 126 : 127);
  const view = new DataView(header.buffer);
  if (extended === 2) view.setUint16(2, size);
  if (extended === 8) view.setBigUint64(2, BigInt(size));
  if (masked) header.set(MASK, 2 + extended);
  return header;
}

function headerLength(header: Uint8Array): number {
  const short = header[1] & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((header[1] & MASKED) === 0 ? 0 : 4);
}

function payloadLength(header: Uint8Array): number {
  const short = header[1] & 0x7f;
  const view = new DataView(header.buffer);
  return short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
}
