import { assertEquals } from "@std/assert";
import { OptionRegistry } from "../../src/options/mod.ts";
import { isAllowed, isIgnored } from "../../src/proxy/host_rules.ts";

const at = (...names: string[]) =>
  names.map((name) => ({ host: name.split(":")[0], port: Number(name.split(":")[1]) }));

const ROWS: [patterns: string[], names: string[], found: boolean][] = [
  [["example\\.com"], ["example.com:443"], true],
  [["EXAMPLE\\.com"], ["www.Example.COM:443"], true],
  [["^example\\.com:443$"], ["example.com:443"], true],
  [["^example\\.com:443$"], ["example.com:8443"], false],
  [["^example\\.com:443$"], ["www.example.com:443"], false],
  [["one", "two"], ["two.example:1"], true],
  // The name of the CONNECT, or the one in the ClientHello.
  [["^b\\.example"], ["192.0.2.1:443", "b.example:443"], true],
  [["^b\\.example"], ["192.0.2.1:443"], false],
];
for (const [patterns, names, found] of ROWS) {
  Deno.test(`${patterns.join(" or ")} ${found ? "is" : "is not"} found in ${names.join(", ")}`, async () => {
    const registry = new OptionRegistry();
    await registry.update({ ignore_hosts: patterns, allow_hosts: patterns });
    for (let i = 0; i < 2; i++) {
      assertEquals(isIgnored(registry.values, at(...names)), found);
      assertEquals(isAllowed(registry.values, at(...names)), found);
    }
  });
}

Deno.test("without patterns nothing is ignored and everything allowed", () => {
  const { values } = new OptionRegistry();
  assertEquals([isIgnored(values, at("a:1")), isAllowed(values, at("a:1"))], [false, true]);
});

Deno.test("patterns that change hold at once", async () => {
  const registry = new OptionRegistry();
  await registry.update({ ignore_hosts: ["^a:"] });
  assertEquals(isIgnored(registry.values, at("a:1")), true);
  await registry.update({ ignore_hosts: ["^b:"] });
  assertEquals([isIgnored(registry.values, at("a:1")), isIgnored(registry.values, at("b:1"))], [false, true]);
});
