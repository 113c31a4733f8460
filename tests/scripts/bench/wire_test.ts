import { assertEquals, assertRejects } from "@std/assert";
import { listen } from "../../../scripts/bench/origins/server.ts";
import { answer } from "../../../scripts/bench/origins/answers.ts";
import { Client } from "../../../scripts/bench/load/client.ts";
import { requestTarget, type Target } from "../../../scripts/bench/load/target.ts";
import { get } from "../../../scripts/bench/load/get.ts";
import { download, upload } from "../../../scripts/bench/load/transfer.ts";
import { events, firstByte } from "../../../scripts/bench/load/latency.ts";
import { messagesDown, messagesUp } from "../../../scripts/bench/load/messages.ts";

/** The bench's own origin in this process. */
function origin(): Disposable & { target: Target } {
  const server = listen(answer);
  const port = Number(server.origin.split(":")[1]);
  const target: Target = { via: { kind: "server", port }, origin: server.origin, secure: false };
  return { target, [Symbol.dispose]: server.close };
}

Deno.test("a proxy gets the whole URL, a server and a tunnel the path", () => {
  const target = (kind: "proxy" | "server", secure: boolean): Target => ({
    via: { kind, port: 1 },
    origin: "127.0.0.1:2",
    secure,
  });
  assertEquals(requestTarget(target("proxy", false), "/x"), "http://127.0.0.1:2/x");
  assertEquals(requestTarget(target("proxy", true), "/x"), "/x");
  assertEquals(requestTarget(target("server", false), "/x"), "/x");
});

Deno.test("bodies of both framings arrive whole", async () => {
  using server = origin();
  const size = 600 * 1024 + (256 - 600 % 256) * 1024;
  for (const path of [`/length/${size}`, `/chunked/${size}`]) {
    const { bytes } = await download({ target: server.target, path, size });
    assertEquals(bytes, size);
  }
  assertEquals((await upload({ target: server.target, path: "/sink", size: 300_001 })).bytes, 300_001);
});

Deno.test("a body of another length than expected is an error", async () => {
  using server = origin();
  await assertRejects(
    () => download({ target: server.target, path: "/length/10", size: 11 }),
    Error,
    "10 bytes arrived instead of 11.",
  );
});

Deno.test("another status than expected is an error", async () => {
  using server = origin();
  const client = await Client.connect(server.target);
  await client.send("GET", "/nothing-like-that");
  await assertRejects(() => client.receive(), Error, "404");
  client.close();
});

Deno.test("small requests are repeated and timed, beside idle connections too", async () => {
  using server = origin();
  const result = await get({
    target: server.target,
    path: "/small",
    connections: 2,
    seconds: 0.05,
    idle: 25,
  });
  assertEquals(result.requests > 2, true);
  assertEquals(result.p50 > 0 && result.p50 <= result.p99, true);
});

Deno.test("events and first bytes arrive without a proxy in next to no time", async () => {
  assertEquals((await events({ via: null, count: 5 })).p50 < 100, true);
  assertEquals((await firstByte({ via: null, count: 5 })).p50 < 100, true);
});

Deno.test("WebSocket messages are counted down and up", async () => {
  using server = origin();
  const spec = { target: server.target, size: 1024, seconds: 0.05 };
  const down = await messagesDown(spec);
  assertEquals(down.messages > 0 && down.bytes === down.messages * 1024, true);
  const up = await messagesUp(spec);
  assertEquals(up.messages > 0 && up.bytes === up.messages * 1024, true);
});
