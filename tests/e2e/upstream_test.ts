/** Going on by another proxy: `--mode upstream:…`, what is said to it, what it answers, and what it does wrong. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { HttpFlow } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { SocksProxy } from "./support/far_proxies.ts";
import { BodyReader } from "./support/http.ts";
import { origin, type Script, tcpOrigin, withLength } from "./support/origin.ts";
import { type Options, recorder, startProxy, type TestProxy } from "./support/proxy.ts";
import { Events, SOON, within } from "./support/within.ts";
import { switching, upgrade } from "./support/websocket.ts";
import { Wire } from "./support/wire.ts";
import { runWeir } from "./support/weir.ts";
import { type Conn, dial } from "../../src/net/mod.ts";
import { socksConnect } from "../../src/socks/mod.ts";
import { clientHandshake } from "../../src/tls/mod.ts";

const PASSWORD = "hush-hush";

const upstream = (port: number, scheme = "http", user = ""): Options => ({
  mode: [`upstream:${scheme}://${user}127.0.0.1:${port}`],
});

/** An HTTP proxy that makes tunnels to this machine, whatever their host. */
const tunnels: Script = async (wire, request) => {
  const [, port] = /^CONNECT \S+:(\d+) /.exec(request.raw)!;
  await using server = new Wire(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  await wire.send("HTTP/1.1 200 Yes\r\nX-Proxy: 1\r\n\r\n");
  const copy = async (from: Wire, to: Wire) => {
    for (let bytes; (bytes = await from.readSome()) !== null;) await to.send(bytes);
    to.close();
  };
  await Promise.all([copy(wire, server), copy(server, wire)]);
};

/** CONNECT, TLS with weir, and one request. */
async function secure(proxy: TestProxy, authority: string, path = "/") {
  await using client = await Client.connect(proxy);
  await client.tunnel(authority);
  await client.startTls("localhost", await proxy.ca());
  await client.send(`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  return await client.response();
}

Deno.test("plain requests reach the proxy in absolute-form, on connections that are kept for all origins", async () => {
  await using proxy = await origin(withLength("hello"));
  await using weir = await startProxy([], upstream(proxy.port, "http", "u%40x:p%3Aw@"));
  for (const url of ["http://one.example/a?b", "http://two.example:81/", "http://[::1]:82/x"]) {
    assertEquals((await exchange(weir, url)).text, "hello");
  }
  await exchange(weir, "http://three.example/", { method: "OPTIONS", version: "HTTP/1.0" });
  const auth = `Proxy-Authorization: Basic ${btoa("u@x:p:w")}\r\n\r\n`;
  assertEquals(proxy.requests.map(({ raw }) => raw), [
    `GET http://one.example/a?b HTTP/1.1\r\nHost: one.example\r\n${auth}`,
    `GET http://two.example:81/ HTTP/1.1\r\nHost: two.example:81\r\n${auth}`,
    `GET http://[::1]:82/x HTTP/1.1\r\nHost: [::1]:82\r\n${auth}`,
    `OPTIONS http://three.example/ HTTP/1.1\r\nHost: three.example\r\n${auth}`,
  ]);
  assertEquals(proxy.connections, 1);
});

Deno.test("what the client says to weir as its proxy stays there; what it answers itself, too", async () => {
  await using proxy = await origin(withLength("hello"));
  await using weir = await startProxy([], upstream(proxy.port));
  const fields = "Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n";
  await exchange(weir, "http://one.example/", { fields });
  assertEquals(proxy.requests[0].raw, "GET http://one.example/ HTTP/1.1\r\nHost: one.example\r\n\r\n");
  assertMatch((await exchange(weir, "http://weir.internal/")).text, /certificate/i);
  assertEquals(proxy.requests.length, 1);
});

Deno.test("https goes through CONNECT, with Host or without, and the connection is kept", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  for (const [sends, host] of [[true, `Host: ${server.authority}\r\n`], [false, ""]] as const) {
    await using proxy = await origin(tunnels);
    await using weir = await startProxy([], {
      ...upstream(proxy.port, "http", `u:${PASSWORD}@`),
      http_connect_send_host_header: sends,
    });
    for (let i = 0; i < 2; i++) assertEquals((await secure(weir, server.authority)).text, "secret");
    const auth = `Proxy-Authorization: Basic ${btoa(`u:${PASSWORD}`)}\r\n`;
    assertEquals(proxy.requests.map(({ raw }) => raw), [
      `CONNECT ${server.authority} HTTP/1.1\r\n${host}${auth}\r\n`,
    ]);
  }
});

