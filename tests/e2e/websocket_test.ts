/** Contract section 7: messages that can be changed, frames that can be streamed, through the real proxy. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon, HttpFlow, WebSocketMessage } from "weir";
import { closeFrame } from "../websocket/support.ts";
import { startWeir } from "./support/weir.ts";
import { converse, rawClient, rawServer, recordWebSocket } from "./support/websocket.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

const newest = (flow: HttpFlow): WebSocketMessage => flow.websocket!.messages.at(-1)!;

for (const tls of [undefined, true] as const) {
  const scheme = tls ? "wss" : "ws";
  Deno.test(`${scheme}: text, binary and empty messages pass both ways, and a ping with its payload`, async () => {
    await using test = await converse({ tls });
    await test.client.send({ opcode: 1, payload: "up" }, { opcode: 2, payload: "\x00" }, { opcode: 1 });
    assertEquals(await test.server.brief(), "text up");
    assertEquals(await test.server.brief(), "binary \x00");
    assertEquals(await test.server.brief(), "text");
    await test.server.send({ opcode: 9, payload: "are you there" }, { opcode: 1, payload: "down" });
    assertEquals(await test.client.brief(), "ping are you there");
    assertEquals(await test.client.brief(), "text down");
    await test.client.send({ opcode: 10, payload: "are you there" });
    assertEquals(await test.server.brief(), "pong are you there");
    await test.hangUp();
    assertEquals(test.events.list, [
      "websocket_start",
      "message up",
      "message of 1 bytes",
      "message ",
      "message down",
      "websocket_end 1000",
      "complete",
    ]);
    const { closedByClient, closeReason, timestampEnd } = test.flow.websocket!;
    assertEquals([closedByClient, closeReason], [true, "bye"]);
    assert(timestampEnd !== null);
  });
}

const streaming: [string, { options?: Record<string, boolean>; addons?: Addon[] }][] = [
  ["stream_websockets", { options: { stream_websockets: true } }],
  ["flow.websocket.stream = true in websocket_start", {
    addons: [{ websocket_start: (flow) => void (flow.websocket!.stream = true) }],
  }],
];
for (const [how, setup] of streaming) {
  Deno.test(`${how}: the first fragment arrives before the second is sent`, async () => {
    await using test = await converse(setup);
    for (const [from, to] of [[test.client, test.server], [test.server, test.client]]) {
      await from.send({ fin: false, opcode: 1, payload: "first," });
      assertEquals(await to.brief(), "text+ first,");
      await from.send({ opcode: 0, payload: "second" });
      assertEquals(await to.brief(), "cont second");
      await test.events.seen("message first,second");
      test.events.list.length = 0;
    }
    await test.hangUp();
  });

  Deno.test(`${how}: a payload passes in pieces, its head first`, async () => {
    await using test = await converse(setup);
    const whole = test.server.encode({ opcode: 2, payload: new Uint8Array(1000).fill(7) });
    await test.server.wire.send(whole.subarray(0, 10));
    assertEquals(await test.client.wire.readExactly(10), whole.slice(0, 10));
    await test.server.wire.send(whole.subarray(10));
    assertEquals(await test.client.wire.readExactly(whole.length - 10), whole.slice(10));
    await test.events.seen("message of 1000 bytes");
    await test.hangUp();
  });
}

Deno.test("message mode: an unfinished message stays until it is complete, and its frame lengths are kept", async () => {
  await using test = await converse();
  await test.client.send({ fin: false, opcode: 1, payload: "first," });
  // A ping that was sent behind it overtakes it: so it had arrived, and was held.
  await test.client.send({ opcode: 9, payload: "now" });
  assertEquals(await test.server.brief(), "ping now");
  await test.client.send({ opcode: 0, payload: "second" });
  assertEquals(await test.server.brief(), "text+ first,");
  assertEquals(await test.server.brief(), "cont second");
  await test.hangUp();
});

Deno.test("one connection streams by websocket_start while the others do not", async () => {
  const addon: Addon = {
    websocket_start: (flow) => void (flow.websocket!.stream = flow.request.headers.has("x-stream")),
  };
  for (const streams of [true, false]) {
    await using test = await converse({ addons: [addon], clientFields: streams ? "X-Stream: 1\r\n" : "" });
    await test.client.send({ fin: false, opcode: 1, payload: "a" }, { opcode: 9 });
    assertEquals(await test.server.brief(), streams ? "text+ a" : "ping");
    await test.client.send({ opcode: 0 });
    await test.hangUp();
  }
});

Deno.test("stream mode: changes have no effect and are warned about once, with the addon's messages recorded", async () => {
  await using test = await converse({
    options: { stream_websockets: true },
    addons: [{
      websocket_message(flow) {
        newest(flow).content = "changed";
        newest(flow).drop();
      },
    }],
  });
  await test.client.text("one");
  await test.client.text("two");
  assertEquals(await test.server.brief(), "text one");
  assertEquals(await test.server.brief(), "text two");
  await test.events.seen("message two");
  assertMatch(await test.proxy.logged(/^warn/), /no effect/);
  await test.hangUp();
  assertEquals(test.proxy.log.list.filter((line) => line.startsWith("warn")).length, 1);
  assertEquals(test.flow.websocket!.messages.map(({ text, dropped }) => [text, dropped]), [["one", false], [
    "two",
    false,
  ]]);
});

Deno.test("a hook changes, drops and injects, in order; text is cut only between code points", async () => {
  await using test = await converse({
    addons: [{
      async websocket_message(flow) {
        const message = newest(flow);
        if (message.injected) return;
        if (message.text === "change") message.content = "changed";
        if (message.text === "euros") message.text = "€".repeat(4);
        if (message.text === "drop") message.drop();
        if (message.text === "answer") {
          message.drop();
          await flow.websocket!.inject(true, "from weir");
        }
      },
    }],
  });
  await test.client.send(
    { opcode: 1, payload: "change" },
    { opcode: 1, payload: "drop" },
    { opcode: 1, payload: "answer" },
    { fin: false, opcode: 1, payload: "eu" },
    { fin: false, opcode: 0, payload: "ros" },
    { opcode: 0 },
  );
  assertEquals(await test.server.brief(), "text changed");
  assertEquals(await test.client.brief(), "text from weir");
  for (const expected of ["text+ €", "cont+ €", "cont+ €", "cont €"]) {
    assertEquals(await test.server.brief(), expected);
  }
  const { messages } = test.flow.websocket!;
  assertEquals(messages.find(({ text }) => text === "drop")?.dropped, true);
  const { injected, fromClient } = messages.find(({ text }) => text === "from weir")!;
  assertEquals([injected, fromClient], [true, false]);
  await test.hangUp();
});

Deno.test("stream mode: an injected message waits for the open fragmented one to end", async () => {
  await using test = await converse({ options: { stream_websockets: true } });
  await test.client.send({ fin: false, opcode: 1, payload: "one" });
  assertEquals(await test.server.brief(), "text+ one");
  const sent = test.flow.websocket!.inject(false, "injected");
  await test.client.send({ opcode: 9, payload: "in between" });
  assertEquals(await test.server.brief(), "ping in between");
  await test.client.send({ opcode: 0, payload: "two" });
  assertEquals(await test.server.brief(), "cont two");
  assertEquals(await test.server.brief(), "text injected");
  await within(SOON, sent, "inject to resolve");
  await test.hangUp();
});

Deno.test("flow.websocket.close tells both sides its code and reason, and ends the flow with complete", async () => {
  await using test = await converse({
    addons: [{
      websocket_message(flow) {
        if (newest(flow).text !== "enough") return;
        newest(flow).drop();
        flow.websocket!.close(4001, "enough");
      },
    }],
  });
  await test.client.text("enough");
  for (const peer of [test.client, test.server]) {
    assertEquals(await peer.brief(), "close 4001 enough");
    await peer.send(closeFrame(4001));
  }
  await test.events.seen("complete");
  assertEquals(test.events.list.slice(-2), ["websocket_end 4001", "complete"]);
  assertEquals(test.flow.websocket!.closedByClient, null);
});

Deno.test("a slow hook holds up neither the other direction nor a ping of it, and each keeps its order", async () => {
  const gate = new Gate(), events = new Events();
  await using test = await converse({
    addons: [{
      async websocket_message(flow) {
        const { text } = newest(flow);
        events.push(text);
        if (text === "slow") await gate.opened;
      },
    }],
  });
  await test.client.send({ opcode: 1, payload: "slow" }, { opcode: 1, payload: "after" });
  await events.seen("slow");
  for (const payload of ["a", "b", "c"]) {
    await test.server.send({ opcode: 1, payload }, { opcode: 9, payload });
    assertEquals(await test.client.brief(), `text ${payload}`);
    assertEquals(await test.client.brief(), `ping ${payload}`);
  }
  assertEquals(events.list, ["slow", "a", "b", "c"]);
  gate.open();
  assertEquals(await test.server.brief(), "text slow");
  assertEquals(await test.server.brief(), "text after");
  await test.hangUp();
});

Deno.test("each addon finds the message it runs for as the newest, whatever came meanwhile", async () => {
  const gate = new Gate(), events = new Events();
  const slow: Addon = {
    async websocket_message(flow) {
      if (newest(flow).text !== "slow") return;
      events.push("waiting");
      await gate.opened;
    },
  };
  const marks: Addon = { websocket_message: (flow) => void (newest(flow).text += "!") };
  await using test = await converse({ addons: [slow, marks] });
  await test.client.text("slow");
  await events.seen("waiting");
  await test.server.text("quick");
  assertEquals(await test.client.brief(), "text quick!");
  gate.open();
  assertEquals(await test.server.brief(), "text slow!");
  await test.hangUp();
});

Deno.test("a hook that throws is logged, what it changed is put back, and the next addon and message are served", async () => {
  await using test = await converse({
    addons: [{
      websocket_message(flow) {
        newest(flow).content = "half done";
        newest(flow).drop();
        throw new Error("broken addon");
      },
    }, {
      async websocket_message(flow) {
        newest(flow).text = "broken later";
        await Promise.resolve();
        throw new Error("rejects");
      },
    }],
  });
  for (const text of ["one", "two"]) {
    await test.client.text(text);
    assertEquals(await test.server.brief(), `text ${text}`);
    await test.server.text(text);
    assertEquals(await test.client.brief(), `text ${text}`);
  }
  assertEquals(test.proxy.log.list.filter((line) => /^error.*broken addon/.test(line)).length, 4);
  assertEquals(test.proxy.log.list.filter((line) => /^error.*rejects/.test(line)).length, 4);
  await test.hangUp();
  assertEquals(test.events.list.at(-1), "complete");
});

Deno.test("the history keeps the newest messages, by number and by bytes", async () => {
  for (const [history, kept] of [["3/1m", 3], ["100/10", 2], ["0/1m", 0]] as const) {
    await using test = await converse({ options: { websocket_history: history } });
    for (let i = 0; i < 10; i++) {
      await test.client.text(`text${i}`);
      await test.server.frame();
    }
    await test.hangUp();
    const { messages, forgotten } = test.flow.websocket!;
    assertEquals([messages.length, forgotten], [kept, 10 - kept]);
    const newestTexts = Array.from({ length: kept }, (_, i) => `text${10 - kept + i}`);
    assertEquals(messages.map(({ text }) => text), newestTexts);
  }
});

Deno.test("what websocket_start injects goes out first, to either side", async () => {
  const events = new Events();
  await using test = await converse({
    addons: [
      recordWebSocket(events),
      {
        async websocket_start(flow) {
          await flow.websocket!.inject(true, "welcome");
          await flow.websocket!.inject(false, new Uint8Array([1, 2, 3]));
        },
      },
    ],
  });
  assertEquals(await test.client.brief(), "text welcome");
  assertEquals((await test.server.frame()).payload, new Uint8Array([1, 2, 3]));
  await test.hangUp();
});

Deno.test("the program prints messages as mitmdump does: a line each, with --flow-detail 3 their content", async () => {
  await using backend = await rawServer();
  await using weir = await startWeir({ args: ["--flow-detail", "3"] });
  const { client: wire, peer: client } = await rawClient(weir, backend.origin);
  await using _ = wire;
  const server = await backend.peer;
  await client.text("hello\x1b[31m");
  assertEquals(await server.brief(), "text hello\x1b[31m");
  const to = backend.origin.authority.replace(".", "\\.");
  await weir.waitForOutput(new RegExp(`^127.0.0.1:\\d+ -> WebSocket text message -> ${to}/chat$`));
  await weir.waitForOutput(/^ {4}hello\\x1b\[31m$/);
  await server.send({ opcode: 2, payload: new Uint8Array([0, 1]) });
  assertEquals((await client.frame()).payload.length, 2);
  await weir.waitForOutput(new RegExp(`^127.0.0.1:\\d+ <- WebSocket binary message <- ${to}/chat$`));
  await weir.waitForOutput(/^ {4}0000000000 00 01 /);
  server.wire.close();
  await weir.waitForOutput(new RegExp(`^Error in WebSocket connection to ${to}: .*ABNORMAL_CLOSURE`));
  await weir.stop();
});
