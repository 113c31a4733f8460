import { assert, assertEquals, assertThrows } from "@std/assert";
import { FakeClock, turn } from "../support/fake_clock.ts";
import { closeFrame, encode, startRelay } from "./support.ts";

Deno.test("a closing handshake is relayed and awaited, from either side", async () => {
  for (const starter of ["client", "server"] as const) {
    const test = startRelay();
    const peer = starter === "client" ? test.server : test.client;
    await test[starter].send(closeFrame(4001, "bye"));
    assertEquals(await peer.brief(), "close 4001 bye");
    // Not answered by weir: the peer is still to speak.
    await peer.send({ opcode: 1, payload: "one more" }, closeFrame(4001, "ok"));
    assertEquals(await test[starter].brief(), "text one more");
    assertEquals(await test[starter].brief(), "close 4001 ok");
    test.server.conn.close();
    assert(await test.client.ended());
    test.client.conn.close();
    assertEquals(await test.relay.ended, null);
    const { closeCode, closeReason, closedByClient, timestampEnd } = test.data;
    assertEquals([closeCode, closeReason, closedByClient], [4001, "bye", starter === "client"]);
    assert(timestampEnd !== null);
  }
});

Deno.test("a Close frame without a code is passed on as it is and noted as 1005", async () => {
  const test = startRelay();
  await test.client.send({ opcode: 8 });
  assertEquals(await test.server.brief(), "close");
  await test.server.send({ opcode: 8 });
  assertEquals(await test.client.brief(), "close");
  test.server.conn.close();
  test.client.conn.close();
  assertEquals(await test.relay.ended, null);
  assertEquals(test.data.closeCode, 1005);
});

Deno.test("a lost connection is a lost connection for the other side: its end, with no Close frame", async () => {
  for (const loser of ["client", "server"] as const) {
    for (const how of ["close", "reset"] as const) {
      const test = startRelay();
      const peer = loser === "client" ? test.server : test.client;
      await test[loser].send({ opcode: 1, payload: "last words" });
      assertEquals(await peer.brief(), "text last words");
      test[loser].conn[how]();
      assert(await peer.ended());
      peer.conn.close();
      const error = await test.relay.ended;
      assertEquals([error?.side, error?.code], [loser, "closed"]);
      assertEquals([test.data.closeCode, test.data.closedByClient], [1006, loser === "client"]);
    }
  }
});

Deno.test("messages sent right before a loss still arrive", async () => {
  const test = startRelay({ onMessage: turn });
  for (let i = 0; i < 5; i++) await test.server.send({ opcode: 1, payload: `${i}` });
  test.server.conn.close();
  for (let i = 0; i < 5; i++) assertEquals(await test.client.brief(), `text ${i}`);
  assert(await test.client.ended());
  test.client.conn.close();
  assertEquals((await test.relay.ended)?.side, "server");
});

Deno.test("a server that answers Close by ending its connection is no error, and no Close is made up", async () => {
  const test = startRelay();
  await test.client.send(closeFrame(1000));
  assertEquals(await test.server.brief(), "close 1000");
  test.server.conn.close();
  assert(await test.client.ended());
  test.client.conn.close();
  assertEquals(await test.relay.ended, null);
});

Deno.test("a Close frame behind a broken write is still found", async () => {
  const test = startRelay({ conn: { capacity: 4096 } });
  await test.server.send(closeFrame(1011, "full"));
  test.server.conn.close();
  await test.client.send({ opcode: 2, payload: new Uint8Array(2000) });
  assertEquals(await test.client.brief(), "close 1011 full");
  await test.client.send(closeFrame(1011));
  test.client.conn.close();
  await test.relay.ended;
  assertEquals([test.data.closeCode, test.data.closedByClient], [1011, false]);
});

Deno.test("flow.websocket.close closes both sides; what is under way is not sent", async () => {
  const gate = Promise.withResolvers<void>();
  const test = startRelay({
    onMessage(_message, data) {
      data.close(4003, "not here");
      return gate.promise;
    },
  });
  await test.client.send({ opcode: 1, payload: "secret" });
  assertEquals(await test.server.brief(), "close 4003 not here");
  assertEquals(await test.client.brief(), "close 4003 not here");
  gate.resolve();
  await test.server.send(closeFrame(4003));
  await test.client.send(closeFrame(4003));
  test.server.conn.close();
  assert(await test.client.ended());
  test.client.conn.close();
  assertEquals(await test.relay.ended, null);
  assertEquals([test.data.closeCode, test.data.closedByClient], [4003, null]);
});

Deno.test("close refuses codes that may not be sent and reasons that do not fit", () => {
  const { data, relay } = startRelay();
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5]) {
    assertThrows(() => data.close(code), RangeError);
  }
  assertThrows(() => data.close(1000, "€".repeat(42)), RangeError);
  relay.kill();
  return relay.ended.then(() => {});
});

Deno.test("kill cuts both connections at once, in the middle of a frame and while a hook runs", async () => {
  using _ = new FakeClock();
  const started = Promise.withResolvers<void>(), gate = Promise.withResolvers<void>();
  const test = startRelay({
    onMessage() {
      started.resolve();
      return gate.promise;
    },
  });
  await test.server.conn.write(encode({ opcode: 2, payload: new Uint8Array(100) }, false).subarray(0, 50));
  await test.client.send({ opcode: 1, payload: "x" });
  await started.promise;
  test.relay.kill();
  assert(await test.client.ended() && await test.server.ended());
  // No time has passed: nothing waited for a timer.
  test.client.conn.close();
  test.server.conn.close();
  gate.resolve();
  assertEquals((await test.relay.ended)?.code, "killed");
});

Deno.test("a Close frame that nobody answers is given up after its time limit", async () => {
  using clock = new FakeClock();
  const test = startRelay({ closeTimeout: 30 });
  await test.client.send(closeFrame(1000));
  assertEquals(await test.server.brief(), "close 1000");
  let isOver = false;
  const ended = test.client.ended().finally(() => isOver = true);
  await clock.pass(29);
  assert(!isOver);
  await clock.pass(1);
  assert(await ended);
  assertEquals((await test.relay.ended)?.code, "timeout");
  test.client.conn.close();
  test.server.conn.close();
});
