import { assert, assertEquals } from "@std/assert";
import { settled } from "../support/fake_clock.ts";
import { closeFrame, encode, hangUp, startRelay, TAKEOVER } from "./support.ts";
import { Deflater } from "../../src/websocket/deflate.ts";

Deno.test("stream mode: the first fragment of an unfinished message arrives before the second is sent", async () => {
  const seen: string[] = [];
  const test = startRelay({
    stream: true,
    onMessage(message) {
      seen.push(message.text);
    },
  });
  await test.client.send({ fin: false, opcode: 1, payload: "one" });
  assertEquals(await test.server.brief(), "text+ one");
  assertEquals(seen, []);
  await test.client.send({ opcode: 0, payload: "two" });
  assertEquals(await test.server.brief(), "cont two");
  assertEquals(await hangUp(test), null);
  assertEquals(seen, ["onetwo"]);
  assertEquals(test.data.messages.map((m) => m.text), ["onetwo"]);
});

Deno.test("stream mode: a large payload is passed on in pieces, its head first", async () => {
  const test = startRelay({ stream: true });
  const whole = encode({ opcode: 2, payload: new Uint8Array(1000).map((_, i) => i) }, true);
  await test.client.conn.write(whole.subarray(0, 8 + 300));
  const head = await test.server.head();
  assertEquals(head.length, 1000);
  const first = await test.server.conn.readExactly(300);
  await test.client.conn.write(whole.subarray(8 + 300));
  const second = await test.server.conn.readExactly(700);
  const all = [...first, ...second].map((byte, i) => byte ^ head.key![i % 4]);
  assert(all.every((byte, i) => byte === i % 256));
  await hangUp(test);
});

Deno.test("stream mode: changes have no effect and are warned about once", async () => {
  const test = startRelay({
    stream: true,
    onMessage(message) {
      message.content = "changed";
      message.drop();
    },
  });
  await test.client.send({ opcode: 1, payload: "a" }, { opcode: 1, payload: "b" });
  assertEquals(await test.server.brief(), "text a");
  assertEquals(await test.server.brief(), "text b");
  await hangUp(test);
  assertEquals(test.data.messages.map((m) => [m.text, m.dropped]), [["a", false], ["b", false]]);
  assertEquals(test.warnings.length, 1);
});

Deno.test("stream mode: a slow hook does not hold up frames, and hooks keep their order", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const test = startRelay({
    stream: true,
    async onMessage(message) {
      await gate.promise;
      seen.push(message.text);
    },
  });
  for (const payload of ["a", "b", "c"]) {
    await test.client.send({ opcode: 1, payload });
    assertEquals(await test.server.brief(), `text ${payload}`);
  }
  const ended = hangUp(test);
  gate.resolve();
  assertEquals(await ended, null);
  assertEquals(seen, ["a", "b", "c"]);
});

Deno.test("stream mode: hooks that fall far behind stop the sender", async () => {
  const gate = Promise.withResolvers<void>();
  let hooks = 0;
  const test = startRelay({
    stream: true,
    conn: { capacity: 1024 },
    onMessage() {
      hooks++;
      return gate.promise;
    },
  });
  const all = 1000;
  const sending = (async () => {
    for (let i = 0; i < all; i++) await test.client.send({ opcode: 2, payload: new Uint8Array(100) });
  })();
  let read = 0;
  const reading = (async () => {
    for (; read < all; read++) await test.server.frame();
  })();
  await settled(() => read);
  assert(read < 200, `${read} messages passed though no hook came back`);
  gate.resolve();
  await sending;
  await reading;
  assertEquals(hooks, all);
  await hangUp(test);
});

Deno.test("stream mode: an injected message and a foreign control frame know where they may go", async () => {
  const test = startRelay({ stream: true });
  await test.client.send({ fin: false, opcode: 1, payload: "one" });
  assertEquals(await test.server.brief(), "text+ one");
  const injected = test.data.inject(false, "mine");
  await test.client.send({ opcode: 9, payload: "p" }, { opcode: 0, payload: "two" });
  assertEquals(await test.server.brief(), "ping p");
  assertEquals(await test.server.brief(), "cont two");
  assertEquals(await test.server.brief(), "text mine");
  await injected;
  await hangUp(test);
});

Deno.test("stream mode: compressed frames pass untouched while hooks see plain content", async () => {
  const test = startRelay({ stream: true, deflate: TAKEOVER });
  const deflater = new Deflater(15, true);
  for (const text of ["hello hello hello", "hello hello hello again"]) {
    const wire = deflater.deflate(new TextEncoder().encode(text));
    await test.server.send({ fin: false, rsv: 4, opcode: 1, payload: wire.subarray(0, 3) });
    assertEquals((await test.client.frame()).payload, wire.slice(0, 3));
    await test.server.send({ opcode: 0, payload: wire.subarray(3) });
    const rest = await test.client.frame();
    assertEquals([rest.rsv, rest.payload], [0, wire.slice(3)]);
    // Injected messages go uncompressed, so they do not disturb the window.
    await test.data.inject(true, "mine");
    assertEquals(await test.client.brief(), "text mine");
  }
  deflater.close();
  await hangUp(test);
  assertEquals(test.data.messages.filter((m) => !m.injected).map((m) => m.text), [
    "hello hello hello",
    "hello hello hello again",
  ]);
});

Deno.test("stream mode: a Close frame of weir's waits for the end of the current frame", async () => {
  const test = startRelay({ stream: true });
  const whole = encode({ opcode: 2, payload: new Uint8Array(100) }, false);
  await test.server.conn.write(whole.subarray(0, 52));
  assertEquals((await test.client.head()).length, 100);
  await test.client.conn.readExactly(50);
  test.data.close(4000, "enough");
  assertEquals(await test.server.brief(), "close 4000 enough");
  await test.server.conn.write(whole.subarray(52));
  await test.client.conn.readExactly(50);
  assertEquals(await test.client.brief(), "close 4000 enough");
  await test.server.send(closeFrame(4000));
  await test.client.send(closeFrame(4000));
  test.server.conn.close();
  test.client.conn.close();
  assertEquals(await test.relay.ended, null);
});
