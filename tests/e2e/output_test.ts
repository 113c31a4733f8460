/** What weir prints and nobody reads: flows go on, and so does the end. @module */
import { assertEquals } from "@std/assert";
import { exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startWeir } from "./support/weir.ts";
import { within } from "./support/within.ts";

for (const [reader, args] of [["sleeps", []], ["leaves", []], ["sleeps", ["--flow-detail", "4"]]] as const) {
  Deno.test(`a stdout whose reader ${reader} stops neither flows nor the end of weir ${args.join(" ")}`, async () => {
    await using server = await origin(withLength("x".repeat(2_000)));
    await using weir = await startWeir({ reader, args: [...args] });
    // Many times what a pipe holds.
    for (let i = 0; i < 1_500; i++) {
      assertEquals((await exchange(weir, server.url(`/${i}`))).head.statusCode, 200);
    }
    weir.signal("SIGTERM");
    assertEquals(await within(10_000, weir.exit(), "weir to exit"), 0);
  });
}

for (const args of [["-w", "-"], ["--hardump", "-"]]) {
  Deno.test(`flows for a stdout that nobody reads (${args.join(" ")}) do not keep weir from ending`, async () => {
    await using server = await origin(withLength("x".repeat(100_000)));
    await using weir = await startWeir({ reader: "sleeps", args });
    for (let i = 0; i < 20; i++) {
      assertEquals((await exchange(weir, server.url(`/${i}`))).head.statusCode, 200);
    }
    weir.signal("SIGTERM");
    assertEquals(await within(15_000, weir.exit(), "weir to exit"), 0);
  });
}
