/** Contract section 6: the authority, leaf certificates, verification of origins, and what TLS does to streaming. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";
import type { Addon, HttpFlow } from "weir";
import { originCa, serverCertificate } from "./support/certs.ts";
import { Client, curl, exchange } from "./support/client.ts";
import { echo, origin, tcpOrigin, withLength } from "./support/origin.ts";
import { recorder, startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { read, VersionClient } from "./support/versions.ts";
import { has } from "./support/tools.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { Events, Gate } from "./support/within.ts";

/** A client inside an intercepted tunnel to `authority`. */
async function intercepted(proxy: TestProxy, authority: string, alpn?: string[]): Promise<Client> {
  const client = await Client.connect(proxy);
  try {
    await client.tunnel(authority);
    await client.startTls(authority.split(":")[0], await proxy.ca(), alpn);
    return client;
  } catch (error) {
    await client[Symbol.asyncDispose]();
    throw error;
  }
}

/** The certificate that weir shows for `servername`. */
async function leaf(
  proxy: { port: number },
  authority: string,
  servername: string,
): Promise<X509Certificate> {
  const args = [
    "s_client",
    "-proxy",
    `127.0.0.1:${proxy.port}`,
    "-connect",
    authority,
    "-servername",
    servername,
  ];
  const { stdout } = await new Deno.Command("openssl", { args, stdin: "null", stderr: "null" }).output();
  return new X509Certificate(new TextDecoder().decode(stdout).replace(/^[^]*?(?=-----BEGIN CERT)/, ""));
}

Deno.test("an intercepted exchange: hooks see https, bodies are exact, the connection is kept", async () => {
  const urls: string[] = [];
  await using server = await origin(echo, { tls: true });
  await using proxy = await startProxy({ request: (flow) => void urls.push(flow.request.url) });
  await using client = await intercepted(proxy, server.authority);
  for (let i = 0; i < 3; i++) {
    await client.send(`POST /${i} HTTP/1.1\r\nHost: ${server.authority}\r\nContent-Length: 3\r\n\r\nab${i}`);
    assertEquals((await client.response("POST")).text, `ab${i}`);
  }
  assertEquals(urls, [0, 1, 2].map((i) => server.url(`/${i}`)));
});

Deno.test("http_connect runs, and may refuse the tunnel", async () => {
  const seen: string[] = [];
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy({
    http_connect: (flow) => {
      seen.push(`${flow.request.method} ${flow.request.host}:${flow.request.port}`);
      flow.response = new Response("not there", { status: 403 });
    },
  });
  await using client = await Client.connect(proxy);
  await client.send(`CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  const head = await client.head();
  assertEquals([head.statusCode, seen, server.connections], [403, [`CONNECT ${server.authority}`], 0]);
});

Deno.test("curl trusts weir's certificate alone, also for an IP address", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy();
  await exchange(proxy, "http://weir.internal/");
  for (const host of ["localhost", "127.0.0.1"]) {
    const url = `https://${host}:${server.port}/`;
    const result = await curl("-x", proxy.url, "--cacert", `${proxy.confdir}/weir-ca-cert.pem`, url);
    assertEquals([result.stderr, new TextDecoder().decode(result.stdout)], ["", "secret"]);
  }
});

Deno.test("the authority's files: four kinds, the one with the key readable by its owner alone", async () => {
  await using proxy = await startProxy();
  const key = await Deno.stat(`${proxy.confdir}/weir-ca.pem`);
  assertEquals(key.mode! & 0o777, 0o600);
  assertMatch(await Deno.readTextFile(`${proxy.confdir}/weir-ca.pem`), /PRIVATE KEY/);
  const cert = await Deno.readTextFile(`${proxy.confdir}/weir-ca-cert.pem`);
  assert(!cert.includes("PRIVATE KEY"));
  assert(new X509Certificate(cert).ca);
  for (const kind of ["cer", "p12"]) {
    assert((await Deno.stat(`${proxy.confdir}/weir-ca-cert.${kind}`)).size > 100, kind);
  }
});

Deno.test("leaf certificates carry the client's SNI and the origin's names, and are cached", async () => {
  const certificate = await serverCertificate(["localhost", "other.example"]);
  await using server = await origin(withLength("secret"), { tls: certificate });
  await using proxy = await startProxy();
  const first = await leaf(proxy, server.authority, "localhost");
  assertStringIncludes(first.subjectAltName!, "DNS:localhost");
  assertStringIncludes(first.subjectAltName!, "DNS:other.example");
  const second = await leaf(proxy, server.authority, "localhost");
  assertEquals(second.fingerprint256, first.fingerprint256);
});

