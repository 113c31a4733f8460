import { assertEquals } from "@std/assert";
import { BytePool } from "../../src/websocket/byte_pool.ts";

Deno.test("what was given back is used again, for arrays of like size", () => {
  const pool = new BytePool();
  const first = pool.take(10_000);
  pool.give(first);
  const second = pool.take(10_100);
  assertEquals([second.buffer === first.buffer, second.length], [true, 10_100]);
  assertEquals(pool.take(10_100).buffer === first.buffer, false);
  pool.give(second);
  assertEquals(pool.take(5_000).buffer === first.buffer, false);
});

Deno.test("memory is at most an eighth larger than what it holds", () => {
  const pool = new BytePool();
  for (let size = 0; size < 100_000; size += 77) {
    const { buffer, length } = pool.take(size);
    assertEquals([length, buffer.byteLength >= size, buffer.byteLength <= size * 1.126], [size, true, true]);
  }
});

Deno.test("the pool keeps at most 4 MiB, and no foreign shapes", () => {
  const pool = new BytePool();
  const arrays = Array.from({ length: 100 }, () => pool.take(64 * 1024));
  for (const array of arrays) pool.give(array);
  const again = Array.from({ length: 100 }, () => pool.take(64 * 1024));
  const known = new Set(arrays.map(({ buffer }) => buffer));
  assertEquals(again.filter(({ buffer }) => known.has(buffer)).length, 64);
  const odd = new Uint8Array(1001);
  pool.give(odd);
  assertEquals(pool.take(1001).buffer === odd.buffer, false);
});
