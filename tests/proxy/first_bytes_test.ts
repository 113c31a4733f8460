import { assertEquals } from "@std/assert";
import { FirstBytes } from "../../src/proxy/first_bytes.ts";
import { memoryConnPair } from "../support/memory_conn.ts";

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