const BAD: [string, Parameters<typeof serverCertificate>][] = [
  ["an expired certificate", [["localhost"], { expired: true }]],
  ["a certificate for another name", [["elsewhere.example"]]],
];
for (const [what, args] of BAD) {
  Deno.test(`${what} is a 502 page that names host and reason, and a log line; ssl_insecure lets it pass`, async () => {
    await using server = await origin(withLength("secret"), { tls: await serverCertificate(...args) });
    await using proxy = await startProxy();
    await using client = await intercepted(proxy, server.authority);
    await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    const seen = await client.response();
    assertEquals([seen.head.statusCode, server.requests.length], [502, 0]);
    assertStringIncludes(seen.text, "localhost");
    assertMatch(seen.text, /certificate|expired|altname|hostname/i);
    await proxy.logged(/localhost.*(certificate|expired|altname|hostname)/i);

    await using trusting = await startProxy([], { ssl_insecure: true });
    await using other = await intercepted(trusting, server.authority);
    await other.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await other.response()).text, "secret");
  });
}

Deno.test("an authority that nobody trusts is a 502; ssl_verify_upstream_trusted_ca adds it", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  // A file that is a valid authority, only not the origin's: weir's own.
  await using first = await startProxy();
  for (const [ca, status] of [["weir-ca-cert.pem", 502], ["origin-ca.pem", 200]] as const) {
    await using proxy = await startProxy([], { ssl_verify_upstream_trusted_ca: `${first.confdir}/${ca}` });
    await using client = await intercepted(proxy, server.authority);
    await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.response()).head.statusCode, status);
  }
});

Deno.test("an origin that is no TLS server: 502 inside the tunnel", async () => {
  await using server = await tcpOrigin(async (wire) => {
    await wire.readSome();
    await wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    await wire.untilEnd();
  });
  await using proxy = await startProxy();
  await using client = await intercepted(proxy, `localhost:${server.port}`);
  await client.send(`GET / HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`);
  assertEquals((await client.response()).head.statusCode, 502);
});

Deno.test("an unreachable origin: 502 inside the tunnel, or to the CONNECT", async () => {
  await using gone = await origin(withLength(""));
  const { authority } = gone;
  await gone[Symbol.asyncDispose]();
  await using proxy = await startProxy();
  const port = authority.split(":")[1];
  const result = await curl(
    "-x",
    proxy.url,
    "--cacert",
    `${proxy.confdir}/weir-ca-cert.pem`,
    "-w",
    "%{http_code}/%{http_connect}",
    `https://localhost:${port}/`,
  );
  assertMatch(new TextDecoder().decode(result.stdout), /502\/200$|\/502$/);
});

Deno.test("https in absolute-form to a plain proxy port goes over TLS upstream", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy();
  assertEquals((await exchange(proxy, server.url())).text, "secret");
});

Deno.test("streaming inside TLS: the head first, one event in one event out, both ways at once", async () => {
  const gate = new Gate();
  const seen = new Events();
  await using server = await origin(async (wire) => {
    await wire.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    await gate.opened;
    for (let i = 0; i < 20; i++) {
      await wire.send(`8\r\nevent ${String(i).padStart(2)}\r\n`);
      await seen.seen(`${i}`);
    }
    await wire.send("0\r\n\r\n");
  }, { tls: true });
  await using proxy = await startProxy();
  await using client = await intercepted(proxy, server.authority);
  await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  const body = client.body(await client.head());
  gate.open();
  for (let i = 0; i < 20; i++) {
    assertEquals(await body.nextText(), `event ${String(i).padStart(2)}`);
    seen.push(`${i}`);
  }
  assertEquals(await body.next(), null);
});

