import { assert, assertEquals, assertRejects } from "@std/assert";
import { isIP } from "node:net";
import { WeirError } from "../../src/errors.ts";
import { resolve } from "../../src/net/mod.ts";

Deno.test("an address is its own; a name is what the system knows", async () => {
  for (const address of ["127.0.0.1", "::1", "fe80::1%lo"]) {
    assertEquals(await resolve(address, "server"), [address]);
  }
  const found = await resolve("localhost", "server");
  assert(found.length > 0 && found.every((address) => isIP(address) !== 0));
});

Deno.test("a name that leads nowhere is its owner's fault, and named", async () => {
  for (const name of ["no.such.name.invalid", `${"x".repeat(64)}.example`]) {
    const error = await assertRejects(
      () => resolve(name, "server"),
      WeirError,
      `The name ${name} cannot be resolved`,
    );
    assertEquals([error.side, error.code, error.statusCode], ["server", "dns", 502]);
  }
});
