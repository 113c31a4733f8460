/** What a child of `weir exec` is given in place of secrets. @module */
import { assertEquals } from "@std/assert";
import { Egress } from "../../src/egress/egress.ts";
import { loadedFrom } from "../../src/egress/loaded.ts";
import { parsePolicyFile } from "../../src/egress/policy/file.ts";
import { readSecrets } from "../../src/egress/secrets/secret.ts";

Deno.test("a placeholder with $& in it does not bring the value into the child's environment", async () => {
  const file = await parsePolicyFile(
    "p",
    'secrets:\n  KEY: { from: env, hosts: [a.b], placeholder: "weir$&holder" }\n',
  );
  const secrets = await readSecrets(file, { env: () => "the real value", id: () => "0" });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const egress = new Egress(loadedFrom(file, secrets), { log, isVerified: () => true, isLearning: false });
  assertEquals(egress.environment({ KEY: "the real value", URL: "db://u:the real value@h" }), {
    KEY: "weir$&holder",
    URL: "db://u:weir$&holder@h",
  });
});