Deno.test("a cut inside TLS is a cut: short length and missing last chunk", async () => {
  for (
    const start of ["Content-Length: 10\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"]
  ) {
    const events = new Events();
    await using server = await origin(async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\n${start}`);
      wire.close();
    }, { tls: true });
    await using proxy = await startProxy([streamAll, recorder(events)]);
    await using client = await intercepted(proxy, server.authority);
    await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    const seen = await client.response();
    assertEquals(seen.text, "12345");
    assert(seen.end !== "complete");
    await events.seen("error");
  }
});

Deno.test("a large body is exact through intercepted TLS, down and up", async () => {
  const body = Array.from({ length: 300_000 }, (_, i) => String.fromCharCode(i * 7 % 251)).join("").repeat(5);
  await using server = await origin(echo, { tls: true });
  for (const addon of [{}, streamAll] as Addon[]) {
    await using proxy = await startProxy(addon);
    await using client = await intercepted(proxy, server.authority);
    const head = `POST / HTTP/1.1\r\nHost: ${server.authority}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const [, seen] = await Promise.all([client.send(head + body), client.response("POST")]);
    assert(seen.text === body && seen.end === "complete");
  }
});

Deno.test("http://weir.internal/ serves the CA and how to install it", async () => {
  await using proxy = await startProxy();
  const page = await exchange(proxy, "http://weir.internal/");
  assertEquals(page.head.statusCode, 200);
  assertMatch(page.head.get("content-type")!, /^text\/html/);
  const links = [...page.text.matchAll(/href="([^"]+)"/g)].map((match) =>
    new URL(match[1], "http://weir.internal/")
  );
  const pem = links.find((link) => link.host === "weir.internal" && link.pathname.endsWith("pem"));
  assert(pem, `a link to the certificate among ${links}`);
  const file = await exchange(proxy, pem.href);
  assertEquals(file.text, await proxy.ca());
});

Deno.test("an existing mitmproxy authority is used as it is", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  const openssl = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=mitmproxy -keyout key.pem -out cert.pem".split(
        " ",
      ),
    ],
    cwd: dir,
    stderr: "null",
  }).output();
  assertEquals(openssl.code, 0, "these tests need openssl");
  const cert = await Deno.readTextFile(`${dir}/cert.pem`);
  await Deno.mkdir(`${dir}/conf`);
  // mitmproxy's mitmproxy-ca.pem: key, then certificate.
  const file = `${dir}/conf/weir-ca.pem`;
  await Deno.writeTextFile(file, await Deno.readTextFile(`${dir}/key.pem`) + cert, { mode: 0o600 });
  await Deno.writeTextFile(`${dir}/origin.pem`, await originCa());
  {
    const args = [
      "--set",
      `confdir=${dir}/conf`,
      "--set",
      `ssl_verify_upstream_trusted_ca=${dir}/origin.pem`,
    ];
    await using weir = await startWeir({ args });
    const result = await curl("-x", weir.url, "--cacert", `${dir}/cert.pem`, server.url());
    assertEquals([result.stderr, new TextDecoder().decode(result.stdout)], ["", "secret"]);
    await weir.stop();
  }
  await Deno.remove(dir, { recursive: true });
});

/** Runs weir with SSLKEYLOGFILE and gives the sessions (client randoms) in the file. */
async function keyLogged(args: string[], use: (weir: Weir) => Promise<void>): Promise<Set<string>> {
  const file = await Deno.makeTempFile();
  {
    const files = { "origin-ca.pem": await originCa() };
    await using weir = await startWeir({ args, files, env: { SSLKEYLOGFILE: file } });
    await use(weir);
    await weir.stop();
  }
  const lines = (await Deno.readTextFile(file)).split("\n");
  await Deno.remove(file);
  return new Set(lines.flatMap((line) => /^CLIENT_TRAFFIC_SECRET_0 (\w+)/.exec(line)?.[1] ?? []));
}
const TRUST = ["--set", "ssl_verify_upstream_trusted_ca=$DIR/origin-ca.pem"];

Deno.test("SSLKEYLOGFILE gets the secrets of both legs", async () => {
  await using server = await origin(echo, { tls: true });
  const sessions = await keyLogged(TRUST, async (weir) => {
    const body = "x".repeat(300_000);
    const input = await Deno.makeTempFile();
    await Deno.writeTextFile(input, body);
    const data = ["--data-binary", `@${input}`];
    const result = await curl("-x", weir.url, "--cacert", weir.caFile, ...data, server.url());
    assertEquals(result.stderr, "");
    assert(new TextDecoder().decode(result.stdout) === body);
    await Deno.remove(input);
    // The origin's certificate is copied from as ever.
    const shown = await leaf(weir, server.authority, "localhost");
    assertMatch(shown.subject, /O=Origin of the tests/);
  });
  // curl, the origin, and openssl.
  assertEquals(sessions.size, 3);
});

