/**
 * The options for TLS (client_certs, certs, request_client_cert, tls_version_*, …), on the real program, with curl, openssl and
 * gnutls-cli as clients and nginx as origin, over HTTP/1 and HTTP/2.
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { Proxy } from "weir/proxy";
import { inDirectory, openssl, opensslOk } from "../tls/openssl.ts";
import { loadAuthority } from "../../src/tls/mod.ts";
import { originCa } from "./support/certs.ts";
import { curl } from "./support/client.ts";
import { Nginx } from "./support/nginx.ts";
import { has } from "./support/tools.ts";
import { runWeir, startWeir, type Weir } from "./support/weir.ts";

const TLS_1_3 = "ssl_protocols TLSv1.2 TLSv1.3;";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const PASSPHRASE = "correct horse";

/** Writes `NAME.pem`, a self-signed certificate with its key, and `NAME.crt` without; `encrypt` has the key encrypted. */
async function makePem(
  directory: string,
  name: string,
  {
    common = name,
    names = `DNS:${name}`,
    key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    encrypt = "",
  } = {},
): Promise<void> {
  const [crt, plain] = [`${directory}/${name}.crt`, `${directory}/${name}.key`];
  await opensslOk([
    ...["req", "-x509", "-newkey", ...key, "-nodes", "-keyout", plain, "-out", crt, "-days", "9"],
    ...["-subj", `/CN=${common}`, "-addext", `subjectAltName=${names}`],
  ]);
  const how = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", plain, "-passout", `pass:${encrypt}`];
  const keyPem = encrypt === "" ? await Deno.readTextFile(plain) : await opensslOk(how);
  await Deno.writeTextFile(`${directory}/${name}.pem`, keyPem + await Deno.readTextFile(crt));
}

/** An origin that says who its client is, and how it speaks. */
function tellingOrigin(lines = TLS_1_3): Promise<Nginx> {
  const server = `ssl_verify_client optional_no_ca; ${lines} location = /who { default_type text/plain;
    return 200 "$ssl_client_s_dn $ssl_protocol $server_protocol"; }`;
  return Nginx.start({}, { server });
}

/** `fetch`es with curl through weir; the body and, behind it, the version that curl spoke with weir. */
async function who(weir: Weir, nginx: Nginx, ...args: string[]): Promise<string> {
  const out = ["-w", " to %{http_version}", "-x", weir.url, "--cacert", weir.caFile];
  const { stdout, stderr } = await curl(...out, ...args, nginx.url("who"));
  return text(stdout) + stderr;
}

async function trusting(directory: string): Promise<string[]> {
  await Deno.writeTextFile(`${directory}/origins.pem`, await originCa());
  return ["--set", `ssl_verify_upstream_trusted_ca=${directory}/origins.pem`];
}

Deno.test("client_certs: a file is shown to origins that ask, on HTTP/1 and HTTP/2, its key opened with cert_passphrase", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin();
    await makePem(directory, "me", { encrypt: PASSPHRASE });
    for (const [http2, protocol] of [["true", "HTTP/2.0"], ["false", "HTTP/1.1"]]) {
      const given = ["--set", `client_certs=${directory}/me.pem`, "--set", `http2=${http2}`];
      await using weir = await startWeir({
        args: [...await trusting(directory), ...given, "-v"],
        config: `cert_passphrase: ${PASSPHRASE}\n`,
      });
      assertEquals(await who(weir, nginx, "--http1.1"), `CN=me TLSv1.3 ${protocol} to 1.1`);
      if (http2 === "true") {
        assertEquals(await who(weir, nginx, "--http2"), `CN=me TLSv1.3 ${protocol} to 2`);
      }
      const log = weir.stderr.list.join("\n") + weir.stdout.list.join("\n");
      assert(!log.includes(PASSPHRASE) && !log.includes("PRIVATE KEY"), log);
    }
  });
});

