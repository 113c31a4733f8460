import { X509Certificate } from "node:crypto";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { OptionRegistry } from "../../src/options/mod.ts";
import { Certificates, type Look } from "../../src/proxy/certificates.ts";
import type { Destination } from "../../src/proxy/route.ts";
import { Leaves, loadAuthority } from "../../src/tls/mod.ts";
import { addonHost, clientConn } from "../support/addon_host.ts";

const TARGET: Destination = { scheme: "https", host: "a.example", port: 443, sni: null };

/** Certificates in a directory of their own, which is removed afterwards. */
async function withCertificates(
  look: Look,
  run: (certificates: Certificates, options: OptionRegistry, lines: string[]) => Promise<void>,
  limits: { seenMs?: number } = {},
): Promise<void> {
  const confdir = await Deno.makeTempDir();
  try {
    const host = addonHost();
    await host.options.update({ confdir });
    await run(new Certificates(host.options.values, host.ctx.log, look, limits), host.options, host.lines);
  } finally {
    await Deno.remove(confdir, { recursive: true });
  }
}

const shows = (alpn: string | null) => Promise.resolve({ certificates: [], alpn });

Deno.test("an origin is asked once for what it shows, by its name and the SNI", async () => {
  const asked: unknown[] = [];
  const look: Look = ({ host, sni }) => {
    asked.push([host, sni]);
    return shows("h2");
  };
  await withCertificates(look, async (certificates) => {
    for (const sni of ["one.example", "one.example", "two.example"]) {
      assertEquals((await certificates.offerFor({ ...TARGET, sni }, sni, clientConn)).upstreamAlpn, "h2");
    }
    assertEquals(asked, [["a.example", "one.example"], ["a.example", "two.example"]]);
  });
});

Deno.test("an origin that renews its certificate under other names is asked again after a while", async () => {
  const confdir = await Deno.makeTempDir();
  try {
    const leaves = new Leaves(await loadAuthority(confdir));
    const der = async (host: string) => new X509Certificate((await leaves.leafFor({ host })).cert).raw;
    const shown = [await der("old.example"), await der("new.example")];
    const look: Look = () => Promise.resolve({ certificates: [Uint8Array.from(shown.shift()!)], alpn: null });
    await withCertificates(look, async (certificates) => {
      const names = async () => (await certificates.offerFor(TARGET, null, clientConn)).leaf.names;
      assertEquals(await names(), ["a.example", "old.example"]);
      assertEquals(await names(), ["a.example", "new.example"]);
    }, { seenMs: 0 });
  } finally {
    await Deno.remove(confdir, { recursive: true });
  }
});

Deno.test("an origin that cannot be asked is asked again; the client's name must do meanwhile", async () => {
  let asked = 0;
  const look: Look = () => ++asked === 1 ? Promise.reject(new Error("refused")) : shows("http/1.1");
  await withCertificates(look, async (certificates, _options, lines) => {
    assertEquals(
      (await certificates.offerFor({ ...TARGET, sni: "a.example" }, "a.example", clientConn)).upstreamAlpn,
      null,
    );
    assertStringIncludes(lines[0], "debug: No certificate of a.example to copy names from: refused");
    assertEquals(
      (await certificates.offerFor({ ...TARGET, sni: "a.example" }, "a.example", clientConn)).upstreamAlpn,
      "http/1.1",
    );
  });
});

Deno.test("nobody is asked with upstream_cert=false, for plain origins, and for weir itself", async () => {
  const look: Look = () => Promise.reject(new Error("not to be asked"));
  await withCertificates(look, async (certificates, options, lines) => {
    await certificates.offerFor({ ...TARGET, scheme: "http" }, null, clientConn);
    await certificates.offerFor(null, null, clientConn);
    await options.update({ upstream_cert: false });
    await certificates.offerFor({ ...TARGET, sni: "a.example" }, "a.example", clientConn);
    assertEquals(lines, []);
  });
});

Deno.test("the CA's certificate is made on first use and can be had as a file", async () => {
  await withCertificates(() => shows(null), async (certificates) => {
    const pem = new TextDecoder().decode(await certificates.file("pem"));
    assertEquals(new X509Certificate(pem).ca, true);
  });
});

Deno.test("trusted: nothing, the file's text, or an error that names the option", async () => {
  await withCertificates(() => shows(null), async (certificates, options) => {
    assertEquals(await certificates.trusted(), []);
    const path = `${options.values.confdir}/more.pem`;
    await options.update({ ssl_verify_upstream_trusted_ca: path });
    await assertRejects(() => certificates.trusted(), WeirError, "ssl_verify_upstream_trusted_ca");
    await Deno.writeTextFile(path, "PEM");
    await assertRejects(() => certificates.trusted(), WeirError, "ssl_verify_upstream_trusted_ca");
    await assertRejects(() => certificates.prepare(), WeirError, "ssl_verify_upstream_trusted_ca");
    const pem = new TextDecoder().decode(await certificates.file("pem"));
    await Deno.writeTextFile(path, pem);
    assertEquals(await certificates.trusted(), [pem]);
  });
});