Deno.test("SSLKEYLOGFILE: a response after which the connection closes arrives whole", async () => {
  const text = "x".repeat(50_000);
  await using server = await origin(withLength(text), { tls: true });
  await keyLogged(TRUST, async (weir) => {
    for (const last of [["-H", "Connection: close"], ["--http1.0"]]) {
      const result = await curl("-x", weir.url, "--cacert", weir.caFile, ...last, server.url());
      assertEquals(result.stderr, "");
      assert(new TextDecoder().decode(result.stdout) === text);
    }
  });
});

Deno.test("SSLKEYLOGFILE: with ssl_insecure the client's leg alone", async () => {
  await using server = await origin(withLength("secret"), { tls: await serverCertificate(["else.example"]) });
  const sessions = await keyLogged(["-k"], async (weir) => {
    const result = await curl("-x", weir.url, "--cacert", weir.caFile, server.url());
    assertEquals([result.stderr, new TextDecoder().decode(result.stdout)], ["", "secret"]);
  });
  assertEquals(sessions.size, 1);
});

Deno.test("SSLKEYLOGFILE: refused certificates are told as ever, on both legs", async () => {
  await using server = await origin(withLength("secret"), { tls: await serverCertificate(["else.example"]) });
  await using stranger = await origin(withLength("secret"), { tls: true });
  await keyLogged(TRUST, async (weir) => {
    const wrong = await curl("-x", weir.url, "--cacert", weir.caFile, server.url());
    const page = new TextDecoder().decode(wrong.stdout);
    assertMatch(page, /certificate of localhost:\d+ was not accepted: it is for the wrong host/);
    const other = await curl("-x", weir.url, "--cacert", `${weir.dir}/origin-ca.pem`, stranger.url());
    assertEquals(other.code, 60);
    await weir.waitForLog(/TLS with the client failed.*refused the certificate \(UnknownCA\)/);
  });
  await keyLogged([], async (weir) => {
    const result = await curl("-x", weir.url, "--cacert", weir.caFile, stranger.url());
    assertMatch(new TextDecoder().decode(result.stdout), /was not accepted: it comes from an unknown issuer/);
  });
});