Deno.test("client_certs: of a directory each host has its own HOST.pem, read again when it changes, and others have none", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin(`${TLS_1_3} keepalive_timeout 0;`);
    await Deno.mkdir(`${directory}/certs`);
    await makePem(`${directory}/certs`, "localhost", { common: "first" });
    const given = ["--set", `client_certs=${directory}/certs`, "--set", "http2=false"];
    await using weir = await startWeir({ args: [...await trusting(directory), ...given] });
    const localhost = () => who(weir, nginx);
    assertEquals(await localhost(), "CN=first TLSv1.3 HTTP/1.1 to 1.1");
    const byAddress = ["--connect-to", `localhost:${nginx.port}:127.0.0.1:${nginx.port}`];
    assertEquals(await who(weir, nginx, ...byAddress), "CN=first TLSv1.3 HTTP/1.1 to 1.1");
    await makePem(`${directory}/certs`, "localhost", { common: "second one" });
    assertEquals(await localhost(), "CN=second one TLSv1.3 HTTP/1.1 to 1.1");
    await Deno.writeTextFile(`${directory}/certs/localhost.pem`, "nothing of use");
    assertMatch(
      await localhost(),
      /client_certs: \S+localhost\.pem cannot be used: there is no private key in it/,
    );
    await Deno.remove(`${directory}/certs/localhost.pem`);
    assertEquals(await localhost(), " TLSv1.3 HTTP/1.1 to 1.1");
  });
});

Deno.test("an origin that insists on a certificate is named, with what it wants", async () => {
  await inDirectory(async (directory) => {
    await makePem(directory, "localhost");
    const server = new Deno.Command("openssl", {
      args: [
        ...[
          "s_server",
          "-accept",
          "127.0.0.1:0",
          "-cert",
          `${directory}/localhost.pem`,
          "-Verify",
          "1",
          "-www",
        ],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = server.stdout.getReader();
    let said = "", port: string | undefined;
    while (port === undefined) {
      said += text((await reader.read()).value!);
      port = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
    }
    try {
      await using weir = await startWeir({ args: ["-k"] });
      const url = `https://localhost:${port}/`;
      const { stdout } = await curl("-x", weir.url, "--cacert", weir.caFile, url);
      assertMatch(
        text(stdout),
        /localhost:\d+: The server wants a certificate of its client, .* \(option client_certs\)/,
      );
    } finally {
      server.kill();
      await reader.cancel();
      await server.status;
    }
  });
});

/** What `openssl s_client` says of the session that it gets with weir; with nothing to send it leaves at once. */
async function session(weir: Weir, nginx: Nginx, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await openssl(
    ["s_client", "-proxy", weir.url.slice(7), "-connect", nginx.authority, "-showcerts", ...args],
  );
  return stdout + stderr;
}

Deno.test("certs: shown for the names that they were given for, below a wildcard, or for all; the key may be the CA's", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin();
    await makePem(directory, "wild", { names: "DNS:in-it.test" });
    await makePem(directory, "exact", { encrypt: PASSPHRASE });
    await makePem(directory, "rsa", { key: ["rsa:2048"], names: "DNS:rsa.test" });
    // As mitmproxy has it: where there is no key, the CA's is meant.
    const conf = `${directory}/conf`;
    await loadAuthority(conf);
    await opensslOk([
      ...["req", "-x509", "-key", `${conf}/weir-ca.pem`, "-out", `${directory}/bare.pem`],
      ...["-days", "9", "-subj", "/CN=bare", "-addext", "subjectAltName=DNS:localhost"],
    ]);
    const specs = ["*.wild.test=wild", "deep.wild.test=exact", "BARE.test=bare", "rsa"];
    const certs = specs.flatMap((spec) => ["--certs", spec.replace(/\w+$/, `${directory}/$&.pem`)]);
    const secret = ["--set", `cert_passphrase=${PASSPHRASE}`, "--set", `confdir=${conf}`, "-v"];
    await using weir = await startWeir({ args: [...certs, ...secret, ...await trusting(directory)] });
    const shown = async (...args: string[]) => {
      const seen = await session(weir, nginx, ...args);
      return `${/subject=CN = (\w+)/.exec(seen)?.[1]} ${/Peer signature type: (\S+)/.exec(seen)?.[1]}`;
    };
    assertEquals(await shown("-servername", "a.b.Wild.test"), "wild ECDSA");
    assertEquals(await shown("-servername", "in-it.test"), "wild ECDSA");
    assertEquals(await shown("-servername", "deep.wild.test"), "exact ECDSA");
    assertEquals(await shown("-servername", "bare.test"), "bare ECDSA");
    assertEquals(await shown("-servername", "elsewhere.test", "-tls1_2"), "bare ECDSA");
    const elsewhere = ["-servername", "elsewhere.test"];
    assertEquals(await shown("-connect", `127.0.0.1:${nginx.port}`, ...elsewhere), "rsa RSA-PSS");
    for (const version of ["--http1.1", "--http2"]) {
      const url = `https://bare.test:${nginx.port}/who`;
      const trust = ["--cacert", `${directory}/bare.pem`, "--connect-to", `::localhost:${nginx.port}`];
      const { stdout, stderr } = await curl(version, "-x", weir.url, ...trust, nginx.url("who"));
      assertEquals(text(stdout) + stderr, " TLSv1.3 HTTP/2.0", url);
    }
    const log = weir.stderr.list.join("\n");
    assert(!log.includes(PASSPHRASE) && !log.includes("PRIVATE KEY"), log);
  });
});

