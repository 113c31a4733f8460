import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { X509Certificate } from "node:crypto";
import { WeirError } from "../../src/errors.ts";
import { type Leaf, leafOn, Leaves, loadAuthority } from "../../src/tls/mod.ts";
import { inDirectory, opensslOk } from "./openssl.ts";

async function withLeaves(
  use: (leaves: Leaves, ca: string, directory: string) => Promise<void>,
): Promise<void> {
  await inDirectory(async (directory) => {
    const authority = await loadAuthority(directory);
    await use(new Leaves(authority), authority.certificatePath, directory);
  });
}

/** The DER of a self-signed certificate with the names of a server. */
async function upstream(directory: string, subject: string, names: string): Promise<Uint8Array> {
  const make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await opensslOk([...make, "-keyout", `${directory}/k`, "-out", `${directory}/c`, "-subj", subject].concat(
    names === "" ? [] : ["-addext", `subjectAltName=${names}`],
  ));
  return new X509Certificate(Deno.readFileSync(`${directory}/c`)).raw;
}

function textOf(leaf: Leaf): Promise<string> {
  return opensslOk(["x509", "-noout", "-text"], leaf.cert);
}

Deno.test("a leaf is what openssl accepts for its host, strictly", async () => {
  await withLeaves(async (leaves, ca) => {
    const leaf = await leaves.leafFor({ host: "Example.COM.", sni: "www.example.com" });
    assertEquals(leaf.names, ["www.example.com", "example.com"]);
    for (const host of leaf.names) {
      await opensslOk(
        ["verify", "-x509_strict", "-CAfile", ca, "-verify_hostname", host, "-purpose", "sslserver"],
        leaf.cert,
      );
    }
    const text = await textOf(leaf);
    assertMatch(text, /Extended Key Usage:\s+TLS Web Server Authentication\n/);
    assertMatch(text, /Key Usage: critical\s+Digital Signature\n/);
    assertMatch(text, /Basic Constraints: critical\s+CA:FALSE/);
    assertMatch(text, /Authority Key Identifier/);
    const { validFrom, validTo } = new X509Certificate(leaf.cert);
    const days = (Date.parse(validTo) - Date.parse(validFrom)) / 86_400_000;
    assert(days <= 397, `${days} days`);
    assert(Date.parse(validFrom) < Date.now() - 86_400_000, "clocks may be a day behind");
  });
});

Deno.test("IP addresses become IP names", async () => {
  await withLeaves(async (leaves, ca) => {
    for (const [host, ip] of [["127.0.0.1", "127.0.0.1"], ["[2001:db8::1]", "2001:db8::1"]]) {
      const leaf = await leaves.leafFor({ host });
      await opensslOk(["verify", "-x509_strict", "-CAfile", ca, "-verify_ip", ip], leaf.cert);
    }
  });
});

Deno.test("the upstream certificate's names and organisation are taken over, wildcards too", async () => {
  await withLeaves(async (leaves, ca, directory) => {
    const names = "DNS:*.cdn.example,DNS:alt.example,IP:192.0.2.7,email:a@b.c,DNS:not a name";
    const certificate = await upstream(directory, "/CN=cn.example/O=Some Company", names);
    const leaf = await leaves.leafFor({
      host: "192.0.2.1",
      sni: "a.cdn.example",
      upstreamCertificate: certificate,
    });
    assertEquals(leaf.names, [
      "a.cdn.example",
      "192.0.2.1",
      "cn.example",
      "*.cdn.example",
      "alt.example",
      "192.0.2.7",
    ]);
    await opensslOk(
      ["verify", "-x509_strict", "-CAfile", ca, "-verify_hostname", "b.cdn.example"],
      leaf.cert,
    );
    await opensslOk(["verify", "-CAfile", ca, "-verify_ip", "192.0.2.7"], leaf.cert);
    assertStringIncludes(await textOf(leaf), "O = Some Company");
    const garbage = await leaves.leafFor({ host: "x.example", upstreamCertificate: new Uint8Array(50) });
    assertEquals(garbage.names, ["x.example"]);
  });
});