/** A TLS origin that answers each connection with `text` and ends it, with close_notify or with a FIN alone. */
async function endingOrigin(text: string, closeNotify: boolean): Promise<AsyncDisposable & { port: number }> {
  const certificate = await serverCertificate();
  const closed: Promise<void>[] = [];
  const server = net.createServer((below) => {
    const socket = new tls.TLSSocket(below, { isServer: true, ...certificate });
    closed.push(new Promise((resolve) => below.once("close", () => resolve())));
    socket.on("error", () => {});
    below.on("error", () => {});
    socket.once("data", () => socket.write(text, () => closeNotify ? socket.end() : below.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(closed);
    },
  };
}

Deno.test("RFC 9112 §9.8: a body until close is complete with close_notify, cut without", async () => {
  for (const addon of [{}, streamAll] as Addon[]) {
    for (const closeNotify of [true, false]) {
      const events = new Events();
      const errors: string[] = [];
      const error = (flow: HttpFlow) => void errors.push(flow.error!.message);
      await using server = await endingOrigin("HTTP/1.1 200 OK\r\n\r\nuntil close", closeNotify);
      await using proxy = await startProxy([addon, recorder(events, { error })]);
      const authority = `localhost:${server.port}`;
      await using client = await intercepted(proxy, authority);
      await client.send(`GET / HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
      const { head, text, end } = await client.response();
      if (closeNotify) {
        assertEquals([head.statusCode, text, end], [200, "until close", "complete"]);
        await events.seen("complete");
      } else {
        // Nothing was sent of a buffered body, so there can be a page that says why.
        if (addon === streamAll) assertEquals([head.statusCode, text, end], [200, "until close", "fin"]);
        else assertEquals([head.statusCode, /without close_notify/.test(text)], [502, true]);
        await events.seen("error");
        assertMatch(errors.join(), /The server's TLS connection ended without close_notify/);
      }
    }
  }
});

Deno.test("bodies that say where they end are complete without close_notify", async () => {
  for (
    const framing of [
      "Content-Length: 4\r\n\r\nbody",
      "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ]
  ) {
    await using server = await endingOrigin(`HTTP/1.1 200 OK\r\n${framing}`, false);
    await using proxy = await startProxy(streamAll);
    const seen = await exchange(proxy, `https://localhost:${server.port}/`);
    assertEquals([seen.text, seen.end], ["body", "complete"]);
  }
});

Deno.test("a client that offers HTTP/2 alone gets it, though the origin speaks HTTP/1.1", async () => {
  await using server = await origin(withLength("translated"), { tls: true });
  await using proxy = await startProxy();
  await using client = await VersionClient.connect("HTTP/2.0", proxy, server);
  const { head, body } = await client.send("GET");
  assertEquals([client.conn.tls!.alpn, head.statusCode], ["h2", 200]);
  assertEquals((await read(body)).text, "translated");
});

Deno.test("a client that offers only protocols that weir does not speak gets none, and may speak HTTP/1.1", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  const { alpnProtocol } = await client.startTls("localhost", await proxy.ca(), ["acme-tls/1"]);
  assertEquals(alpnProtocol, null);
  await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await client.response()).text, "secret");
});

Deno.test("a client that knows RSA certificates alone is shown one, in both versions of TLS; others see ECDSA as ever", async () => {
  await using server = await origin(withLength("hi"), { tls: true });
  await using proxy = await startProxy();
  const RSA_ONLY = [
    ["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256"],
    ["--tls-max", "1.2", "--ciphers", "ECDHE-RSA-CHACHA20-POLY1305"],
  ];
  for (const args of [[], ...RSA_ONLY]) {
    const ca = `${proxy.confdir}/weir-ca-cert.pem`;
    const { stdout, stderr } = await curl("-x", proxy.url, "--cacert", ca, ...args, server.url());
    assertEquals([stderr, new TextDecoder().decode(stdout)], ["", "hi"], args.join(" "));
  }
  const shown = async (...args: string[]) => {
    const { stdout } = await new Deno.Command("openssl", {
      args: ["s_client", "-proxy", `127.0.0.1:${proxy.port}`, "-connect", server.authority, ...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return /Peer signature type: (\S+)/.exec(new TextDecoder().decode(stdout))?.[1];
  };
  assertEquals(await shown("-sigalgs", "rsa_pss_rsae_sha256"), "RSA-PSS");
  assertEquals(await shown(), "ECDSA");
});

Deno.test("a client that leaves right behind the handshake is warned of: it may not trust the CA", async () => {
  await using server = await origin(withLength("hi"), { tls: true });
  await using proxy = await startProxy();
  const leave = async (how: (socket: tls.TLSSocket) => void) => {
    const socket = net.connect(proxy.port, "127.0.0.1");
    socket.write(`CONNECT ${server.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await new Promise((resolve) => socket.once("data", resolve));
    const secure = tls.connect({ socket, servername: "localhost", rejectUnauthorized: false });
    secure.on("error", () => {});
    await new Promise((resolve) => secure.once("secureConnect", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    how(secure);
    await closed;
  };
  const warnings = () => proxy.log.list.filter((line) => line.includes("TLS with the client failed"));
  for (const [i, how] of [(s: tls.TLSSocket) => s.destroy(), (s: tls.TLSSocket) => void s.end()].entries()) {
    await leave(how);
    await proxy.log.until(() => warnings().length === i + 1, "a warning");
    assertMatch(
      warnings()[i],
      /failed \(localhost\): it closed .* behind the handshake.*does it trust weir's CA/,
    );
  }
  // One that has asked for something may go as it likes.
  const ca = `${proxy.confdir}/weir-ca-cert.pem`;
  assertEquals((await curl("-x", proxy.url, "--cacert", ca, server.url())).stderr, "");
  assertEquals(warnings().length, 2);
});

const GNUTLS: [tool: string, args: (proxy: TestProxy, url: string) => string[]][] = [
  ["wget", (proxy, url) => ["-q", "-O-", "-e", `https_proxy=${proxy.url}`, url]],
  ["git", (proxy, url) => ["-c", `http.proxy=${proxy.url}`, "ls-remote", url]],
];
for (const [tool, args] of GNUTLS) {
  const name = `${tool}, which may be made with GnuTLS, does not trust the CA: a line in the log says so`;
  Deno.test(name, async () => {
    if (!has(tool, name)) return;
    await using server = await origin(withLength("hi"), { tls: true });
    await using proxy = await startProxy();
    const { success } = await new Deno.Command(tool, {
      args: args(proxy, server.url()),
      stdout: "null",
      stderr: "null",
    }).output();
    assertEquals(success, false);
    await proxy.logged(/TLS with the client failed \(localhost\): .*does it trust weir's CA/);
  });
}
