/** Whether an exchange was stopped, and the wait that it ends. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Stop } from "../../src/proxy/stop.ts";

const killed = () => new WeirError("weir", "killed", "The flow was killed.");

Deno.test("the first reason to stop is the one that counts, and both sides are ended once", () => {
  const stop = new Stop(), first = killed(), ended: WeirError[] = [], told: WeirError[] = [];
  stop.onStop = (error) => told.push(error);
  stop.check();
  stop.stop(first, (error) => ended.push(error));
  stop.stop(killed(), (error) => ended.push(error));
  assertEquals([ended, told, stop.error], [[first], [first], first]);
  assertThrows(() => stop.check(), WeirError, "killed");
});

Deno.test("a stop ends the wait for what never comes", async () => {
  const stop = new Stop();
  const waited = stop.unlessStopped(new Promise<number>(() => {}), () => {});
  stop.stop(killed(), () => {});
  await assertRejects(() => waited, WeirError, "killed");
});

Deno.test("what comes after the stop is still given to the one who frees it", async () => {
  const stop = new Stop(), late = Promise.withResolvers<number>(), kept: number[] = [];
  const waited = stop.unlessStopped(late.promise, (value) => kept.push(value));
  stop.stop(killed(), () => {});
  await assertRejects(() => waited, WeirError, "killed");
  late.resolve(5);
  await late.promise;
  assertEquals(kept, [5]);
});

Deno.test("a stop behind what was waited for ends nothing of it", async () => {
  const stop = new Stop();
  assertEquals(await stop.unlessStopped(Promise.resolve(5), () => {}), 5);
  assertEquals(stop.onStop, null);
});