Deno.test("a WebSocket without TLS goes through CONNECT, too; a request that asks for another protocol does not", async () => {
  await using proxy = await origin(async (wire, request) => {
    if (!request.raw.startsWith("CONNECT")) return await withLength("plain")(wire, request);
    await wire.send("HTTP/1.1 200 OK\r\n\r\n");
    const [, key] = /sec-websocket-key: (\S+)/i.exec(await wire.readUntil("\r\n\r\n"))!;
    await wire.send(switching(key));
    await wire.untilEnd();
  });
  await using weir = await startProxy([], upstream(proxy.port));
  {
    await using client = await Client.connect(weir);
    await client.send(upgrade("http://one.example/chat", "one.example"));
    assertEquals((await client.head()).statusCode, 101);
  }
  const fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  assertEquals((await exchange(weir, "http://one.example/", { fields })).text, "plain");
  assertEquals(proxy.requests.map(({ raw }) => raw.split("\r\n")[0]), [
    "CONNECT one.example:80 HTTP/1.1",
    "GET http://one.example/ HTTP/1.1",
  ]);
});

Deno.test("the 407 and 503 of the proxy: as they are for plain requests, a page inside the tunnel, a page for CONNECT", async () => {
  const rows: [string, string, string][] = [
    ["407 Proxy Authentication Required", "", "upstream_auth"],
    ["407 Proxy Authentication Required", `u:${PASSWORD}@`, "does not accept"],
    ["503 Service Unavailable", "", "503 Service Unavailable"],
  ];
  for (const [status, user, says] of rows) {
    await using proxy = await origin(async (wire) => {
      await wire.send(
        `HTTP/1.1 ${status}\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno`,
      );
      wire.close();
    });
    const flows: HttpFlow[] = [];
    await using weir = await startProxy({ error: (flow) => void flows.push(flow) }, {
      ...upstream(proxy.port, "http", user),
      ignore_hosts: ["ignored.example"],
    });
    const plain = await exchange(weir, "http://one.example/");
    assertEquals([plain.head.statusCode, plain.text], [Number(status.slice(0, 3)), "no"]);

    const inside = await secure(weir, "localhost:443");
    const refusal = `The proxy http://127.0.0.1:${proxy.port} refused a tunnel to localhost:443: ${status}`;
    assertEquals(inside.head.statusCode, 502);
    assertStringIncludes(inside.text, refusal);
    assertStringIncludes(inside.text, says);
    assertStringIncludes(flows[0].error!.message, refusal);

    await using client = await Client.connect(weir);
    await client.send("CONNECT ignored.example:22 HTTP/1.1\r\nHost: ignored.example:22\r\n\r\n");
    const refused = await client.response("CONNECT");
    assertEquals(refused.head.statusCode, 502);
    assertStringIncludes(refused.text, `The proxy http://127.0.0.1:${proxy.port} refused a tunnel`);
    const told = [inside.text, refused.text, flows[0].error!.message, ...weir.log.list].join();
    assertEquals([told.includes(PASSWORD), told.includes(btoa(`u:${PASSWORD}`))], [false, false]);
  }
});

