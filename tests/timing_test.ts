import { assertEquals, assertRejects } from "@std/assert";
import { deadline, settlesWithin } from "../src/timing.ts";

const never = new Promise<never>(() => {});

Deno.test("settlesWithin: settled either way is in time, and leaves no timer", async () => {
  assertEquals(await settlesWithin(60_000, Promise.resolve(1)), true);
  assertEquals(await settlesWithin(60_000, Promise.reject(new Error("no"))), true);
  assertEquals(await settlesWithin(1, never), false);
});

Deno.test("deadline: the value, the promise's own error, or one that says what took too long", async () => {
  assertEquals(await deadline(60_000, Promise.resolve(1), "nothing"), 1);
  await assertRejects(() => deadline(60_000, Promise.reject(new Error("own")), "nothing"), Error, "own");
  await assertRejects(() => deadline(1, never, "no answer"), Error, "no answer within 1 ms");
});

Deno.test("a promise that fails after its deadline is nobody's accident", async () => {
  const late = Promise.withResolvers<void>();
  await assertRejects(() => deadline(1, late.promise, "no answer"), Error, "no answer");
  late.reject(new Error("late"));
  await new Promise((resolve) => setTimeout(resolve, 0));
});
