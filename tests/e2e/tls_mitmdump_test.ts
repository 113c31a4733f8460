/** The same options for TLS on mitmdump's command line and on weir's show the same to clients and origins. @module */
import { assertEquals } from "@std/assert";
import { inDirectory, openssl, opensslOk } from "../tls/openssl.ts";
import { hasMitmdump, Mitmdump } from "./support/mitmdump.ts";
import { Nginx } from "./support/nginx.ts";
import { startWeir } from "./support/weir.ts";

/** Writes `NAME.pem`, a self-signed certificate behind its key. */
async function makePem(directory: string, name: string, names: string): Promise<void> {
  const [key, crt] = [`${directory}/${name}.key`, `${directory}/${name}.crt`];
  await opensslOk([
    ...[
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      key,
      "-out",
      crt,
      "-days",
      "9",
    ],
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`],
  ]);
  await Deno.writeTextFile(
    `${directory}/${name}.pem`,
    await Deno.readTextFile(key) + await Deno.readTextFile(crt),
  );
}

/** What a client sees of the session, and what the origin says of its own. */
async function seen(port: number, nginx: Nginx, servername: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await openssl(
    [
      ...["s_client", "-proxy", `127.0.0.1:${port}`, "-connect", nginx.authority, "-servername", servername],
      ...["-alpn", "http/1.1", "-ign_eof", ...args],
    ],
    `GET /who HTTP/1.1\r\nHost: ${nginx.authority}\r\nConnection: close\r\n\r\n`,
  );
  const said = stdout + stderr;
  const find = (pattern: RegExp) => pattern.exec(said)?.[1] ?? "-";
  const chain = said.match(/^ *\d+ s:.*$/gm) ?? [];
  // What the proxies make has names of their own.
  const subject = /^issuer=.*O = (?:mitmproxy|weir)\b/m.test(said) ? "made" : find(/subject=CN = ([\w.]+)/);
  const isExtended = chain.slice(1).some((line) => line.includes("Origin of the tests"));
  const facts = [/New, (TLSv1\.\d)/, /^(client: .*)$/m];
  return `${subject} ${facts.map(find).join(" ")} ${isExtended ? "extended" : "-"}`;
}

const COMMANDS: readonly (readonly string[])[] = [
  [
    ...["--certs", "*.wild.test=$DIR/wild.pem", "--certs", "deep.wild.test=$DIR/deep.pem"],
    // mitmdump 8.1.1 has the bounds for clients hold for origins as well.
    ...["--set", "tls_version_client_max=TLS1_2", "--set", "tls_version_server_max=TLS1_2"],
    ...["--set", "client_certs=$DIR/me.pem", "--ignore-hosts", "^left\\.test"],
  ],
  [
    ...["--certs", "$DIR/all.pem", "--set", "client_certs=$DIR/clients"],
    ...["--set", "tls_version_client_min=TLS1_3", "--set", "add_upstream_certs_to_client_chain=true"],
    ...["--tcp-hosts", "raw"],
  ],
  ["--allow-hosts", "wild", "--set", "connection_strategy=lazy"],
];
const CLIENTS: readonly (readonly string[])[] = [
  ["a.wild.test"],
  ["deep.wild.test"],
  ["in-it.test"],
  ["left.test"],
  ["raw.test"],
  ["else.test"],
  ["else.test", "-tls1_2"],
  ["else.test", "-tls1_3"],
];

Deno.test("certs, client_certs, tls_version_*, hosts: mitmdump and weir show the same", async () => {
  if (!await hasMitmdump()) return console.warn("Skipped, as there is no mitmdump on PATH: options for TLS");
  await inDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/clients`);
    await makePem(directory, "wild", "DNS:in-it.test");
    await makePem(directory, "deep", "DNS:deep.test");
    await makePem(directory, "all", "DNS:all.test");
    await makePem(directory, "me", "DNS:me.test");
    await makePem(`${directory}/clients`, "else.test", "DNS:x.test");
    const server = `ssl_verify_client optional_no_ca; ssl_protocols TLSv1.2 TLSv1.3;
      location = /who { default_type text/plain; return 200 "client: $ssl_client_s_dn $ssl_protocol\\n"; }`;
    await using nginx = await Nginx.start({}, { server });
    for (const command of COMMANDS) {
      const args = command.map((arg) => arg.replace("$DIR", directory));
      await using mitmdump = await Mitmdump.start(args);
      await using weir = await startWeir({ args: ["-k", ...args] });
      for (const [name, ...more] of CLIENTS) {
        const [theirs, ours] = await Promise.all(
          [mitmdump, weir].map(({ port }) => seen(port, nginx, name, ...more)),
        );

        assertEquals(`${name} ${more} ${ours}`, `${name} ${more} ${theirs}`, command.join(" "));
      }
    }
  });
});
