import { assert, assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { settled } from "../support/fake_clock.ts";
import { bytesOf, closeFrame, hangUp, startRelay } from "./support.ts";

Deno.test("messages pass both ways, masked towards the server only", async () => {
  const test = startRelay();
  await test.client.send({ opcode: 1, payload: "up" });
  const up = await test.server.frame();
  assertEquals([up.masked, up.opcode, up.payload], [true, 1, bytesOf("up")]);
  await test.server.send({ opcode: 2, payload: new Uint8Array([0, 255]) });
  const down = await test.client.frame();
  assertEquals([down.masked, down.opcode, down.payload], [false, 2, new Uint8Array([0, 255])]);
  assertEquals(await hangUp(test), null);
  assertEquals(test.data.messages.map((m) => [m.fromClient, m.isText, m.content.length]), [
    [true, true, 2],
    [false, false, 2],
  ]);
});

Deno.test("frame lengths are kept when a message is not changed, empty fragments too", async () => {
  const test = startRelay({ onMessage: () => {} });
  await test.client.send(
    { fin: false, opcode: 1, payload: "one" },
    { fin: false, opcode: 0, payload: "" },
    { fin: false, opcode: 0, payload: "three" },
    { opcode: 0, payload: "4" },
  );
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(await test.server.brief());
  assertEquals(seen, ["text+ one", "cont+", "cont+ three", "cont 4"]);
  assertEquals(test.data.messages.map((m) => m.text), ["onethree4"]);
  await hangUp(test);
});

Deno.test("message mode holds back an unfinished message, but not a ping inside it", async () => {
  const test = startRelay();
  await test.client.send({ fin: false, opcode: 1, payload: "a" }, { opcode: 9, payload: "hi" });
  assertEquals(await test.server.brief(), "ping hi");
  await test.client.send({ opcode: 0, payload: "b" });
  assertEquals(await test.server.brief(), "text+ a");
  assertEquals(await test.server.brief(), "cont b");
  await hangUp(test);
});

Deno.test("a hook changes, drops and injects", async () => {
  const test = startRelay({
    onMessage(message, data) {
      if (message.injected) return;
      if (message.text === "change") message.content = "changed";
      if (message.text === "drop") message.drop();
      if (message.text === "both") data.inject(true, "answer");
    },
  });
  await test.client.send(
    { opcode: 1, payload: "change" },
    { opcode: 1, payload: "drop" },
    { opcode: 1, payload: "both" },
  );
  assertEquals(await test.server.brief(), "text changed");
  assertEquals(await test.server.brief(), "text both");
  assertEquals(await test.client.brief(), "text answer");
  await hangUp(test);
  assertEquals(test.data.messages.map((m) => [m.text, m.dropped, m.injected, m.fromClient]).sort(), [
    ["answer", false, true, false],
    ["both", false, false, true],
    ["changed", false, false, true],
    ["drop", true, false, true],
  ]);
});

Deno.test("changed text in fragments is cut only between code points", async () => {
  const euros = "€".repeat(10);
  const test = startRelay({
    onMessage(message) {
      message.content = euros;
    },
  });
  await test.client.send({ fin: false, opcode: 1, payload: "1234" }, { opcode: 0, payload: "5678" });
  const parts = [];
  for (let fin = false; !fin;) {
    const frame = await test.server.frame();
    // A decoder that is strict about each frame alone.
    parts.push(new TextDecoder("utf-8", { fatal: true }).decode(frame.payload));
    assert(frame.payload.length <= 4);
    fin = frame.fin;
  }
  assertEquals(parts.join(""), euros);
  await hangUp(test);
});

Deno.test("a slow hook in one direction does not hold up the other, and order is kept", async () => {
  const gate = Promise.withResolvers<void>();
  const test = startRelay({
    onMessage: (message) => message.fromClient && message.text === "slow" ? gate.promise : undefined,
  });
  await test.client.send({ opcode: 1, payload: "early" }, { opcode: 1, payload: "slow" }, {
    opcode: 1,
    payload: "after",
  });
  // What came before the slow one is not held up by it.
  assertEquals(await test.server.brief(), "text early");
  await test.server.send({ opcode: 1, payload: "down" });
  assertEquals(await test.client.brief(), "text down");
  gate.resolve();
  assertEquals(await test.server.brief(), "text slow");
  assertEquals(await test.server.brief(), "text after");
  await hangUp(test);
});

Deno.test("messages of one read do not wait in the buffer for a later one's slow hook", async () => {
  const gate = Promise.withResolvers<void>();
  const test = startRelay({ onMessage: (message) => message.text === "slow" ? gate.promise : undefined });
  // Both frames in one write, so in one read.
  const { encode } = await import("./support.ts");
  const one = encode({ opcode: 1, payload: "first" }, true),
    two = encode({ opcode: 1, payload: "slow" }, true);
  await test.client.conn.write(new Uint8Array([...one, ...two]));
  assertEquals(await test.server.brief(), "text first");
  gate.resolve();
  assertEquals(await test.server.brief(), "text slow");
  await hangUp(test);
});

Deno.test("a hook may await an injection into its own direction", async () => {
  const test = startRelay({
    async onMessage(message, data) {
      if (!message.injected) await data.inject(!message.fromClient, "mine");
    },
  });
  await test.client.send({ opcode: 1, payload: "theirs" });
  assertEquals(await test.server.brief(), "text theirs");
  assertEquals(await test.server.brief(), "text mine");
  await hangUp(test);
});

Deno.test("message mode: what is injected waits for the end of a message in fragments; whoever awaits it does not", async () => {
  const test = startRelay({
    async onMessage(message, data) {
      if (!message.fromClient && !message.injected) await data.inject(false, "from a hook");
    },
  });
  await test.client.send({ fin: false, opcode: 1, payload: "a" }, { opcode: 9, payload: "ping" });
  assertEquals(await test.server.brief(), "ping ping");
  await test.data.inject(false, "mine");
  await test.server.send({ opcode: 1, payload: "other way" });
  assertEquals(await test.client.brief(), "text other way");
  await test.client.send({ opcode: 0, payload: "b" });
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(await test.server.brief());
  assertEquals(seen, ["text+ a", "cont b", "text mine", "text from a hook"]);
  // An unfinished message does not hold up the end.
  await test.client.send({ fin: false, opcode: 1, payload: "never ends" });
  await hangUp(test);
});

Deno.test("inject resolves when the message was sent, and refuses a flood", async () => {
  const test = startRelay({ messageLimit: 100_000, conn: { capacity: 1000 } });
  await test.data.inject(false, "small");
  assertEquals(await test.server.brief(), "text small");
  // The server does not read: what is injected waits, up to the limit.
  const first = test.data.inject(false, new Uint8Array(90_000));
  const refused = await assertRejects(() => test.data.inject(false, new Uint8Array(20_000)), WeirError);
  assertEquals(refused.code, "limit");
  assertEquals((await test.server.frame()).payload.length, 90_000);
  await first;
  await hangUp(test);
  const late = await assertRejects(() => test.data.inject(false, "late"), WeirError);
  assertEquals(late.code, "closed");
});

Deno.test("what was injected in websocket_start goes out first", async () => {
  const { WebSocketData } = await import("../../src/websocket/conversation.ts");
  const { relayWebSocket } = await import("../../src/websocket/mod.ts");
  const { memoryConnPair } = await import("../support/memory_conn.ts");
  const { Peer } = await import("./support.ts");
  const [client, clientLeg] = memoryConnPair(), [server, serverLeg] = memoryConnPair();
  const data = new WebSocketData({ messages: 10, bytes: 1000 });
  await data.inject(false, "hello");
  const relay = relayWebSocket({
    client: clientLeg,
    server: serverLeg,
    deflate: null,
    data,
    messageLimit: 1000,
  });
  const test = { client: new Peer(client, true), server: new Peer(server, false), data, relay, warnings: [] };
  assertEquals(await test.server.brief(), "text hello");
  await hangUp(test);
});

Deno.test("a hook that throws is warned about, and its message goes on", async () => {
  const test = startRelay({
    onMessage() {
      throw new Error("oops");
    },
  });
  await test.client.send({ opcode: 1, payload: "x" });
  assertEquals(await test.server.brief(), "text x");
  assertEquals(test.warnings, ["A websocket_message hook failed: oops"]);
  await hangUp(test);
});

Deno.test("ping and pong are relayed with their payload, in order with messages", async () => {
  const test = startRelay();
  await test.client.send({ opcode: 1, payload: "a" }, { opcode: 9, payload: "p" }, {
    opcode: 1,
    payload: "b",
  });
  assertEquals(await test.server.brief(), "text a");
  assertEquals(await test.server.brief(), "ping p");
  assertEquals(await test.server.brief(), "text b");
  await test.server.send({ opcode: 10, payload: "p" });
  assertEquals(await test.client.brief(), "pong p");
  await hangUp(test);
});

Deno.test("a message far larger than any buffer arrives whole, in its one frame", async () => {
  const test = startRelay({ onMessage: () => {} });
  const big = new Uint8Array(3 << 20).map((_, i) => i * 31);
  const sent = test.client.send({ opcode: 2, payload: big });
  const seen = await test.server.frame();
  await sent;
  assertEquals(seen.fin, true);
  assert(seen.payload.every((byte, i) => byte === big[i]));
  await hangUp(test);
});

Deno.test("a reader that stops reading stops the sender", async () => {
  const test = startRelay({ conn: { capacity: 16 * 1024 } });
  let sent = 0, stop = false;
  const sending = (async () => {
    // When nothing stops the sender, it is not to go on for ever.
    while (!stop && sent < 50) {
      await test.client.send({ opcode: 2, payload: new Uint8Array(64 * 1024) });
      sent++;
    }
    await test.client.send(closeFrame(1000));
  })();
  await test.server.conn.peerStuck;
  await settled(() => sent);
  assert(sent < 12, `${sent} messages of 64 KiB were taken though nobody reads`);
  stop = true;
  let opcode;
  do ({ opcode } = await test.server.frame()); while (opcode !== 8);
  await sending;
  await test.server.send(closeFrame(1000));
  assertEquals(await test.client.brief(), "close 1000");
  test.client.conn.close();
  test.server.conn.close();
  assertEquals(await test.relay.ended, null);
});