const HOSTILE: [string, (wire: Wire) => Promise<unknown> | unknown, number, RegExp][] = [
  ["closes before it answers", (wire) => wire.close(), 502, /closed its connection without a response/],
  [
    "cuts its answer",
    async (wire) => {
      await wire.send("HTTP/1.1 200 Connection est");
      wire.close();
    },
    502,
    /middle of its response head/,
  ],
  [
    "answers garbage",
    async (wire) => {
      await wire.send("SSH-2.0-OpenSSH_9.2\r\n\r\n\x00\xff");
      await wire.untilEnd();
    },
    502,
    /cannot be used/,
  ],
  [
    "has a head without an end",
    async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\n");
      for (;;) await wire.send(`X-Filler: ${"x".repeat(1000)}\r\n`);
    },
    502,
    /cannot be used/,
  ],
  [
    "has interim answers without an end",
    async (wire) => {
      for (;;) await wire.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    },
    502,
    /interim/,
  ],
  [
    "switches protocols",
    async (wire) => {
      await wire.send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      await wire.untilEnd();
    },
    502,
    /switched protocols/,
  ],
  [
    "redirects",
    async (wire) => {
      await wire.send("HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n");
      await wire.untilEnd();
    },
    502,
    /302 Found/,
  ],
  ["does not answer", (wire) => wire.untilEnd(), 504, /has not answered within 1 s/],
  [
    "speaks HTTP/2 unasked",
    async (wire) => {
      await wire.send("\0\0\0\x04\0\0\0\0\0");
      await wire.untilEnd();
    },
    502,
    /cannot be used/,
  ],
];
for (const [what, serve, status, says] of HOSTILE) {
  Deno.test(`a proxy that ${what} when it is asked for a tunnel: a page that names it`, async () => {
    await using proxy = await tcpOrigin(async (wire) => {
      await wire.readUntil("\r\n\r\n");
      await serve(wire);
    });
    await using weir = await startProxy([], {
      ...upstream(proxy.port),
      connect_timeout: status === 504 ? 1 : 60,
      upstream_cert: false,
    });
    const seen = await secure(weir, "localhost:443");
    assertEquals(seen.head.statusCode, status);
    assertStringIncludes(seen.text, `The proxy http://127.0.0.1:${proxy.port} `);
    assertMatch(seen.text, says);
    assertEquals(proxy.errors, []);
  });
}

Deno.test("a proxy that nobody answers for is named, once for plain requests and once inside a tunnel", async () => {
  const { port } = await closed(await tcpOrigin(() => Promise.resolve()));
  await using weir = await startProxy([], { ...upstream(port), upstream_cert: false });
  const plain = await exchange(weir, "http://one.example/");
  const inside = await secure(weir, "localhost:443");
  for (const { head, text } of [plain, inside]) {
    assertEquals(head.statusCode, 502);
    assertStringIncludes(text, `The proxy http://127.0.0.1:${port} cannot be used: Connecting to`);
    assertMatch(text, /refused/);
  }
});

Deno.test("a proxy that breaks off, or answers a plain request with garbage, is named beside the origin", async () => {
  for (const answer of ["", "\x15\x03\x01\0\x02\x02\x50"]) {
    await using proxy = await tcpOrigin(async (wire) => {
      await wire.readUntil("\r\n\r\n");
      await wire.send(answer);
      wire.close();
    });
    await using weir = await startProxy([], upstream(proxy.port));
    const { head, text } = await exchange(weir, "http://one.example/");
    assertEquals(head.statusCode, 502);
    assertStringIncludes(text, `one.example, by the proxy http://127.0.0.1:${proxy.port}: The `);
  }
});

/** The port of something that is gone. */
async function closed(server: AsyncDisposable & { port: number }): Promise<{ port: number }> {
  await server[Symbol.asyncDispose]();
  return server;
}

Deno.test("bytes that come with the proxy's answer are the tunnel's", async () => {
  await using proxy = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n220 hello\r\n");
    assertEquals(await wire.readUntil("\n"), "QUIT\n");
    await wire.send("221 bye\r\n");
    wire.close();
  });
  await using weir = await startProxy([], upstream(proxy.port));
  await using client = await Client.connect(weir);
  await client.tunnel("mail.example:25");
  assertEquals(await client.readUntil("\n"), "220 hello\r\n");
  await client.send("QUIT\n");
  assertEquals(await client.readUntil("\n"), "221 bye\r\n");
});

Deno.test("a proxy that is weir itself is refused as a loop, for requests and for tunnels", async () => {
  const events = new Events();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using weir = await startProxy(recorder(events), {
    mode: [`upstream:http://localhost:${port}/@127.0.0.1:${port}`],
    upstream_cert: false,
  });
  for (const seen of [await exchange(weir, "http://one.example/"), await secure(weir, "localhost:443")]) {
    assertEquals(seen.head.statusCode, 400);
    assertStringIncludes(seen.text, `The proxy http://localhost:${port} is weir itself`);
  }
  assertEquals(events.list.filter((hook) => hook === "requestheaders").length, 2);
});

