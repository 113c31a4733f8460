import { assert, assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { ClientCertificates } from "../../src/proxy/client_certificates.ts";
import { addonHost } from "../support/addon_host.ts";
import { inDirectory, opensslOk } from "../tls/openssl.ts";

/** Writes a certificate with its key. */
async function write(path: string, name: string): Promise<void> {
  const made = await opensslOk([
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"],
    ...["-subj", `/CN=${name.replaceAll("/", " ")}`, "-keyout", "-"],
  ]);
  await Deno.writeTextFile(path, made);
}

async function certificates(path: string): Promise<ClientCertificates> {
  const { options } = addonHost();
  await options.update({ client_certs: path });
  return new ClientCertificates(options.values);
}

Deno.test("a host finds its file in the directory, in any case, and no host finds one outside of it", async () => {
  await inDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/certs`);
    for (const name of ["certs/a.test", "certs/::1", "certs/sub", "outside"]) {
      await write(`${directory}/${name}.pem`, name);
    }
    await Deno.mkdir(`${directory}/certs/folder.pem`);
    const found = await certificates(`${directory}/certs`);
    await found.prepare();
    for (const host of ["a.test", "A.Test", "::1"]) assert(await found.for(host) !== null, host);
    const none = [
      "b.test",
      "folder",
      "../outside",
      "..",
      "",
      "/etc/a",
      "a.test\0",
      "x/../a.test",
      "%2e%2e/outside",
    ];
    for (const host of none) assertEquals(await found.for(host), null, host);
  });
});

Deno.test("what was read is kept until the file changes; a path that is gone shows nothing, or is told at start", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/me.pem`;
    await write(path, "me");
    const found = await certificates(path);
    await found.prepare();
    const first = await found.for("a.test");
    assertEquals(first === await found.for("b.test"), true);
    await write(path, "somebody else");
    const second = await found.for("a.test");
    assert(second!.cert !== first!.cert);
    await Deno.remove(path);
    assertEquals(await found.for("a.test"), null);
    await assertRejects(
      () => found.prepare(),
      WeirError,
      `client_certs: ${path} cannot be used: there is no such`,
    );
  });
});
