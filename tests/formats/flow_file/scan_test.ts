/** Where new flows may be put. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { FormatError } from "../../../src/formats/error.ts";
import { scanFlowFile } from "../../../src/formats/mod.ts";
import { data } from "../support.ts";

function source(bytes: Uint8Array) {
  return {
    size: bytes.length,
    read: (offset: number, count: number) => Promise.resolve(bytes.slice(offset, offset + count)),
  };
}

Deno.test("a whole file ends where it ends, one that was cut behind its last whole flow", async () => {
  const all = data("all.mitm");
  assertEquals(await scanFlowFile(source(all)), { count: 64, end: all.length, dropped: 0 });
  assertEquals(await scanFlowFile(source(new Uint8Array())), { count: 0, end: 0, dropped: 0 });
  for (const cut of [1, 2, 100, 3000]) {
    const { end, dropped } = await scanFlowFile(source(all.subarray(0, all.length - cut)));
    assertEquals(end + dropped, all.length - cut);
  }
  assertEquals(await scanFlowFile(source(data("broken/cut-in-length.mitm"))), {
    count: 2,
    end: 3379,
    dropped: 2,
  });
  assertEquals(await scanFlowFile(source(data("broken/cut-first-record.mitm"))), {
    count: 0,
    end: 0,
    dropped: 100,
  });
});

for (const name of ["text-only.mitm", "text-between.mitm", "zeros-at-end.mitm", "har-cut"]) {
  Deno.test(`${name} is nothing to add flows to`, async () => {
    await assertRejects(() => scanFlowFile(source(data(`broken/${name}`))), FormatError, "at byte ");
  });
}

Deno.test("a file with other records than dicts is nothing to add flows to", async () => {
  await assertRejects(() => scanFlowFile(source(new TextEncoder().encode("3:1:a]0:~"))), FormatError);
});
