import { assertEquals, assertStrictEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { BULK_SIZE } from "../../src/net/bulk_buffers.ts";
import { ReadBuffer, SMALL_SIZE } from "../../src/http1/read_buffer.ts";
import { byteByByte, latin1, memoryConnPair } from "../support/memory_conn.ts";

function unread(buffer: ReadBuffer): string {
  return latin1(buffer.bytes.subarray(buffer.start, buffer.end));
}

Deno.test("the buffer is small, grows when a read fills it, and shrinks when reads are short again", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  await peer.writeText("x".repeat(SMALL_SIZE + 10));
  await buffer.read();
  assertEquals([buffer.bytes.length, buffer.length], [SMALL_SIZE, SMALL_SIZE]);
  buffer.start = buffer.end;
  await buffer.read();
  assertEquals([buffer.bytes.length, buffer.length], [BULK_SIZE, 10]);
  buffer.start = buffer.end;
  await peer.writeText("y");
  await buffer.read();
  assertEquals([buffer.bytes.length, unread(buffer)], [SMALL_SIZE, "y"]);
});

Deno.test("a head that does not fit the small buffer moves to a large one, and back when it is over", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  const text = "0123456789".repeat(1000);
  await peer.writeText(text);
  while (buffer.length < text.length) await buffer.read();
  assertEquals([unread(buffer), buffer.bytes.length], [text, BULK_SIZE]);
  buffer.start = buffer.end - 5;
  buffer.shrink();
  assertEquals([unread(buffer), buffer.bytes.length], ["56789", SMALL_SIZE]);
});

Deno.test("what is unread moves to the front when space gets short behind it", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  await peer.writeText("x".repeat(SMALL_SIZE - 9) + "unread");
  await buffer.read();
  buffer.start = buffer.end - 6;
  await peer.writeText(", and more");
  await buffer.read();
  assertEquals([unread(buffer), buffer.bytes.length], ["unread, and more", SMALL_SIZE]);
});

Deno.test("two callers share one read", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  buffer.readAhead();
  const first = buffer.read(), second = buffer.read();
  assertStrictEquals(first, second);
  await peer.writeText("ab");
  await first;
  assertEquals(unread(buffer), "ab");
});

Deno.test("reading ahead leaves a piece that is still in use alone, and stops at one buffer", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  await peer.writeText("a".repeat(SMALL_SIZE));
  await buffer.read();
  const piece = buffer.bytes.subarray(0, buffer.end);
  buffer.start = buffer.end;
  buffer.readAhead();
  await peer.writeText("b".repeat(3 * SMALL_SIZE));
  await buffer.settled();
  for (let i = 0; i < 5; i++) {
    buffer.readAhead();
    await buffer.settled();
  }
  assertEquals(latin1(piece), "a".repeat(SMALL_SIZE));
  assertEquals(unread(buffer), "b".repeat(SMALL_SIZE));
});

Deno.test("the peer's end and its reset are told apart", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "server");
  await peer.closeWrite();
  await buffer.read();
  assertEquals([buffer.ended, buffer.error], [true, null]);
  const [other, second] = memoryConnPair(), broken = new ReadBuffer(second, "server");
  other.reset();
  await broken.read();
  assertEquals([broken.ended, broken.error?.code, broken.error?.side], [false, "closed", "server"]);
});

Deno.test("bytes that were read before come first", () => {
  const [, conn] = memoryConnPair(), early = new Uint8Array(3 * SMALL_SIZE).fill(65);
  assertEquals(unread(new ReadBuffer(conn, "client", early)), "A".repeat(3 * SMALL_SIZE));
});

Deno.test("a detached connection gives early bytes, those of a read under way, then its own", async () => {
  const [peer, conn] = memoryConnPair({ split: byteByByte }), buffer = new ReadBuffer(conn, "client");
  await peer.writeText("abc");
  await buffer.read();
  buffer.readAhead();
  const raw = buffer.detach(), into = new Uint8Array(10);
  let text = "";
  while (text.length < 3) text += latin1(into.subarray(0, (await raw.read(into))!));
  assertEquals(text, "abc");
  await raw.write(into.subarray(0, 1));
  await peer.closeWrite();
  assertEquals([await raw.read(into), raw.truncated], [null, false]);
  conn.truncated = true;
  assertEquals(raw.truncated, true);
  await peer.readExactly(1);
});

Deno.test("a detached connection passes on a reset that was noticed before", async () => {
  const [peer, conn] = memoryConnPair(), buffer = new ReadBuffer(conn, "client");
  buffer.readAhead();
  peer.reset();
  await buffer.settled();
  const error = await buffer.detach().read(new Uint8Array(1)).catch((thrown) => thrown);
  assertEquals(error instanceof WeirError, true);
});
