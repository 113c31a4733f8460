import { assertEquals } from "@std/assert";
import { authorityOf, defaultPort } from "../../src/flow/authority.ts";

Deno.test("ports that a scheme implies, and authorities without them", () => {
  assertEquals([defaultPort("http"), defaultPort("https"), defaultPort("")], [80, 443, 0]);
  assertEquals(
    [
      authorityOf("a", 0, ""),
      authorityOf("a", 80, "http"),
      authorityOf("a", 80, ""),
      authorityOf("::1", 1, "http"),
      authorityOf("[::1]", 80, "http"),
    ],
    ["a", "a", "a:80", "[::1]:1", "[::1]"],
  );
});