Deno.test("request_client_cert: clients are asked; what they show, or that they show nothing, is there for addons", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin();
    await makePem(directory, "user");
    const identity = ["--cert", `${directory}/user.pem`];
    for (const asks of [true, false]) {
      await using weir = await startWeir({
        args: [...await trusting(directory), "--set", `request_client_cert=${asks}`],
        addon: `import { X509Certificate } from "node:crypto";
          export function request(flow) {
            const der = flow.clientConn.tls?.peerCertificate;
            flow.request.path = "/who";
            flow.metadata.shown = der ? new X509Certificate(der).subject : "nothing";
          }
          export const responseheaders = (flow) => flow.response.headers.set("x-shown", flow.metadata.shown);`,
      });
      const shown = async (...args: string[]) => {
        const out = ["-o", "/dev/null", "-w", "%header{x-shown} %{http_version}"];
        const { stdout } = await curl(
          "-x",
          weir.url,
          "--cacert",
          weir.caFile,
          ...out,
          ...args,
          nginx.url("who"),
        );
        return text(stdout);
      };
      for (const [flag, version] of [["--http1.1", "1.1"], ["--http2", "2"]]) {
        assertEquals(await shown(flag, ...identity), `${asks ? "CN=user" : "nothing"} ${version}`);
        assertEquals(await shown(flag), `nothing ${version}`);
        assertEquals(
          await shown(flag, "--tls-max", "1.2", ...identity),
          `${asks ? "CN=user" : "nothing"} ${version}`,
        );
      }
      const asked = /Client Certificate Types|Requested Signature Algorithms/.test(
        await session(weir, nginx),
      );
      assertEquals(asked, asks);
    }
  });
});

Deno.test("tls_version_*: a bound holds on its side alone, and a client below it is told protocol_version", async () => {
  await inDirectory(async (directory) => {
    await using both = await tellingOrigin();
    await using old = await tellingOrigin("ssl_protocols TLSv1.2;");
    const trust = await trusting(directory);
    const version = (output: string) =>
      /New, (TLSv1\.\d)|alert (protocol version)/.exec(output)?.slice(1).join("");
    await using newest = await startWeir({
      args: [...trust, "--tls-version-client-min", "TLS1_3", "--tls-version-server-max", "TLS1_2"],
    });
    assertEquals(version(await session(newest, both)), "TLSv1.3");
    assertEquals(version(await session(newest, both, "-tls1_2")), "protocol version");
    for (const flag of ["--http1.1", "--http2"]) {
      assertMatch(await who(newest, both, flag), /^ TLSv1\.2 HTTP\/2\.0 to/);
    }
    await newest.waitForLog(/TLS with the client failed/);
    await using unbounded = await startWeir({ args: [...trust, "--tls-version-client-min", "UNBOUNDED"] });
    await unbounded.waitForLog(/warn: option tls_version_client_min=UNBOUNDED is the same as TLS1_2/);
    assertEquals(version(await session(unbounded, both, "-tls1_2")), "TLSv1.2");
    await using older = await startWeir({
      args: [...trust, "--tls-version-client-max", "TLS1_2", "--tls-version-server-min", "TLS1_3"],
    });
    assertEquals(version(await session(older, both)), "TLSv1.2");
    assertEquals(version(await session(older, both, "-tls1_3")), "protocol version");
    assertMatch(await who(older, both), /^ TLSv1\.3 HTTP\/2\.0 to 2/);
    assertMatch(await who(older, old), /502 Bad Gateway\s+weir: .*TLS handshake with localhost:\d+ failed/);
    if (!has("gnutls-cli", "gnutls-cli sees the bounds, too")) return;
    // To weir itself, as to an HTTPS proxy.
    const gnutls = async ({ port, caFile }: Weir, versions: string) => {
      const priority = `NORMAL:-VERS-ALL:${versions}`;
      const args = ["--port", `${port}`, "--x509cafile", caFile, "--priority", priority, "127.0.0.1"];
      const { stdout } = await new Deno.Command("gnutls-cli", { args, stdin: "null", stderr: "null" })
        .output();
      return /Description: \((TLS1\.\d)/.exec(text(stdout))?.[1] ?? null;
    };
    assertEquals(await gnutls(newest, "+VERS-TLS1.2"), null);
    assertEquals(await gnutls(newest, "+VERS-TLS1.3:+VERS-TLS1.2"), "TLS1.3");
    assertEquals(await gnutls(older, "+VERS-TLS1.3:+VERS-TLS1.2"), "TLS1.2");
    assertEquals(await gnutls(older, "+VERS-TLS1.3"), null);
  });
});

Deno.test("add_upstream_certs_to_client_chain: what the origin sent follows weir's own certificates", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin();
    for (const adds of [true, false]) {
      const option = adds ? ["--add-upstream-certs-to-client-chain"] : [];
      await using weir = await startWeir({ args: [...await trusting(directory), ...option] });
      const chain = (await session(weir, nginx)).matchAll(/^ *\d+ s:(.*)$/gm);
      const subjects = Array.from(chain, ([, subject]) => /CN = (\w+)/.exec(subject)?.[1]);
      assertEquals(subjects, adds ? ["localhost", "weir", "localhost"] : ["localhost", "weir"]);
      for (const flag of ["--http1.1", "--http2"]) assertMatch(await who(weir, nginx, flag), /^ TLSv1\.3/);
    }
  });
});

