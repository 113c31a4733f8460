import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { internals } from "../../src/internals.ts";
import { WebSocketData, WebSocketMessage } from "../../src/websocket/conversation.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("content is assigned as bytes or as a string, text as a string", () => {
  const message = new WebSocketMessage(true, true, bytes("grün"));
  assertEquals(message.text, "grün");
  message.content = "blau";
  assertEquals(message.content, bytes("blau"));
  message.text = "rot";
  assertEquals([message.text, message.content], ["rot", bytes("rot")]);
  message.content = bytes("gelb");
  assertEquals(message.text, "gelb");
});

Deno.test("a text message refuses bytes that are not UTF-8 and keeps what it had", () => {
  const message = new WebSocketMessage(true, true, bytes("ok"));
  assertThrows(() => message.content = new Uint8Array([0xff]), TypeError, "UTF-8");
  assertEquals(message.text, "ok");
});

Deno.test("a binary message has no text, and takes any bytes", () => {
  const message = new WebSocketMessage(false, false, new Uint8Array([0xff]));
  assertThrows(() => message.text, TypeError, "binary");
  assertThrows(() => message.text = "x", TypeError, "binary");
  message.content = new Uint8Array([0xfe]);
  assertEquals(message.content[0], 0xfe);
  // deno-lint-ignore no-explicit-any -- what an addon in plain JavaScript may try
  assertThrows(() => message.content = 5 as any, TypeError);
});

Deno.test("assigning the same bytes is no change; a snapshot puts back everything", () => {
  const message = new WebSocketMessage(true, true, bytes("a"));
  const { content } = message;
  message.content = content;
  assertEquals(message[internals].changed, false);
  const restore = WebSocketMessage.remember(message);
  message.content = "b";
  message.drop();
  assertEquals([message[internals].changed, message.dropped], [true, true]);
  restore();
  assertEquals([message.text, message[internals].changed, message.dropped], ["a", false, false]);
});

function fill(data: WebSocketData, sizes: number[]): void {
  for (const size of sizes) {
    const message = new WebSocketMessage(false, true, new Uint8Array(size));
    data[internals].record(message);
    assertEquals(data.messages.at(-1), message);
    data[internals].settle(message);
  }
}

Deno.test("the history is bounded by count and by bytes, and counts what it forgot", () => {
  const byCount = new WebSocketData({ messages: 3, bytes: 1000 });
  fill(byCount, [1, 2, 3, 4, 5]);
  assertEquals([byCount.messages.map((m) => m.content.length), byCount.forgotten], [[3, 4, 5], 2]);
  const byBytes = new WebSocketData({ messages: 100, bytes: 1000 });
  fill(byBytes, [400, 400, 400, 100]);
  assertEquals([byBytes.messages.map((m) => m.content.length), byBytes.forgotten], [[400, 400, 100], 1]);
  fill(byBytes, [1001]);
  assertEquals([byBytes.messages.length, byBytes.forgotten], [0, 5]);
});

Deno.test("content that a hook made longer counts as it is", () => {
  const data = new WebSocketData({ messages: 100, bytes: 1000 });
  fill(data, [400]);
  const message = new WebSocketMessage(false, true, new Uint8Array(10));
  data[internals].record(message);
  message.content = new Uint8Array(900);
  data[internals].settle(message);
  assertEquals(data.messages, [message]);
});

Deno.test("a message can be made the newest again, in or out of the history", () => {
  const data = new WebSocketData({ messages: 2, bytes: 1000 });
  const [a, b, c] = [1, 2, 3].map((size) => new WebSocketMessage(false, true, new Uint8Array(size)));
  data[internals].record(a);
  data[internals].record(b);
  data[internals].makeNewest(a);
  assertEquals(data.messages, [b, a]);
  data[internals].record(c);
  data[internals].makeNewest(b);
  assertEquals([data.messages, data.forgotten], [[c, b], 1]);
});

Deno.test("a message gives up its content when it is released, but not what a hook was given of it", () => {
  const data = new WebSocketData({ messages: 1, bytes: 1000 });
  const [first, kept, next] = [1, 2, 3].map((byte) =>
    new WebSocketMessage(false, true, new Uint8Array(600).fill(byte))
  );
  data[internals].record(first);
  const { content } = first;
  assertStrictEquals(first.content, content);
  data[internals].settle(first);
  data[internals].record(kept);
  data[internals].settle(kept);
  assertThrows(() => first.content, Error, "released");
  // Read after its hook: these are the message's own bytes, which stay with whoever has them.
  const own = kept.content;
  data[internals].record(next);
  data[internals].settle(next);
  assertStrictEquals(kept.content, own);
  data[internals].pool.take(600).fill(9);
  assertEquals([content, own].map((bytes) => bytes.every((byte) => byte === bytes[0])), [true, true]);
  assertEquals([content[0], own[0]], [1, 2]);
});

Deno.test("assigning what a hook was given is no change", () => {
  const message = new WebSocketMessage(false, true, new Uint8Array([1]));
  const shown = message.content;
  message.content = shown;
  assertEquals(message[internals].changed, false);
});

Deno.test("a message that an addon changed and then failed has its own bytes back, to be used again", () => {
  const message = new WebSocketMessage(false, true, new Uint8Array([1]));
  const state = message[internals], own = state.content;
  const restore = WebSocketMessage.remember(message);
  message.content = new Uint8Array([2]);
  restore();
  assertStrictEquals(state.content, own);
  assertEquals([state.unseen, [...message.content]], [true, [1]]);
});

Deno.test("the memory of a message is not used again while it is sent or shown to hooks, or has been given away", () => {
  const data = new WebSocketData({ messages: 0, bytes: 0 });
  const { pool } = data[internals];
  const make = () => new WebSocketMessage(false, true, pool.take(1000));
  const [busy, seen, idle] = [make(), make(), make()];
  const buffers = [busy, seen, idle].map((message) => message[internals].content!.buffer);
  data[internals].record(busy);
  // A history of none still has the newest until it is settled.
  seen[internals].busy = false;
  assertEquals(seen.content.length, 1000);
  data[internals].record(seen);
  data[internals].settle(seen);
  data[internals].record(idle);
  data[internals].settle(idle);
  assertEquals([busy.size, seen.size], [1000, 1000]);
  const next = pool.take(990);
  assertEquals([next.length, buffers.indexOf(next.buffer)], [990, 2]);
  assertEquals(buffers.indexOf(pool.take(1000).buffer), -1);
});
