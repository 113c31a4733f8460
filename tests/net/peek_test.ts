import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { peek, PEEK_LIMIT, prefixed } from "../../src/net/mod.ts";
import { memoryConnPair, splitBy } from "../support/memory_conn.ts";

Deno.test("peek reads until it is decided, and prefixed puts the bytes back, at any split", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 5, maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 50 }),
      async (bytes, counts, size) => {
        const [client, server] = memoryConnPair({ split: splitBy(counts) });
        await client.write(bytes);
        await client.closeWrite();
        const seen = await peek(server, (soFar) => soFar.length >= 5);
        assertEquals(seen, bytes.subarray(0, seen.length));
        const again = prefixed(server, seen);
        const read: number[] = [];
        const into = new Uint8Array(size);
        for (let count; (count = await again.read(into)) !== null;) read.push(...into.subarray(0, count));
        assertEquals(Uint8Array.from(read), bytes);
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("peek ends at the peer's end and at its limit", async () => {
  const [client, server] = memoryConnPair({ capacity: 4 * PEEK_LIMIT });
  await client.write(new Uint8Array(2 * PEEK_LIMIT));
  assertEquals((await peek(server, () => false)).length, PEEK_LIMIT);
  await client.closeWrite();
  assertEquals((await peek(server, () => false)).length, PEEK_LIMIT);
  assertEquals((await peek(server, () => false)).length, 0);
});

Deno.test("peek that needs no bytes reads none", async () => {
  const [client, server] = memoryConnPair();
  await client.write(new Uint8Array(3));
  assertEquals((await peek(server, () => true)).length, 0);
  assertEquals(server.bytesRead, 0);
});

Deno.test("a prefixed connection writes, ends and resets the one under it", async () => {
  const [client, server] = memoryConnPair();
  const conn = prefixed(server, new Uint8Array(1));
  assertEquals(conn.localAddr, server.localAddr);
  await conn.write(new Uint8Array(2));
  await conn.closeWrite();
  assertEquals(await client.countToEnd(), 2);
  server.truncated = true;
  assertEquals(conn.truncated, true);
  conn.reset();
  assertEquals(server.wasReset, true);
});
