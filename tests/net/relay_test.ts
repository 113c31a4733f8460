import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { relay } from "../../src/net/mod.ts";
import type { RelayHook } from "../../src/net/relay.ts";
import { settled } from "../support/fake_clock.ts";
import { latin1, memoryConnPair } from "../support/memory_conn.ts";

function tied(options: { onData?: RelayHook; signal?: AbortSignal } = {}) {
  const [client, near] = memoryConnPair();
  const [far, server] = memoryConnPair();
  return { client, server, near, far, done: relay(near, far, options) };
}

Deno.test("each direction ends on its own; the relay ends when both have", async () => {
  const { client, server, near, far, done } = tied();
  await client.writeText("question");
  await client.closeWrite();
  assertEquals(await server.readToEnd(), "question");
  await server.writeText("a longer answer");
  await server.closeWrite();
  assertEquals(await client.readToEnd(), "a longer answer");
  assertEquals(await done, { toServer: 8, toClient: 15, error: null });
  assertEquals([near.closed, far.closed, near.wasReset, far.wasReset], [true, true, false, false]);
});

Deno.test("a reset on either side resets the other", async () => {
  for (const which of ["client", "server"] as const) {
    const { client, server, done } = tied();
    const [failing, other] = which === "client" ? [client, server] : [server, client];
    await failing.writeText("part");
    await other.readExactly(4);
    failing.reset();
    await assertRejects(() => other.readToEnd(), Deno.errors.ConnectionReset);
    const { error } = await done;
    assertEquals([error?.side, error?.code], [which, "closed"]);
  }
});

Deno.test("its signal cuts both sides, also after one of them has ended", async () => {
  const cut = new AbortController();
  const { client, server, near, far, done } = tied({ signal: cut.signal });
  await client.closeWrite();
  assertEquals(await server.readToEnd(), "");
  cut.abort(new WeirError("weir", "shutdown", "weir is stopping."));
  assertEquals((await done).error, cut.signal.reason);
  assertEquals([near.wasReset, far.wasReset], [true, true]);
});

Deno.test("a side that stops reading stops the other's source", async () => {
  const { client, server, done } = tied();
  let sent = 0;
  const sending = (async () => {
    const chunk = new Uint8Array(64 * 1024);
    for (; sent < 100; sent++) await client.write(chunk);
    await client.closeWrite();
  })();
  await server.peerStuck;
  await settled(() => sent);
  // Two in-memory pipes of 64 KiB and a relay buffer of at most 256 KiB.
  assertEquals(sent < 8, true, `${sent} writes were taken`);
  assertEquals(await server.countToEnd(), 100 * 64 * 1024);
  await server.closeWrite();
  await sending;
  assertEquals((await done).toServer, 100 * 64 * 1024);
});

Deno.test("the hook may change and drop chunks of either direction", async () => {
  const { client, server, done } = tied({
    onData: async (chunk, fromClient) => {
      await Promise.resolve();
      const text = latin1(chunk);
      if (text === "drop") return null;
      return new TextEncoder().encode(fromClient ? text.toUpperCase() : text + "!");
    },
  });
  await client.writeText("abc");
  assertEquals(latin1(await server.readExactly(3)), "ABC");
  await client.writeText("drop");
  await client.closeWrite();
  assertEquals(await server.readToEnd(), "");
  await server.writeText("ok");
  await server.closeWrite();
  assertEquals(await client.readToEnd(), "ok!");
  assertEquals(await done, { toServer: 3, toClient: 3, error: null });
});

Deno.test("a hook that throws aborts both sides", async () => {
  const { client, server, done } = tied({
    onData: () => {
      throw new Error("no such thing");
    },
  });
  await client.writeText("abc");
  await assertRejects(() => server.readToEnd(), Deno.errors.ConnectionReset);
  await assertRejects(() => client.readToEnd(), Deno.errors.ConnectionReset);
  const { error } = await done;
  assertEquals(error?.side, "weir");
  assertStringIncludes(error!.message, "no such thing");
});