Deno.test("SOCKS5: names go to the proxy as they are, with a login; its refusals are told", async () => {
  await using plain = await origin(withLength("plain"));
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = new SocksProxy({ username: "u1", password: PASSWORD });
  await using weir = await startProxy([], upstream(proxy.port, "socks5", "u:wrong@"));
  const refused = await exchange(weir, `http://no.such.name.example:${plain.port}/`);
  assertEquals(refused.head.statusCode, 502);
  assertMatch(refused.text, /The proxy socks5:\/\/127\.0\.0\.1:\d+ refused the user name and password/);
  assertEquals(refused.text.includes(PASSWORD), false);

  assertEquals(proxy.asked, []);

  await using good = await startProxy([], {
    ...upstream(proxy.port, "socks5"),
    upstream_auth: `u1:${PASSWORD}`,
  });
  assertEquals((await exchange(good, `http://no.such.name.example:${plain.port}/x`)).text, "plain");
  assertEquals((await secure(good, server.authority)).text, "secret");
  assertEquals(proxy.asked, [
    `u1:${PASSWORD}@no.such.name.example:${plain.port}`,
    `u1:${PASSWORD}@localhost:${server.port}`,
  ]);
  assertEquals(plain.requests[0].raw.split("\r\n")[0], "GET /x HTTP/1.1");
});

Deno.test("flow.serverConn.via: each request by its own proxy, or by none; connections are not mixed up", async () => {
  await using direct = await origin(withLength("direct"));
  await using one = await origin(withLength("one"));
  await using two = await origin(withLength("two"));
  const seen: (string | null)[] = [];
  await using weir = await startProxy({
    requestheaders({ request, serverConn }) {
      seen.push(serverConn.via);
      if (request.path === "/direct") serverConn.via = null;
      if (request.path === "/one") serverConn.via = `http://u:${PASSWORD}@127.0.0.1:${one.port}`;
      seen.push(serverConn.via);
    },
    complete: (flow) => void seen.push(flow.serverConn.via),
  }, upstream(two.port));
  const byTwo = `http://127.0.0.1:${two.port}`, byOne = `http://127.0.0.1:${one.port}`;
  for (let i = 0; i < 2; i++) {
    assertEquals((await exchange(weir, direct.url("/direct"))).text, "direct");
    assertEquals((await exchange(weir, direct.url("/one"))).text, "one");
    assertEquals((await exchange(weir, direct.url("/"))).text, "two");
    assertEquals(seen.splice(0), [byTwo, null, null, byTwo, byOne, byOne, byTwo, byTwo, byTwo]);
  }
  assertEquals([direct.connections, one.connections, two.connections], [1, 1, 1]);
  assertMatch(one.requests[0].raw, /Proxy-Authorization/);
  assertEquals(two.requests[0].raw.includes("Proxy-Authorization"), false);
});

Deno.test("flow.serverConn.via that is no address of a proxy: the addon's error, without the password; nothing changes", async () => {
  await using direct = await origin(withLength("direct"));
  await using weir = await startProxy({
    requestheaders: (flow) => void (flow.serverConn.via = `ftp://u:${PASSWORD}@127.0.0.1`),
    complete: (flow) => void (flow.serverConn.via = null),
  });
  assertEquals((await exchange(weir, direct.url())).text, "direct");
  assertMatch(await weir.logged(/requestheaders/), /ftp:\/\/\*\*\*@127\.0\.0\.1.*http, https or socks5/);
  assertMatch(await weir.logged(/complete/), /The connection is made/);
  assertEquals(weir.log.list.join().includes(PASSWORD), false);
});

Deno.test("what http_connect says holds for all that comes through the tunnel, raw bytes included", async () => {
  const asked = new Events();
  await using proxy = await origin(async (wire, request) => {
    asked.push(request.raw.split("\r\n")[0]);
    await wire.send("HTTP/1.1 200 OK\r\n\r\nhello\n");
    await wire.untilEnd();
  });
  await using weir = await startProxy({
    http_connect: (flow) => void (flow.serverConn.via = `http://127.0.0.1:${proxy.port}`),
  });
  await using client = await Client.connect(weir);
  await client.tunnel("raw.example:2222");
  assertEquals(await client.readUntil("\n"), "hello\n");
  assertEquals(asked.list, ["CONNECT raw.example:2222 HTTP/1.1"]);
});

