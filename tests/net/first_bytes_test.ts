import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Conn } from "../../src/net/conn.ts";
import { FirstBytes } from "../../src/net/first_bytes.ts";
import { byteByByte, latin1, memoryConnPair, whole } from "../support/memory_conn.ts";

Deno.test("a released connection says whether its end was truncated", async () => {
  const [peer, conn] = memoryConnPair();
  const first = new FirstBytes(conn);
  await peer.writeText("ab");
  await first.until((bytes) => bytes.length > 0 ? true : undefined);
  const released = first.release();
  await peer.closeWrite();
  const into = new Uint8Array(9);
  assertEquals([await released.read(into), await released.read(into), released.truncated], [2, null, false]);
  conn.truncated = true;
  assertEquals(released.truncated, true);
});

const anything = (bytes: Uint8Array) => bytes.length > 0 ? true : undefined;

/** Asks for one line. */
const line = (bytes: Uint8Array) => bytes.includes(10) ? latin1(bytes) : undefined;

async function readText(conn: Conn, size = 64): Promise<string | null> {
  const into = new Uint8Array(size);
  const count = await conn.read(into);
  return count === null ? null : latin1(into.subarray(0, count));
}

for (const [how, split] of [["whole", whole], ["byte by byte", byteByByte]] as const) {
  Deno.test(`reads until it can be decided, and no further than needed (${how})`, async () => {
    const [peer, conn] = memoryConnPair({ split });
    const first = new FirstBytes(conn);
    await peer.writeText("hello\n");
    assertEquals(await first.until(line), "hello\n");
    await peer.writeText("more");
    // Deciding again on what is there does not read.
    assertEquals(await first.until(line), "hello\n");
    assertEquals(latin1(first.bytes), "hello\n");
    await peer.closeWrite();
    assertEquals(await new Response(readable(first.release())).text(), "hello\nmore");
  });
}

Deno.test("null at the peer's end, and what came before it is still there", async () => {
  const [peer, conn] = memoryConnPair();
  const first = new FirstBytes(conn);
  await peer.writeText("no line");
  await peer.closeWrite();
  assertEquals(await first.until(line), null);
  const released = first.release();
  assertEquals([await readText(released), await readText(released)], ["no line", null]);
});

Deno.test("null when 64 KiB decide nothing", async () => {
  const [peer, conn] = memoryConnPair();
  const first = new FirstBytes(conn);
  const writing = peer.writeText("x".repeat(70_000)).catch(() => {});
  assertEquals(await first.until(line), null);
  assert(first.bytes.length >= 65536 && first.bytes.length <= 70_000);
  conn.reset();
  await writing;
});

Deno.test("a connection that breaks rejects", async () => {
  const [peer, conn] = memoryConnPair();
  const reading = new FirstBytes(conn).until(anything);
  peer.reset();
  await assertRejects(() => reading, Deno.errors.ConnectionReset);
});

Deno.test("a read that is under way is handed over; who waited for a decision reads no further", async () => {
  const [peer, conn] = memoryConnPair();
  const first = new FirstBytes(conn);
  const decision = first.until(line);
  const released = first.release();
  assertEquals(await decision, null);
  await peer.writeText("abcdef");
  assertEquals([await readText(released, 4), await readText(released, 4)], ["abcd", "ef"]);
  await peer.writeText("ghi");
  assertEquals(await readText(released), "ghi");
  peer.close();
  assertEquals(await readText(released), null);
});

Deno.test("the end, or the break, that a handed-over read finds is its reader's", async () => {
  for (const how of ["closeWrite", "reset"] as const) {
    const [peer, conn] = memoryConnPair();
    const first = new FirstBytes(conn);
    void first.until(line);
    const released = first.release();
    const reading = readText(released);
    await peer[how]();
    if (how === "reset") await assertRejects(() => reading, Deno.errors.ConnectionReset);
    else assertEquals(await reading, null);
    conn.close();
  }
});

Deno.test("a released connection writes, ends and closes as the one below it", async () => {
  const [peer, conn] = memoryConnPair();
  const released = new FirstBytes(conn).release();
  assertEquals([released.localAddr, released.remoteAddr, released.tls], [
    conn.localAddr,
    conn.remoteAddr,
    null,
  ]);
  await released.write(Uint8Array.of(104, 105));
  await released.closeWrite();
  assertEquals(await peer.readToEnd(), "hi");
  released.close();
  assertEquals(conn.closed, true);
  const [, other] = memoryConnPair();
  new FirstBytes(other).release().reset();
  assertEquals(other.wasReset, true);
});

function readable(conn: Conn): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const into = new Uint8Array(3);
      const count = await conn.read(into);
      if (count === null) controller.close();
      else controller.enqueue(into.subarray(0, count));
    },
  });
}

Deno.test("bytes that were dropped are not there any more, those behind them are", async () => {
  const [peer, conn] = memoryConnPair();
  const first = new FirstBytes(conn);
  await peer.writeText("one\ntwo\n");
  assertEquals(await first.until(line), "one\ntwo\n");
  first.drop(4);
  assertEquals(await first.until(line), "two\n");
  first.drop(2);
  await peer.writeText("!");
  await peer.closeWrite();
  assertEquals(await new Response(readable(first.release())).text(), "o\n!");
});