Deno.test("connection_strategy=lazy: an origin is connected to when a request wants it, and not for its certificate", async () => {
  await inDirectory(async (directory) => {
    await using nginx = await tellingOrigin();
    for (
      const [strategy, names] of [["eager", ["127.0.0.1", "localhost"]], ["lazy", ["127.0.0.1"]]] as const
    ) {
      await using weir = await startWeir({
        args: [...await trusting(directory), "--connection-strategy", strategy],
        addon: `export const server_connect = () => console.log("connects");`,
      });
      const seen = await session(weir, nginx, "-connect", `127.0.0.1:${nginx.port}`);
      const certificate = new X509Certificate(
        /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(seen)![0],
      );
      assertEquals(certificate.subjectAltName!.match(/(?<=:)[\w.]+/g)!.toSorted(), [...names]);
      assertEquals(
        weir.stdout.list.filter((line) => line === "connects").length,
        strategy === "eager" ? 1 : 0,
      );
      assertMatch(await who(weir, nginx), strategy === "eager" ? /to 2$/ : /^ TLSv1\.3 HTTP\/2\.0 to 1\.1$/);
    }
  });
});

Deno.test("values that cannot be: one line with the option, the value and what was expected, exit 1, and nothing listens", async () => {
  await inDirectory(async (directory) => {
    await makePem(directory, "locked", { encrypt: PASSPHRASE });
    await makePem(directory, "other");
    await makePem(directory, "weak", { key: ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"] });
    const mixed = await Deno.readTextFile(`${directory}/other.key`) +
      await Deno.readTextFile(`${directory}/locked.crt`);
    await Deno.writeTextFile(`${directory}/mixed.pem`, mixed);
    await Deno.writeTextFile(`${directory}/empty.pem`, "");
    const wrong: [options: Record<string, unknown>, text: RegExp][] = [
      [
        { tls_version_client_min: "TLS1_1" },
        /tls_version_client_min: TLS1_1 is not possible, .*: expected TLS1_2/,
      ],
      [{ tls_version_server_max: "SSL3" }, /tls_version_server_max: SSL3 is not possible/],
      [
        { tls_version_client_max: "1.3" },
        /tls_version_client_max: "1\.3" is none of TLS1_2, TLS1_3 and UNBOUNDED/,
      ],
      [
        { tls_version_server_min: "TLS1_3", tls_version_server_max: "TLS1_2" },
        /tls_version_server_min: TLS1_3 is above TLS1_2, which is tls_version_server_max/,
      ],
      [
        { client_certs: `${directory}/none` },
        /client_certs: \S+none cannot be used: there is no such file or dir/,
      ],
      [
        { client_certs: `${directory}/empty.pem` },
        /client_certs: \S+empty\.pem .*: there is no private key in it/,
      ],
      [
        { client_certs: `${directory}/locked.pem` },
        /locked\.pem .*: its key is encrypted: set cert_passphrase/,
      ],
      [
        { client_certs: `${directory}/mixed.pem` },
        /mixed\.pem .*: its key does not belong to its certificate/,
      ],
      [
        { client_certs: `${directory}/locked.pem`, cert_passphrase: "Tr0ub4dor" },
        /locked\.pem cannot be used: cert_passphrase does not open its key$/,
      ],
      [{ certs: ["=x"] }, /certs: "=x" is not \[domain=\]path: "" is no domain/],
      [{ certs: ["a b=x"] }, /certs: "a b=x" is not \[domain=\]path: "a b" is no domain/],
      [{ certs: ["a.test="] }, /certs: "a\.test=" is not \[domain=\]path: there is no path/],
      [{ certs: [`${directory}/none`] }, /certs: \S+none cannot be used: there is no such file/],
      [
        { certs: [`a.test=${directory}/other.crt`] },
        /other\.crt .*: there is no private key in it, and weir's CA's/,
      ],
      [{ certs: [`${directory}/locked.pem`] }, /certs: \S+ .*: its key is encrypted: set cert_passphrase/],
      [
        { certs: [`${directory}/weak.pem`] },
        /certs: .* its key \(secp256k1\) cannot be used: Deno's TLS takes RSA/,
      ],
      [{ connection_strategy: "soon" }, /connection_strategy: "soon" is none of eager, lazy/],
      [
        { add_upstream_certs_to_client_chain: true, upstream_cert: false },
        /add_upstream_certs_to_client_chain needs upstream_cert=true/,
      ],
      [
        { add_upstream_certs_to_client_chain: true, connection_strategy: "lazy" },
        /add_upstream_certs_to_client_chain needs connection_strategy=eager/,
      ],
    ];
    const confdir = `${directory}/conf`;
    for (const [options, expected] of wrong) {
      const error = await assertRejects(() => Proxy.start({ confdir, options }), Error);
      if (!("certs" in options)) {
        const { message } = await assertRejects(
          () => Proxy.start({ confdir, options: { ...options, server: false } }),
          Error,
        );
        assertEquals(message, error.message);
      }
      assertMatch(error.message, expected);
      assert(!error.message.includes("\n") && !error.message.includes("Tr0ub4dor"), error.message);
    }
    const args = ["--certs", `${directory}/locked.pem`, "--cert-passphrase", "Tr0ub4dor"];
    const { code, lines } = await runWeir({ args });
    assertEquals(code, 1);
    assertEquals(
      lines,
      [`weir: error: option certs: ${directory}/locked.pem cannot be used: cert_passphrase does not open its key`],
    );
  });
});

Deno.test("client_certs: an https proxy upstream is shown the certificate, too, and both sides' bounds hold there", async () => {
  await inDirectory(async (directory) => {
    await makePem(directory, "me");
    await using nginx = await tellingOrigin();
    await using proxy = await startWeir({
      args: [...await trusting(directory), "--request-client-cert", "--tls-version-client-max", "TLS1_2"],
      addon: `import { X509Certificate } from "node:crypto";
        export function http_connect({ clientConn: { tls } }) {
          console.log(new X509Certificate(tls.peerCertificate).subject + " " + tls.version);
        }`,
    });
    await Deno.writeTextFile(
      `${directory}/both.pem`,
      await Deno.readTextFile(proxy.caFile) + await originCa(),
    );
    await using weir = await startWeir({
      args: [
        ...["--mode", `upstream:https://localhost:${proxy.port}`, "--client-certs", `${directory}/me.pem`],
        ...["--set", `ssl_verify_upstream_trusted_ca=${directory}/both.pem`],
      ],
    });
    for (const flag of ["--http1.1", "--http2"]) {
      assertMatch(await who(weir, nginx, flag), /^ TLSv1\.3 HTTP\/2/);
    }
    assertEquals(await proxy.waitForOutput(/^CN=.*/).then(([line]) => line), "CN=me TLSv1.2");
  });
});