Deno.test("upstream_proxy: the first rule that matches decides, direct and env among them", async () => {
  await using direct = await origin(withLength("direct"));
  await using one = await origin(withLength("one"));
  await using two = await origin(withLength("two"));
  await using weir = await startProxy([], {
    ...upstream(two.port),
    upstream_proxy: [
      "|~u /direct|direct",
      `|~u /one$ & !~m POST|http://127.0.0.1:${one.port}`,
      `/~bq kept/http://127.0.0.1:${one.port}`,
    ],
  });
  assertEquals((await exchange(weir, direct.url("/direct"))).text, "direct");
  assertEquals((await exchange(weir, direct.url("/one"))).text, "one");
  assertEquals((await exchange(weir, direct.url("/one"), { method: "POST", body: "x" })).text, "two");
  assertEquals((await exchange(weir, direct.url("/one"), { method: "POST", body: "kept" })).text, "one");
  assertEquals((await exchange(weir, direct.url("/"))).text, "two");
});

Deno.test("upstream_proxy holds for what comes without CONNECT, too: nothing is looked up or connected to past the proxy", async () => {
  await using raw = await tcpOrigin(async (wire) => {
    await wire.send("220 hello\n");
    await wire.untilEnd();
  });
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = new SocksProxy();
  const options = { upstream_proxy: [`/~d ^(raw|localhost)/${proxy.url}`, "direct"] };
  {
    await using weir = await startProxy([], options);
    const socks = async (host: string, port: number) => {
      const conn = await dial("127.0.0.1", weir.port, { side: "server" });
      return await socksConnect(conn, { hostname: host, port }, { login: null });
    };
    using rawConn = closing(await socks("raw.invalid", raw.port));
    const into = new Uint8Array(100);
    assertEquals(new TextDecoder().decode(into.subarray(0, (await rawConn.conn.read(into))!)), "220 hello\n");
    const secureConn = await socks("localhost", server.port);
    const tls = await clientHandshake(secureConn, {
      servername: "localhost",
      alpn: [],
      verify: true,
      ca: [await weir.ca()],
    });
    await tls.write(
      new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    assertMatch(new TextDecoder().decode(into.subarray(0, (await tls.read(into))!)), /^HTTP\/1.1 200/);
    tls.close();
  }
  {
    await using weir = await startProxy([], { ...options, mode: [`reverse:tcp://raw.invalid:${raw.port}`] });
    await using client = await Client.connect(weir);
    assertEquals(await client.readUntil("\n"), "220 hello\n");
  }
  assertEquals(new Set(proxy.asked), new Set([`raw.invalid:${raw.port}`, `localhost:${server.port}`]));
  assertEquals(server.connections, proxy.asked.filter((asked) => asked.startsWith("localhost")).length);
});

Deno.test("tunnel_start chooses the proxy of a tunnel; what is no address of one changes nothing", async () => {
  await using proxy = new SocksProxy();
  await using raw = await tcpOrigin(async (wire) => {
    await wire.send("hi\n");
    await wire.untilEnd();
  });
  const seen: unknown[] = [];
  await using weir = await startProxy([{
    tunnel_start(tunnel) {
      seen.push([tunnel.address, tunnel.via]);
      tunnel.via = proxy.url;
    },
  }, { tunnel_start: (tunnel) => void (tunnel.via = `ftp://u:${PASSWORD}@x`) }], {
    mode: [`reverse:tcp://127.0.0.1:${raw.port}`],
  });
  await using client = await Client.connect(weir);
  assertEquals(await client.readUntil("\n"), "hi\n");
  assertEquals(seen, [[{ hostname: "127.0.0.1", port: raw.port }, null]]);
  assertEquals(proxy.asked, [`127.0.0.1:${raw.port}`]);
  assertEquals((await weir.logged(/tunnel_start/)).includes(PASSWORD), false);
});

/** Closes a connection at the end of a block. */
function closing(conn: Conn): { readonly conn: Conn } & Disposable {
  return { conn, [Symbol.dispose]: () => conn.close() };
}

Deno.test("dns_override: another address and port, the name in Host and TLS unchanged, also for the proxy itself", async () => {
  await using plain = await origin(withLength("plain"));
  await using server = await origin(withLength("secret"), { tls: true });
  await using weir = await startProxy([], {
    dns_override: [
      `Name.example=127.0.0.1:${plain.port}`,
      `localhost=127.0.0.1:${server.port}`,
      `gone.example=127.0.0.1`,
    ],
  });
  assertEquals((await exchange(weir, "http://name.EXAMPLE/")).text, "plain");
  assertMatch(plain.requests[0].raw, /Host: name\.example\r\n/i);
  assertEquals((await exchange(weir, `http://gone.example:${plain.port}/`)).text, "plain");
  assertEquals((await secure(weir, "localhost:443")).text, "secret");

  await using proxy = await origin(withLength("proxied"));
  await using far = await startProxy([], {
    mode: ["upstream:http://proxy.example:3128"],
    dns_override: [`proxy.example=127.0.0.1:${proxy.port}`],
  });
  assertEquals((await exchange(far, "http://name.example/")).text, "proxied");
});

Deno.test("upstream_auth in reverse mode is the origin's: each request has it, in place of the client's", async () => {
  await using server = await origin(withLength("hello"));
  await using weir = await startProxy([], {
    mode: [`reverse:http://127.0.0.1:${server.port}`],
    upstream_auth: "u:p:w",
  });
  await using client = await Client.connect(weir);
  await client.send("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDp5\r\n\r\n");
  assertEquals((await client.response()).text, "hello");
  assertEquals(server.requests[0].get("authorization"), `Basic ${btoa("u:p:w")}`);
});

Deno.test("a POST is not lost to a proxy that closes its connections without a word", async () => {
  await using proxy = await tcpOrigin(async (wire) => {
    const head = await wire.readUntil("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    await new BodyReader(wire, length > 0 ? "length" : "none", length).text();
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    wire.close();
  });
  await using weir = await startProxy([], upstream(proxy.port));
  await using client = await Client.connect(weir);
  for (let i = 0; i < 50; i++) {
    await client.send(absolute("http://one.example/", { method: i % 2 === 0 ? "POST" : "GET", body: "x" }));
    const { head, text } = await client.response();
    assertEquals([head.statusCode, text], [200, "ok"], `request ${i}`);
  }
});

Deno.test("specs that cannot be read end weir with 1 before it listens, and the password is not told", async () => {
  const rows: [string[], RegExp][] = [
    [["--mode", `upstream:http://${PASSWORD}@host:3128`], /option mode: .*upstream_auth/],
    [["--mode", `upstream:http://u:${PASSWORD}@host:99999`], /option mode: .*99999 is not a port/],
    [["--upstream-auth", PASSWORD], /option upstream_auth: .*user:password/],
    [
      ["--upstream-proxy", `/~zzz/http://u:${PASSWORD}@host`],
      /option upstream_proxy: .*expected \[\/filter\/\]url/,
    ],
    [["--upstream-proxy", `ftp://u:${PASSWORD}@host`], /option upstream_proxy: .*http, https or socks5/],
    [["--dns-override", "name.example"], /option dns_override: .*host=address/],
    [["--dns-override", "name.example=1.2.3.4:0"], /option dns_override: .*0 is not a port/],
  ];
  for (const [args, says] of rows) {
    const { code, stdout, stderr } = await runWeir({ args });
    assertEquals([code, stdout], [1, ""], args.join(" "));
    assertMatch(stderr, says);
    assertEquals(stderr.includes(PASSWORD), false, stderr);
    assertEquals(stderr.includes("listening"), false);
  }
});

Deno.test("env: http_proxy, all_proxy and no_proxy of weir's own environment", async () => {
  await using direct = await origin(withLength("direct"));
  await using one = await origin(withLength("one"));
  const saved = new Map(
    ["http_proxy", "HTTP_PROXY", "NO_PROXY", "no_proxy"].map((name) => [name, Deno.env.get(name)]),
  );
  try {
    for (const name of saved.keys()) Deno.env.delete(name);
    Deno.env.set("HTTP_PROXY", `http://127.0.0.1:${one.port}`);
    Deno.env.set("no_proxy", `other.example, 127.0.0.1:${direct.port}`);
    await using weir = await startProxy([], { upstream_proxy: ["env"] });
    assertEquals((await exchange(weir, direct.url())).text, "direct");
    assertEquals((await exchange(weir, "http://name.example/")).text, "one");
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});

Deno.test("weir stops while a proxy is being asked for a tunnel: at once, and nothing is left", async () => {
  const asked = new Events();
  await using proxy = await tcpOrigin(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    asked.push("asked");
    await wire.untilEnd();
    asked.push("ended");
  });
  await using weir = await startProxy([], {
    ...upstream(proxy.port),
    upstream_cert: false,
    shutdown_grace: 0,
  });
  await using client = await Client.connect(weir);
  await client.tunnel("localhost:443");
  await client.startTls("localhost", await weir.ca());
  await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await asked.seen("asked");
  await within(SOON, weir.stop(), "weir to stop");
  await asked.seen("ended");
});
