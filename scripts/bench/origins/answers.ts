/**
 * What the bench's origin answers:
 *
 *     GET  /small        1 KiB
 *     GET  /length/N     N bytes, with a content-length
 *     GET  /chunked/N    N bytes in chunks of 16 KiB; N is a multiple of 256 KiB
 *     GET  /gzip/N       N bytes of text, gzip-coded, with a content-length
 *     POST /sink         reads the body, answers with its length
 *     GET  /flood/N      WebSocket: messages of N bytes without end, as long as they are answered
 *     GET  /drain/N      WebSocket: takes messages of N bytes and answers them (see `flood.ts`)
 * @module
 */
import { gzipSync } from "node:zlib";
import type { Head, Wire } from "../wire.ts";
import { receive, send } from "../flood.ts";
import { acceptKey } from "../websocket.ts";

const CHUNK = 16 * 1024;
/** Written at once; a multiple of {@linkcode CHUNK}. */
const BLOCK = 256 * 1024;

const encoder = new TextEncoder();
const SMALL = encoder.encode(
  "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1024\r\n\r\n" + "x".repeat(1024),
);
/** Lines of words, no two alike: it shrinks to about a third. */
const TEXT = encoder.encode(
  Array.from({ length: 20_000 }, (_, i) => `${i} ${(i * 2654435761 >>> 0).toString(36)} lorem ipsum\n`).join(
    "",
  ),
);
const PLAIN_BLOCK = new Uint8Array(BLOCK);
const CHUNKED_BLOCK = makeChunks(BLOCK / CHUNK);

/** Answers one request. */
export async function answer(request: Head, wire: Wire): Promise<void> {
  const [, target] = request.start.split(" ");
  const [name, argument] = target.replace(/^https?:\/\/[^/]+/, "").slice(1).split("/");
  const size = Number(argument);
  if (name === "small") return await wire.write(SMALL);
  if (name === "length") return await sendLength(wire, size);
  if (name === "chunked") return await sendChunked(wire, size);
  if (name === "gzip") return await sendGzip(wire, size);
  if (name === "sink") return await sink(request, wire);
  if (name === "flood") return await flood(request, wire, size);
  if (name === "drain") return await drain(request, wire, size);
  await wire.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
}

async function sendLength(wire: Wire, size: number): Promise<void> {
  await wire.write(head(`content-length: ${size}`));
  for (let left = size; left > 0; left -= BLOCK) await wire.write(PLAIN_BLOCK.subarray(0, left));
}

async function sendChunked(wire: Wire, size: number): Promise<void> {
  await wire.write(head("transfer-encoding: chunked"));
  for (let left = size; left > 0; left -= BLOCK) await wire.write(CHUNKED_BLOCK);
  await wire.write("0\r\n\r\n");
}

async function sendGzip(wire: Wire, size: number): Promise<void> {
  const coded = gzipped(size);
  await wire.write(head(`content-encoding: gzip\r\ncontent-length: ${coded.length}`));
  for (let at = 0; at < coded.length; at += BLOCK) await wire.write(coded.subarray(at, at + BLOCK));
}

/** Made once: it is the proxy that is measured. */
let coded: { readonly size: number; readonly bytes: Uint8Array } | null = null;

function gzipped(size: number): Uint8Array {
  if (coded?.size !== size) {
    const text = new Uint8Array(size);
    for (let at = 0; at < size; at += TEXT.length) text.set(TEXT.subarray(0, size - at), at);
    coded = { size, bytes: gzipSync(text, { level: 1 }) };
  }
  return coded.bytes;
}

async function sink(request: Head, wire: Wire): Promise<void> {
  const length = String(await wire.body(request));
  await wire.write(head(`content-length: ${length.length}`) + length);
}

async function flood(request: Head, wire: Wire, size: number): Promise<void> {
  await upgrade(request, wire);
  await send(wire, size, false, () => false);
}

async function drain(request: Head, wire: Wire, size: number): Promise<void> {
  await upgrade(request, wire);
  await receive(wire, size, false, () => false);
}

async function upgrade(request: Head, wire: Wire): Promise<void> {
  const accept = await acceptKey(request.fields.get("sec-websocket-key") ?? "");
  await wire.write(
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
      `sec-websocket-accept: ${accept}\r\n\r\n`,
  );
}

function head(framing: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n${framing}\r\n\r\n`;
}

function makeChunks(count: number): Uint8Array {
  const size = encoder.encode(`${CHUNK.toString(16)}\r\n`);
  const chunk = new Uint8Array(size.length + CHUNK + 2);
  chunk.set(size);
  chunk.set(encoder.encode("\r\n"), size.length + CHUNK);
  const block = new Uint8Array(count * chunk.length);
  for (let i = 0; i < count; i++) block.set(chunk, i * chunk.length);
  return block;
}
