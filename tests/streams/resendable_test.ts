import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Body } from "../../src/streams/body.ts";
import { ResendableBody } from "../../src/streams/resendable.ts";
import { TestBody } from "./support.ts";

const reason = new WeirError("server", "closed", "refused");

/** What is there of a body now. */
function available(body: Body): string {
  let text = "";
  for (let piece = body.take(); piece; piece = body.take()) {
    text += `${new TextDecoder().decode(piece)}(${body.chunkLeft})`;
  }
  return text;
}

Deno.test("what was sent is sent again, with its boundaries, and then the rest", () => {
  const source = new TestBody().push("ab", 1).push("c");
  const body = new ResendableBody(source);
  assertEquals(available(body.attempt()), "ab(1)c(0)");
  const second = body.attempt();
  source.push("d").end();
  assertEquals(available(second), "ab(1)c(0)d(0)");
  assertEquals(available(body.attempt()), "ab(1)c(0)d(0)", "after its end, too");
});

Deno.test("an attempt that was given up takes nothing more and cancels nothing", async () => {
  const source = new TestBody();
  const body = new ResendableBody(source);
  const first = body.attempt();
  const waiting = first.fill();
  const second = body.attempt();
  assertThrows(() => first.take(), WeirError, "sent again");
  first.cancel(reason);
  const filled = second.fill();
  source.push("a");
  await Promise.all([waiting, filled]);
  assertEquals([available(second), source.cancelled], ["a(0)", null]);
});

Deno.test("the source is cancelled when no other attempt follows the one that was given up", () => {
  const source = new TestBody().push("a");
  const body = new ResendableBody(source);
  body.attempt().cancel(reason);
  assertEquals(source.cancelled, null);
  const last = body.attempt();
  body.settle();
  assertEquals(source.cancelled, null);
  last.cancel(reason);
  assertEquals(source.cancelled, reason);
});

Deno.test("an attempt that was cancelled takes nothing more, so that what comes before the next one is whole", async () => {
  const source = new TestBody();
  const body = new ResendableBody(source);
  const first = body.attempt();
  const waiting = first.fill();
  first.cancel(reason);
  source.push(new Uint8Array(70_000).fill(97)).end();
  await waiting;
  assertThrows(() => first.take(), WeirError, "sent again");
  assertEquals(body.isWhole, true);
  assertEquals(available(body.attempt()).length, "(0)".length + 70_000);
});

Deno.test("of a body in tiny pieces less is kept: each costs more than its bytes", () => {
  const source = new TestBody();
  const body = new ResendableBody(source);
  const first = body.attempt();
  for (let i = 0; i < 500; i++) source.push("a");
  available(first);
  assertEquals(body.isWhole, false);
});

Deno.test("more than 64 KiB, what pieces cost included, are not kept: there is no second attempt", () => {
  const source = new TestBody().push(new Uint8Array(65_536 - 256));
  const body = new ResendableBody(source);
  const first = body.attempt();
  available(first);
  assertEquals(body.isWhole, true);
  source.push("a");
  available(first);
  assertEquals(body.isWhole, false);
  assertThrows(() => body.attempt(), WeirError, "Too much");
  first.cancel(reason);
  assertEquals(source.cancelled, reason);
});
