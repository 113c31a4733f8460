import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Leaves, loadAuthority, warningOfKey } from "../../src/tls/mod.ts";
import { inDirectory, openssl, opensslOk } from "./openssl.ts";

Deno.test("the CA is made once, privately, in four forms that openssl takes", async () => {
  await inDirectory(async (parent) => {
    const confdir = `${parent}/deep/conf`;
    const authority = await loadAuthority(confdir);
    const names = [...Deno.readDirSync(confdir)].map(({ name }) => name).sort();
    assertEquals(names, ["weir-ca-cert.cer", "weir-ca-cert.p12", "weir-ca-cert.pem", "weir-ca.pem"]);
    assertEquals(Deno.statSync(confdir).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(`${confdir}/weir-ca.pem`).mode! & 0o777, 0o600);

    const text = await opensslOk(["x509", "-in", `${confdir}/weir-ca-cert.pem`, "-noout", "-text"]);
    assertMatch(text, /Version: 3/);
    assertMatch(text, /Basic Constraints: critical\s+CA:TRUE/);
    assertMatch(text, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
    assertMatch(text, /Subject Key Identifier/);
    assertMatch(text, /Public-Key: \(256 bit\)/);
    const { stdout } = await openssl([
      "x509",
      "-in",
      `${confdir}/weir-ca-cert.pem`,
      "-noout",
      "-checkend",
      "312000000",
    ]);
    assertStringIncludes(stdout, "will not expire", "valid for ten years");
    await opensslOk([
      "verify",
      "-x509_strict",
      "-CAfile",
      `${confdir}/weir-ca.pem`,
      `${confdir}/weir-ca-cert.pem`,
    ]);
    await opensslOk(["pkey", "-in", `${confdir}/weir-ca.pem`, "-noout", "-check"]);

    const fingerprint = ["-noout", "-fingerprint", "-sha256"];
    const pem = await opensslOk(["x509", "-in", `${confdir}/weir-ca-cert.pem`, ...fingerprint]);
    const der = await opensslOk([
      "x509",
      "-inform",
      "DER",
      "-in",
      `${confdir}/weir-ca-cert.cer`,
      ...fingerprint,
    ]);
    assertEquals(der, pem);
    const p12 = await opensslOk([
      "pkcs12",
      "-nokeys",
      "-passin",
      "pass:",
      "-in",
      `${confdir}/weir-ca-cert.p12`,
    ]);
    assertStringIncludes(p12, "friendlyName: weir");
    assertEquals(await opensslOk(["x509", ...fingerprint], p12), pem);

    const before = Deno.readTextFileSync(`${confdir}/weir-ca.pem`);
    assertEquals((await loadAuthority(confdir)).certificate, authority.certificate);
    assertEquals(Deno.readTextFileSync(`${confdir}/weir-ca.pem`), before);
  });
});

Deno.test("a PKCS#12 file with a wrong MAC is refused by openssl: ours has a right one", async () => {
  await inDirectory(async (confdir) => {
    await loadAuthority(confdir);
    const path = `${confdir}/weir-ca-cert.p12`;
    const { stderr } = await openssl(["pkcs12", "-nokeys", "-passin", "pass:", "-info", "-in", path]);
    assertMatch(stderr, /MAC: sha1, Iteration 2048/);
    const bytes = Deno.readFileSync(path);
    bytes[200] ^= 1;
    Deno.writeFileSync(path, bytes);
    assert((await openssl(["pkcs12", "-nokeys", "-passin", "pass:", "-in", path])).code !== 0);
  });
});

Deno.test("many that start at once end up with one CA, and leave nothing else behind", async () => {
  await inDirectory(async (confdir) => {
    const script = `const { loadAuthority } = await import(Deno.args[0]);
      const { certificate } = await loadAuthority(Deno.args[1]);
      console.log(certificate.toHex());`;
    const path = `${confdir}/start.ts`;
    Deno.writeTextFileSync(path, script);
    const module = new URL("../../src/tls/mod.ts", import.meta.url).href;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", "--config", config, path, module, `${confdir}/c`];
    const processes = await Promise.all(
      [1, 2].map(() => new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output()),
    );
    const here = await Promise.all([1, 2, 3].map(() => loadAuthority(`${confdir}/c`)));
    const all = [
      ...processes.map(({ stdout }) => new TextDecoder().decode(stdout).trim()),
      ...here.map(({ certificate }) => certificate.toHex()),
    ];
    assertEquals(new Set(all).size, 1);
    assertEquals([...Deno.readDirSync(`${confdir}/c`)].length, 4);
  });
  await inDirectory(async (confdir) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => loadAuthority(confdir)));
    assertEquals(new Set(all.map(({ certificate }) => certificate.toHex())).size, 1);
    assertEquals([...Deno.readDirSync(confdir)].length, 4);
  });
});

