/**
 * Which certificates of origins are accepted: the same ones, for the same reasons, whether or not SSLKEYLOGFILE has another
 * TLS client do the handshake, and with ssl_insecure all that the runtime can speak to.
 * @module
 */
import { assertEquals } from "@std/assert";
import { curl } from "./support/client.ts";
import { type Origin, origin, withLength } from "./support/origin.ts";
import { startWeir } from "./support/weir.ts";

const ISSUER = "it comes from an unknown issuer (UNABLE_TO_VERIFY_LEAF_SIGNATURE)";

interface Certificate {
  readonly what: string;
  /** Lines of its extensions. */
  readonly extensions: string;
  /** What the 502 page says after "was not accepted: "; null when it is accepted. */
  readonly refused: string | null;
  /** Made by itself; "trusted" is among those that were added. */
  readonly isSelfSigned?: "trusted" | "unknown";
  readonly commonName?: string;
}

const wrong = (names: string) => `it is for the wrong host (${names})`;
const CERTIFICATES: readonly Certificate[] = [
  { what: "its name", extensions: "subjectAltName=DNS:localhost", refused: null },
  { what: "names and a wildcard", extensions: "subjectAltName=DNS:*.b.test,DNS:localhost", refused: null },
  {
    what: "another name",
    extensions: "subjectAltName=DNS:a.test,IP:10.0.0.1",
    refused: wrong("its names: a.test, 10.0.0.1"),
  },
  {
    what: "a common name alone",
    commonName: "localhost",
    extensions: "basicConstraints=CA:FALSE",
    refused: wrong("no name in its subjectAltName"),
  },
  {
    what: "a common name beside a URI",
    commonName: "localhost",
    extensions: "subjectAltName=URI:https://localhost",
    refused: wrong("no name in its subjectAltName"),
  },
  { what: "part of a label", extensions: "subjectAltName=DNS:local*", refused: wrong("its names: local*") },
  {
    what: "itself, trusted",
    isSelfSigned: "trusted",
    extensions: "subjectAltName=DNS:localhost",
    refused: null,
  },
  {
    what: "itself, trusted, of another name",
    isSelfSigned: "trusted",
    extensions: "subjectAltName=DNS:a.test",
    refused: wrong("its names: a.test"),
  },
  {
    what: "itself, unknown",
    isSelfSigned: "unknown",
    extensions: "subjectAltName=DNS:localhost",
    refused: "it is self-signed (DEPTH_ZERO_SELF_SIGNED_CERT)",
  },
  {
    what: "clients only",
    extensions: "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth",
    refused: ISSUER,
  },
];

/** Makes them with openssl in `directory`; PEM of what is to be trusted is in `trusted.pem`. */
async function make(directory: string): Promise<Origin[]> {
  const run = async (line: string) => {
    const { success, stderr } = await new Deno.Command("openssl", { args: line.split(" "), cwd: directory })
      .output();
    if (!success) throw new Error(`openssl ${line}: ${new TextDecoder().decode(stderr)}`);
  };
  const key = (name: string) => `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key`;
  await run(`req -x509 ${key("ca")} -out trusted.pem -days 9 -subj /CN=root`);
  await Deno.copyFile(`${directory}/trusted.pem`, `${directory}/ca.pem`);
  const origins: Origin[] = [];
  for (const [i, { extensions, isSelfSigned, commonName = "x" }] of CERTIFICATES.entries()) {
    const subject = `-subj /CN=${commonName}`;
    if (isSelfSigned !== undefined) {
      const added = extensions.split("\n").map((line) => `-addext ${line}`).join(" ");
      await run(`req -x509 ${key(`${i}`)} -out ${i}.pem -days 9 ${subject} ${added}`);
      const pem = await Deno.readTextFile(`${directory}/${i}.pem`);
      if (isSelfSigned === "trusted") {
        await Deno.writeTextFile(`${directory}/trusted.pem`, pem, { append: true });
      }
    } else {
      await Deno.writeTextFile(`${directory}/extensions`, extensions);
      await run(`req ${key(`${i}`)} -out request ${subject}`);
      const signed = `-CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile extensions`;
      await run(`x509 -req -in request ${signed} -out ${i}.pem`);
    }
    const [cert, privateKey] = await Promise.all(
      ["pem", "key"].map((type) => Deno.readTextFile(`${directory}/${i}.${type}`)),
    );
    origins.push(await origin(withLength("accepted"), { tls: { cert, key: privateKey } }));
  }
  return origins;
}

Deno.test("certificates of origins are judged alike with and without SSLKEYLOGFILE, and not at all with ssl_insecure", async () => {
  const directory = await Deno.makeTempDir();
  const origins = await make(directory);
  try {
    const verdicts = async (args: string[], env: Record<string, string>) => {
      await using weir = await startWeir({ args, env });
      const seen: string[] = [];
      for (const [i, { what }] of CERTIFICATES.entries()) {
        const { stdout } = await curl("-x", weir.url, "--cacert", weir.caFile, origins[i].url());
        const text = new TextDecoder().decode(stdout).trim();
        const reason = /certificate of \S+ was not accepted: (.*)\.$/.exec(text)?.[1] ?? text;
        seen.push(`${what}: ${reason}`);
      }
      return seen;
    };
    const trust = ["--set", `ssl_verify_upstream_trusted_ca=${directory}/trusted.pem`];
    const expected = CERTIFICATES.map(({ what, refused }) => `${what}: ${refused ?? "accepted"}`);
    assertEquals(await verdicts(trust, {}), expected);
    const logged = { SSLKEYLOGFILE: `${directory}/secrets` };
    assertEquals(await verdicts(trust, logged), expected);
    const all = CERTIFICATES.map(({ what }) => `${what}: accepted`);
    assertEquals(await verdicts(["-k"], {}), all);
    assertEquals(await verdicts(["-k"], logged), all);
  } finally {
    for (const server of origins) await server[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
});
