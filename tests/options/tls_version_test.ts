import { assertEquals } from "@std/assert";
import { tlsVersions } from "../../src/options/tls_version.ts";

Deno.test("a pair of bounds is null where it leaves nothing out, so that the usual way is taken", () => {
  const cases = [
    ["TLS1_2", "UNBOUNDED", null],
    ["UNBOUNDED", "UNBOUNDED", null],
    ["UNBOUNDED", "TLS1_3", null],
    ["TLS1_3", "UNBOUNDED", { min: "TLSv1.3" }],
    ["TLS1_2", "TLS1_2", { min: "TLSv1.2", max: "TLSv1.2" }],
    ["UNBOUNDED", "TLS1_2", { max: "TLSv1.2" }],
  ] as const;
  for (const [min, max, expected] of cases) assertEquals(tlsVersions(min, max), expected, `${min} ${max}`);
});
