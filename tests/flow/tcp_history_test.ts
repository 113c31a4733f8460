/** What a raw conversation keeps: bounded by number and bytes, counted, and copied only for who looks. @module */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { PassingTcpMessage, TCP_HISTORY_BYTES, TcpHistory } from "../../src/flow/tcp_history.ts";
import { MemoryBudget } from "../../src/memory_budget.ts";

function passed(history: TcpHistory, size: number): PassingTcpMessage {
  const message = new PassingTcpMessage(true, new Uint8Array(size));
  message.copy();
  history.record(message);
  history.settle(message);
  message.passed();
  return message;
}

Deno.test("the history is bounded by bytes, but the newest message stays whatever its size", () => {
  const history = new TcpHistory();
  for (let i = 0; i < 10; i++) passed(history, 100_000);
  assertEquals([history.messages.length, history.forgotten], [2, 8]);
  passed(history, TCP_HISTORY_BYTES + 1);
  assertEquals([history.messages.length, history.messages[0].content.length], [1, TCP_HISTORY_BYTES + 1]);
});

Deno.test("it is counted, gives way when memory is short, and is counted no more when it has ended", () => {
  const memory = new MemoryBudget(() => 250_000);
  const history = new TcpHistory(), other = new TcpHistory();
  for (const each of [history, other]) each.bookIn(memory);
  for (let i = 0; i < 2; i++) passed(history, 100_000);
  assertEquals(memory.used, 200_000);
  passed(other, 100_000);
  assertEquals([memory.used, history.messages.length, other.messages.length], [200_000, 1, 1]);
  assert(memory.take(200_000));
  assertEquals([memory.used, history.messages.length, other.messages.length], [200_000, 0, 0]);
  memory.give(200_000);
  passed(other, 50_000);
  other.end();
  assertEquals([memory.used, other.messages.length], [0, 1]);
});

Deno.test("a message that a hook is looking at does not give way", () => {
  const memory = new MemoryBudget(() => 10);
  const history = new TcpHistory();
  history.bookIn(memory);
  history.record(new PassingTcpMessage(true, new Uint8Array(5)));
  assertEquals([memory.take(11), history.messages.length], [false, 1]);
});

Deno.test("nothing is copied of a message whose bytes nobody reads", () => {
  const view = Uint8Array.of(1, 2, 3);
  const unread = new PassingTcpMessage(false, view);
  assertStrictEquals(unread.passed(), view);
  assertEquals(unread.content.length, 0);
  const read = new PassingTcpMessage(false, view);
  assertEquals([read.content, read.content === view], [view, false]);
  assertStrictEquals(read.passed(), read.content);
  const changed = new PassingTcpMessage(false, view);
  const restore = changed.remember();
  changed.content = Uint8Array.of(9);
  assertEquals(changed.content, Uint8Array.of(9));
  restore();
  assertStrictEquals(changed.passed(), view);
});
