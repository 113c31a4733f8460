import { assertEquals, assertThrows } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { GivenLeaves } from "../../src/tls/given_leaves.ts";
import { parseKeyPair, tlsKeyPem } from "../../src/tls/key_pair.ts";
import { inDirectory, opensslOk } from "./openssl.ts";

/** A self-signed certificate and its plain key. */
async function make(directory: string, algorithm: string[], name = "a.test") {
  const [key, crt] = [`${directory}/key.pem`, `${directory}/crt.pem`];
  await opensslOk([
    ...["req", "-x509", "-newkey", ...algorithm, "-nodes", "-keyout", key, "-out", crt, "-days", "9"],
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
  ]);
  return { file: key, key: await Deno.readTextFile(key), cert: await Deno.readTextFile(crt) };
}

const EC = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

Deno.test("keys are read in all forms that openssl writes, plain and encrypted", async () => {
  await inDirectory(async (directory) => {
    for (const algorithm of [["rsa:2048"], EC]) {
      const { file, key, cert } = await make(directory, algorithm);
      const traditional = algorithm === EC ? ["ec"] : ["rsa", "-traditional"];
      const encrypted = ["-passout", "pass:secret"];
      const forms = [
        key,
        await opensslOk([...traditional, "-in", file]),
        await opensslOk([...traditional, "-aes256", "-in", file, ...encrypted]),
        await opensslOk(["pkcs8", "-topk8", "-in", file, ...encrypted]),
        await opensslOk(["pkcs8", "-topk8", "-scrypt", "-in", file, ...encrypted]),
      ];
      const plain = String(createPrivateKey(key).export({ type: "pkcs8", format: "pem" }));
      for (const form of forms) {
        const pair = parseKeyPair(cert + form, { passphrase: "secret" });
        assertEquals(tlsKeyPem(pair), plain);
        const isEncrypted = form.includes("ENCRYPTED");
        const reads = (passphrase: string | null) => () => parseKeyPair(form + cert, { passphrase });
        if (!isEncrypted) continue;
        assertThrows(reads(null), Error, "its key is encrypted: set cert_passphrase");
        assertThrows(reads("Secret"), Error, "cert_passphrase does not open its key");
      }
    }
  });
});

Deno.test("the certificate of the key comes first, wherever it stands", async () => {
  await inDirectory(async (directory) => {
    const other = await make(directory, EC, "ca.test");
    const own = await make(directory, EC);
    const pair = parseKeyPair(other.cert + own.key + own.cert);
    assertEquals(pair.certificates.map((pem) => pem + "\n"), [own.cert, other.cert]);
    assertEquals(pair.certificate.subject, "CN=a.test");
  });
});

Deno.test("a given certificate is found by its domain, a wildcard above the name, or *; the later of two counts", async () => {
  await inDirectory(async (directory) => {
    const options = { passphrase: null, otherKey: createPrivateKey((await make(directory, EC)).key) };
    const leaves = new GivenLeaves();
    assertEquals(leaves.find(["a.test"]), null);
    const add = async (domain: string, name: string) => {
      const { key, cert } = await make(directory, EC, name);
      leaves.add({ domain, pem: key + cert }, options);
    };
    await add("a.test", "one.test");
    await add("*.a.test", "two.test");
    await add("::1", "three.test");
    await add("a.test", "four.test");
    const found = (...names: string[]) => leaves.find(names)?.names[0];
    assertEquals(found("a.test"), "four.test");
    assertEquals(found("A.TEST."), "four.test");
    assertEquals(found("b.a.test"), "two.test");
    assertEquals(found("c.b.a.test"), "two.test");
    assertEquals(found("xa.test"), undefined);
    assertEquals(found("one.test"), "one.test");
    assertEquals(found("[::1]"), "three.test");
    assertEquals(found("unknown", "a.test"), "four.test");
    await add("*", "five.test");
    assertEquals(found("unknown"), "five.test");
  });
});
