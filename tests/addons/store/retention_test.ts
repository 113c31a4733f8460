/** The option `flow_store_keep`. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { parseKeep } from "../../../addons/store/retention.ts";

Deno.test("ages and sizes, one of each", () => {
  assertEquals(parseKeep("7d"), { ms: 7 * 86_400_000, bytes: null });
  assertEquals(parseKeep("12h"), { ms: 43_200_000, bytes: null });
  assertEquals(parseKeep("10G"), { ms: null, bytes: 10 * 1024 ** 3 });
  assertEquals(parseKeep("500m, 1.5d"), { ms: 129_600_000, bytes: 500 * 1024 ** 2 });
  assertEquals(parseKeep("1t"), { ms: null, bytes: 1024 ** 4 });
});

Deno.test("anything else is said to be wrong", () => {
  for (const text of ["", "7", "7w", "d", "-1d", "0d", "7d,", "7d 10g", "10k"]) {
    assertThrows(() => parseKeep(text), SyntaxError, "is no age (12h, 7d) and no size", text);
  }
  assertThrows(() => parseKeep("7d,1h"), SyntaxError, "there are two ages");
  assertThrows(() => parseKeep("7m,1g"), SyntaxError, "there are two sizes");
});