const REQUEST = [
  ..."req -x509 -sha256 -days 3000 -subj /CN=mitmproxy/O=mitmproxy -addext".split(" "),
  "keyUsage=critical,keyCertSign,cRLSign",
];
const KEYS: [string, string[], string][] = [
  ["RSA, PKCS#8", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "BEGIN PRIVATE KEY"],
  ["RSA, PKCS#1 (mitmproxy's)", ["genrsa", "-traditional", "2048"], "BEGIN RSA PRIVATE KEY"],
  ["EC, SEC 1", ["ecparam", "-genkey", "-noout", "-name", "prime256v1"], "BEGIN EC PRIVATE KEY"],
  ["EC, PKCS#8", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384".split(" "), "BEGIN PRIVATE KEY"],
];

for (const [what, make, mark] of KEYS) {
  Deno.test(`a CA of others is used as it is: ${what}`, async () => {
    await inDirectory(async (confdir) => {
      const key = await opensslOk(make);
      assertStringIncludes(key, mark);
      Deno.writeTextFileSync(`${confdir}/key`, key);
      const certificate = await opensslOk([...REQUEST, "-key", `${confdir}/key`]);
      const whole = key + certificate;
      Deno.writeTextFileSync(`${confdir}/weir-ca.pem`, whole);
      const authority = await loadAuthority(confdir);
      assertEquals(Deno.readTextFileSync(`${confdir}/weir-ca.pem`), whole);
      assertEquals(Deno.readTextFileSync(`${confdir}/weir-ca-cert.pem`), certificate);
      const leaf = await new Leaves(authority).leafFor({ host: "example.com" });
      await opensslOk(
        [
          "verify",
          "-CAfile",
          `${confdir}/weir-ca-cert.pem`,
          "-verify_hostname",
          "example.com",
          "-purpose",
          "sslserver",
        ],
        leaf.cert,
      );
    });
  });
}

Deno.test("a directory of mitmproxy's: its CA is used where there is none of weir's, and left as it is", async () => {
  await inDirectory(async (confdir) => {
    const made = await loadAuthority(confdir);
    Deno.renameSync(`${confdir}/weir-ca.pem`, `${confdir}/mitmproxy-ca.pem`);
    const found = await loadAuthority(confdir);
    assertEquals(found.certificate, made.certificate);
    assertEquals([...Deno.readDirSync(confdir)].some(({ name }) => name === "weir-ca.pem"), false);
    await inDirectory(async (other) => {
      await loadAuthority(other);
      Deno.copyFileSync(`${other}/weir-ca.pem`, `${confdir}/weir-ca.pem`);
      const own = await loadAuthority(confdir);
      assert(own.certificate.toHex() !== made.certificate.toHex());
    });
  });
});

Deno.test("the certificate alone is written again when the CA was exchanged", async () => {
  await inDirectory(async (confdir) => {
    await loadAuthority(confdir);
    const before = Deno.readFileSync(`${confdir}/weir-ca-cert.p12`);
    Deno.removeSync(`${confdir}/weir-ca.pem`);
    const { certificate } = await loadAuthority(confdir);
    assertEquals(Deno.readFileSync(`${confdir}/weir-ca-cert.cer`), certificate);
    assert(Deno.readFileSync(`${confdir}/weir-ca-cert.p12`).toHex() !== before.toHex());
  });
});

Deno.test("a CA file that cannot be used is one error that names it and says why", async () => {
  await inDirectory(async (confdir) => {
    const path = `${confdir}/weir-ca.pem`;
    await loadAuthority(confdir);
    const good = Deno.readTextFileSync(path);
    const [key, certificate] = good.split("-----BEGIN CERTIFICATE");
    Deno.removeSync(path);
    await loadAuthority(confdir);
    const otherCertificate = Deno.readTextFileSync(path).split("-----BEGIN CERTIFICATE")[1];
    const ec = await opensslOk(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    Deno.writeTextFileSync(`${confdir}/ec`, ec);
    const request = ["req", "-x509", "-subj", "/CN=x", "-key", `${confdir}/ec`];
    const noCa = await opensslOk([...request, "-addext", "basicConstraints=critical,CA:FALSE"]);
    const encrypted = await opensslOk(["pkey", "-aes128", "-passout", "pass:x"], ec);
    const cases: [string, string][] = [
      ["", "no private key"],
      [key, "no certificate"],
      ["-----BEGIN CERTIFICATE" + certificate, "no private key"],
      [key + "-----BEGIN CERTIFICATE" + otherCertificate, "does not belong"],
      [good.replace(/\n[A-Za-z0-9+/]{20}/, "\n****"), ""],
      [good.slice(0, -200) + "\n-----END CERTIFICATE-----\n", ""],
      [ec + noCa, "not one of a CA"],
      [encrypted + noCa, "encrypted"],
    ];
    for (const [content, reason] of cases) {
      Deno.writeTextFileSync(path, content);
      const error = await assertRejects(() => loadAuthority(confdir), WeirError);
      assertEquals([error.side, error.code], ["weir", "tls"]);
      assertStringIncludes(error.message, path);
      assertStringIncludes(error.message, reason);
      assertEquals(Deno.readTextFileSync(path), content, "a broken file is never overwritten");
    }
  });
});

Deno.test("a key that is open to others is warned of, with its file, its mode and the remedy", async () => {
  await inDirectory(async (confdir) => {
    const authority = await loadAuthority(confdir);
    const path = `${confdir}/weir-ca.pem`;
    for (const mode of [0o600, 0o400]) {
      await Deno.chmod(path, mode);
      assertEquals(await warningOfKey(authority), null);
    }
    for (
      const [mode, octal] of [[0o644, "0644"], [0o640, "0640"], [0o604, "0604"], [0o620, "0620"]] as const
    ) {
      await Deno.chmod(path, mode);
      assertStringIncludes((await warningOfKey(authority))!, `${path} has mode ${octal}): chmod 600 ${path}`);
    }
    // mitmproxy's, used as it is.
    await Deno.rename(path, `${confdir}/mitmproxy-ca.pem`);
    const other = await warningOfKey(await loadAuthority(confdir));
    assertStringIncludes(other!, `chmod 600 ${confdir}/mitmproxy-ca.pem`);
  });
});

Deno.test("a CA whose key is encrypted is opened with the passphrase, and signs", async () => {
  await inDirectory(async (confdir) => {
    await loadAuthority(confdir);
    const path = `${confdir}/weir-ca.pem`, plain = await Deno.readTextFile(path);
    const key = await opensslOk(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:secret"], plain);
    await Deno.writeTextFile(path, key + /-----BEGIN CERT[^]*/.exec(plain)![0]);
    await assertRejects(() => loadAuthority(confdir), WeirError, "its key is encrypted: set cert_passphrase");
    await assertRejects(
      () => loadAuthority(confdir, "no"),
      WeirError,
      "cert_passphrase does not open its key",
    );
    const leaf = await new Leaves(await loadAuthority(confdir, "secret")).leafFor({ host: "a.test" });
    await Deno.writeTextFile(`${confdir}/leaf.pem`, leaf.cert);
    await opensslOk(["verify", "-CAfile", `${confdir}/weir-ca-cert.pem`, `${confdir}/leaf.pem`]);
  });
});