Deno.test("a name too long for a subject stands in the alternative names alone, critical", async () => {
  await withLeaves(async (leaves, ca) => {
    const host = `${"a".repeat(60)}.${"b".repeat(60)}.example`;
    const leaf = await leaves.leafFor({ host });
    await opensslOk(["verify", "-x509_strict", "-CAfile", ca, "-verify_hostname", host], leaf.cert);
    assertMatch(await textOf(leaf), /Subject Alternative Name: critical/);
  });
});

Deno.test("a server name that is no host name is refused", async () => {
  await withLeaves(async (leaves) => {
    for (
      const sni of ["a b", "a\0b.example", "é.example", "-a.example", "a..b", "*", "a".repeat(64), "x,DNS:y"]
    ) {
      const error = await assertRejects(() => leaves.leafFor({ host: "example.com", sni }), WeirError);
      assertEquals([error.side, error.code], ["client", "tls"]);
    }
  });
});

Deno.test("a leaf is made once: requests share it, at the same time and later; serial numbers differ", async () => {
  await withLeaves(async (leaves, _ca, directory) => {
    const [a, b] = await Promise.all([
      leaves.leafFor({ host: "a.example" }),
      leaves.leafFor({ host: "a.example" }),
    ]);
    assert(a === b);
    assert(a === await leaves.leafFor({ host: "a.example", sni: null }));
    const other = await leaves.leafFor({ host: "b.example" });
    assertEquals(other.key, a.key);
    assertNotEquals(new X509Certificate(other.cert).serialNumber, new X509Certificate(a.cert).serialNumber);
    const certificate = await upstream(directory, "/CN=cn.example", "");
    assert(a !== await leaves.leafFor({ host: "a.example", upstreamCertificate: certificate }));
  });
});

Deno.test("the cache is bounded, and forgets what was not asked for the longest", async () => {
  await inDirectory(async (directory) => {
    const leaves = new Leaves(await loadAuthority(directory), { cacheSize: 2 });
    const a = await leaves.leafFor({ host: "a.example" });
    const b = await leaves.leafFor({ host: "b.example" });
    assert(a === await leaves.leafFor({ host: "a.example" }));
    await leaves.leafFor({ host: "c.example" });
    assert(a === await leaves.leafFor({ host: "a.example" }));
    assert(b !== await leaves.leafFor({ host: "b.example" }));
  });
});

Deno.test("a leaf with an RSA key is one of its own, and its key is made once", async () => {
  await withLeaves(async (leaves) => {
    const ecdsa = await leaves.leafFor({ host: "a.example" });
    const [a, b] = await Promise.all([
      leaves.leafFor({ host: "a.example", keyType: "rsa" }),
      leaves.leafFor({ host: "b.example", keyType: "rsa" }),
    ]);
    assert(a !== ecdsa);
    assertEquals(a.key, b.key);
    const { publicKey } = new X509Certificate(a.cert);
    assertEquals([publicKey.asymmetricKeyType, publicKey.asymmetricKeyDetails?.modulusLength], ["rsa", 2048]);
    assertEquals(a.names, ecdsa.names);
    assert(a === await leaves.leafFor({ host: "a.example", keyType: "rsa" }));
  });
});

Deno.test("a leaf on other terms is the same certificate, made once for as long as the terms are the same", async () => {
  await withLeaves(async (leaves) => {
    const leaf = await leaves.leafFor({ host: "a.example" });
    const other = await leaves.leafFor({ host: "b.example" });
    const der = new X509Certificate(other.cert).raw;
    const bounded = leafOn(leaf, { min: "TLSv1.3" });
    assert(bounded !== leaf && bounded.context !== leaf.context);
    assertEquals([bounded.cert, bounded.key, bounded.names], [leaf.cert, leaf.key, leaf.names]);
    assert(leafOn(leaf, { min: "TLSv1.3" }) === bounded);
    const chained = leafOn(leaf, { chain: [der] });
    assertEquals(chained.cert.match(/BEGIN CERTIFICATE/g)!.length, 3);
    assertEquals(chained.cert.startsWith(leaf.cert), true);
    assert(leafOn(leaf, { chain: [der], max: "TLSv1.2" }) !== chained);
    assert(leafOn(other, { chain: [der], max: "TLSv1.2" }).names[0] === "b.example");
  });
});
