import { assertEquals } from "@std/assert";
import { FiniteWork } from "../../src/proxy/finite_work.ts";

/** Work, and what was heard of it. */
function work() {
  const heard: string[] = [];
  const say = (text: string) => void heard.push(text);
  return { heard, finite: new FiniteWork(say, () => say("done")) };
}

Deno.test("all is done when the last work is, and not before all could say that they have some", async () => {
  const { heard, finite } = work();
  const last = Promise.withResolvers<void>();
  finite.add(Promise.resolve());
  await Promise.resolve();
  finite.add(last.promise);
  finite.begin();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(heard, []);
  last.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([heard, finite.hasFailed], [["done"], false]);
});

Deno.test("where there is no work, nothing is ever done", () => {
  const { heard, finite } = work();
  finite.begin();
  assertEquals(heard, []);
});

Deno.test("work that fails is told and counts as done", async () => {
  const { heard, finite } = work();
  finite.add(Promise.reject(new Error("flows.mitm: at byte 3: no")));
  finite.begin();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([heard, finite.hasFailed], [["flows.mitm: at byte 3: no", "done"], true]);
});
