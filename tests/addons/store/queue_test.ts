/** Rows on their way to a database. @module */
import { assert, assertEquals } from "@std/assert";
import { makeHttpFlow } from "weir";
import { FlowQueue, MAX_WAITING, RefusedRow } from "../../../addons/store/queue.ts";
import { type FlowRow, rowOf, weightOf } from "../../../addons/store/row.ts";

const NONE = { bytes: null, hash: null, size: 0 };

function row(n: number, body: Uint8Array | null = null): FlowRow {
  const flow = makeHttpFlow({ id: String(n), request: { url: "http://a.test/" } });
  return rowOf(flow, {
    instance: "i",
    requestBody: NONE,
    responseBody: { ...NONE, bytes: body },
    messages: [],
  });
}

/** A database that keeps ids, and fails as it is told. */
function table(fail: (ids: string[]) => Error | null = () => null) {
  const written: string[][] = [], told: string[] = [];
  const queue = new FlowQueue((rows) => {
    const ids = rows.map(({ id }) => id);
    const error = fail(ids);
    if (error === null) written.push(ids);
    return error === null ? Promise.resolve() : Promise.reject(error);
  }, {
    onAway: (error) => told.push(`away: ${(error as Error).message}`),
    onBack: () => told.push("back"),
    onDropped: (count) => told.push(`dropped ${count}`),
    onRefused: ({ id }) => told.push(`refused ${id}`),
  });
  return { queue, written, told };
}

Deno.test("rows go in batches, in their order, and all are written at the end", async () => {
  const { queue, written, told } = table();
  for (let i = 0; i < 1201; i++) queue.add(row(i));
  await queue.close(60_000);
  assertEquals(written.flat(), Array.from({ length: 1201 }, (_, i) => String(i)));
  assert(written.length >= 3 && written.every((batch) => batch.length <= 500));
  assertEquals(told, []);
});

Deno.test("a database that is away is tried again: nothing is lost, its order stays, it is told once", async () => {
  let failures = 3;
  const { queue, written, told } = table(() => failures-- > 0 ? new Error("gone") : null);
  for (let i = 0; i < 700; i++) queue.add(row(i));
  await queue.close(60_000);
  assertEquals(written.flat(), Array.from({ length: 700 }, (_, i) => String(i)));
  assertEquals(told, ["away: gone", "back"]);
});

Deno.test("a row that is refused costs no other one", async () => {
  const { queue, written, told } = table((ids) =>
    ids.some((id) => id === "3" || id === "77") ? new RefusedRow("no") : null
  );
  for (let i = 0; i < 100; i++) queue.add(row(i));
  await queue.close(60_000);
  const expected = Array.from({ length: 100 }, (_, i) => String(i)).filter((id) => id !== "3" && id !== "77");
  assertEquals(written.flat(), expected);
  assertEquals(told, ["refused 3", "refused 77"]);
});

Deno.test("beyond the bound the oldest are dropped and counted", async () => {
  let isAway = true;
  const { queue, written, told } = table(() => isAway ? new Error("gone") : null);
  const body = new Uint8Array(4 * 1024 * 1024);
  const fits = Math.floor(MAX_WAITING / weightOf(row(0, body)));
  for (let i = 0; i < fits + 5; i++) queue.add(row(i, body));
  assertEquals([queue.size, queue.dropped, told], [fits, 5, ["dropped 1"]]);
  isAway = false;
  await queue.close(60_000);
  assertEquals(written.flat(), Array.from({ length: fits }, (_, i) => String(i + 5)));
  assertEquals(told.at(-1), "dropped 4");
});

Deno.test("what cannot be written in time when weir ends is dropped and told", async () => {
  const { queue, told } = table(() => new Error("gone"));
  for (let i = 0; i < 3; i++) queue.add(row(i));
  await queue.close(50);
  assertEquals(told, ["away: gone", "dropped 3"]);
});

Deno.test("a write that fails after the end was over is not tried again, and its rows are counted as dropped", async () => {
  const write = Promise.withResolvers<void>();
  let writes = 0;
  const queue = new FlowQueue(() => {
    writes++;
    return write.promise;
  }, { onAway() {}, onBack() {}, onDropped() {}, onRefused() {} });
  for (let i = 0; i < 500; i++) queue.add(row(i));
  assertEquals(writes, 1);
  await queue.close(1);
  write.reject(new Error("the connection was closed"));
  await write.promise.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([queue.size, queue.dropped], [0, 500]);
});
