/**
 * Mode `socks5` (rules.md, Modes; RFC 1928): who is let in, what is replied, and that what is inside is
 * recognised. @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon, HttpFlow } from "weir";
import { Client, curl } from "./support/client.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { recorder, startProxy } from "./support/proxy.ts";
import { Events, SOON, within } from "./support/within.ts";

const MODE = { mode: ["socks5"] };

/** Bytes that one of these sends, and what it hears until weir ends. */
async function heard(port: number, bytes: number[]): Promise<string> {
  await using client = await Client.connect({ port });
  await client.send(Uint8Array.from(bytes));
  return [...(await client.readToEnd()).text].map((char) => char.charCodeAt(0).toString(16)).join(" ");
}

const HELLO = [5, 1, 0];
const to = (...address: number[]) => [...HELLO, 5, 1, 0, ...address];
const twoBytes = (port: number) => [port >> 8, port & 255];

Deno.test("curl reaches HTTP and HTTPS by address and by name, and flows have all hooks", async () => {
  const events = new Events();
  const urls: string[] = [];
  await using plain = await origin(withLength("plain"));
  await using secure = await origin(withLength("secure"), { tls: true });
  const seen: Addon = {
    request: ({ request, clientConn }) => void urls.push(`${clientConn.mode} ${request.url}`),
  };
  await using proxy = await startProxy([recorder(events), seen], MODE);
  const ca = ["--cacert", `${proxy.confdir}/weir-ca-cert.pem`];
  const socks = `127.0.0.1:${proxy.port}`;
  for (const flag of ["--socks5", "--socks5-hostname"]) {
    for (const [server, text] of [[plain, "plain"], [secure, "secure"]] as const) {
      const url = server.url("/x").replace("127.0.0.1", "localhost");
      const { code, stdout, stderr } = await curl(flag, socks, ...ca, "-4", url);
      assertEquals([code, new TextDecoder().decode(stdout), stderr], [0, text, ""], `${flag} ${url}`);
      // By --socks5 curl looks the name up itself; the name in TLS, or of the Host field, is not where it
      // goes.
      const host = flag === "--socks5" ? "127.0.0.1" : "localhost";
      assertEquals(urls.pop(), `socks5 ${server.scheme}://${host}:${server.port}/x`);
    }
  }
  assertEquals(events.count("complete"), 4);
  // One for each name: that they are made ahead costs no further ones.
  assertEquals(plain.connections, 2);
});

Deno.test("HTTP/2 inside", async () => {
  const versions: string[] = [];
  await using secure = await origin(withLength("secure"), { tls: true });
  await using proxy = await startProxy(
    { request: ({ request }) => void versions.push(request.httpVersion) },
    { ...MODE, http2_upstream: "any" },
  );
  const { code, stderr } = await curl(
    ...["--socks5-hostname", `127.0.0.1:${proxy.port}`, "--http2", "-o", "/dev/null"],
    ...["--cacert", `${proxy.confdir}/weir-ca-cert.pem`, secure.url()],
  );
  // The connection that was made ahead has been looked at, and has served.
  assertEquals([code, stderr, versions, secure.connections], [0, "", ["HTTP/2.0"], 1]);
});

Deno.test("a server that speaks first, as ssh's does, is heard at once and by its own connection", async () => {
  const events = new Events();
  await using server = await tcpOrigin(async (wire) => {
    await wire.send("SSH-2.0-x\r\n");
    await wire.send(`you said ${(await wire.readToEnd()).text}`);
    await wire.closeWrite();
  });
  await using proxy = await startProxy({
    tcp_start: () => events.push("start"),
    tcp_end: () => events.push("end"),
  }, MODE);
  await using client = await Client.connect(proxy);
  await client.socks(server.authority);
  assertEquals(await client.readUntil("\r\n"), "SSH-2.0-x\r\n");
  await client.send("SSH-2.0-y");
  await client.closeWrite();
  assertEquals(await client.readToEnd(), { text: "you said SSH-2.0-y", end: "fin" });
  await events.seen("end");
  assertEquals([events.list, server.connections], [["start", "end"], 1]);
});

Deno.test("IPv6 and IPv4 addresses, and bytes that come before the reply", async () => {
  const listener = Deno.listen({ hostname: "::1", port: 0 });
  const serving = (async () => {
    using conn = await listener.accept();
    await conn.write(new TextEncoder().encode("six"));
    listener.close();
  })();
  await using four = await tcpOrigin((wire) => wire.send("four"));
  await using proxy = await startProxy([], MODE);
  const six = to(4, ...new Array(15).fill(0), 1, ...twoBytes(listener.addr.port), 0);
  assertMatch(await heard(proxy.port, six), /^5 0 5 0 0 4( 0){15} 1 \w+ \w+ 73 69 78$/);
  await serving;
  const answer = await heard(proxy.port, to(1, 127, 0, 0, 1, ...twoBytes(four.port), 0));
  assertMatch(answer, /^5 0 5 0 0 1 7f 0 0 1 \w+ \w+ 66 6f 75 72$/);
});

Deno.test("what cannot be is replied with its code, and nothing reaches anybody", async () => {
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = gone.addr;
  gone.close();
  await using server = await tcpOrigin(() => Promise.resolve());
  const seen: string[] = [];
  await using proxy = await startProxy({
    server_connect: (data) => {
      seen.push(data.server.address.hostname);
      if (data.server.address.hostname === "localhost") data.error = "Not there.";
    },
  }, MODE);
  const reply = (code: number) => `5 0 5 ${code} 0 1${" 0".repeat(6)}`;
  const name = (text: string) => [3, text.length, ...new TextEncoder().encode(text)];
  const rows: [string, number[], string][] = [
    ["refused", to(1, 127, 0, 0, 1, ...twoBytes(port)), reply(5)],
    ["no such name", to(...name("no-such.invalid"), 0, 80), reply(4)],
    ["an addon refuses", to(...name("localhost"), ...twoBytes(server.port)), reply(2)],
    ["weir itself", to(1, 127, 0, 0, 1, ...twoBytes(proxy.port)), reply(2)],
    ["BIND", [...HELLO, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80], reply(7)],
    ["UDP ASSOCIATE", [...HELLO, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0], reply(7)],
    ["no such address type", to(2, 1, 2, 3, 4, 0, 80), reply(8)],
    ["no method", [5, 1, 1], "5 ff"],
    ["SOCKS4", [4, 1, 0, 80, 1, 2, 3, 4, 0], ""],
  ];
  for (const [what, bytes, expected] of rows) assertEquals(await heard(proxy.port, bytes), expected, what);
  assertEquals([server.connections, seen.length], [0, 4]);
  await proxy.logged(/warn: 127\.0\.0\.1:\d+: The client asks SOCKS5 for UDP ASSOCIATE/);
});

Deno.test("a hook decides about user name and password", async () => {
  const given: string[] = [];
  await using server = await origin(withLength("in"));
  await using proxy = await startProxy({
    async socks5_auth(data) {
      await 0;
      given.push(`${data.username} ${data.password} ${data.clientConn.mode}`);
      data.valid = data.password === "a:b ü";
    },
  }, MODE);
  const ask = (...user: string[]) =>
    curl("--socks5-hostname", `127.0.0.1:${proxy.port}`, ...user, server.url());
  assertEquals((await ask("--proxy-user", "me:a:b ü")).code, 0);
  assertEquals((await ask("--proxy-user", "me:wrong")).code, 97);
  assertEquals((await ask()).code, 97);
  assertEquals(given, ["me a:b ü socks5", "me wrong socks5"]);
  assertEquals(server.requests.length, 1);
  assert(
    !proxy.log.list.some((line) => line.includes("wrong") || line.includes("a:b")),
    proxy.log.list.join("\n"),
  );
});

Deno.test("a client that speaks HTTP is closed, and the log says why", async () => {
  await using proxy = await startProxy([], MODE);
  await using client = await Client.connect(proxy);
  await client.send("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n");
  assertEquals((await client.readToEnd()).text, "");
  await proxy.logged(/warn: 127\.0\.0\.1:\d+: The client does not speak SOCKS5/);
});

Deno.test("weir's own page is served by its name, which leads nowhere", async () => {
  await using proxy = await startProxy([], MODE);
  const { code, stdout } = await curl(
    "--socks5-hostname",
    `127.0.0.1:${proxy.port}`,
    "http://weir.internal/",
  );
  assertEquals(code, 0);
  assertMatch(new TextDecoder().decode(stdout), /certificate/i);
});

Deno.test("a client that leaves takes the connection along that was made for it", async () => {
  const events = new Events(), ended = Promise.withResolvers<unknown>();
  await using server = await tcpOrigin(async (wire) => ended.resolve(await wire.untilEnd()));
  await using proxy = await startProxy({ server_disconnected: () => events.push("disconnected") }, MODE);
  {
    await using client = await Client.connect(proxy);
    await client.socks(server.authority);
  }
  await within(SOON, ended.promise, "the server's end");
  await events.seen("disconnected");
});

Deno.test("ignore_hosts, allow_hosts and tcp_hosts: HTTP is bytes, by the name that was asked for or the Host field", async () => {
  const rows: Record<string, string[]>[] = [
    { ignore_hosts: ["127\\.0\\.0\\.1"] },
    { ignore_hosts: ["^a\\.example:"] },
    { allow_hosts: ["b\\.example"] },
    { tcp_hosts: ["127"] },
  ];
  for (const options of rows) {
    const events = new Events();
    await using server = await origin(withLength("bytes"));
    const addon: Addon = {
      request: () => events.push("request"),
      tcp_start: () => events.push("start"),
      tcp_end: () => events.push("end"),
    };
    await using proxy = await startProxy(addon, { ...MODE, ...options });
    const { code } = await curl(
      ...["--socks5-hostname", `127.0.0.1:${proxy.port}`, "-H", "Host: a.example", server.url()],
    );
    await events.seen("end");
    assertEquals([code, events.list, server.connections], [0, ["start", "end"], 1], JSON.stringify(options));
  }
});

Deno.test("ignore_hosts: TLS passes, and the connection is the one that was made", async () => {
  const flows: HttpFlow[] = [];
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy(
    { request: (flow) => void flows.push(flow) },
    { ...MODE, ignore_hosts: ["localhost"] },
  );
  const { code } = await curl(
    ...[
      "--socks5-hostname",
      `127.0.0.1:${proxy.port}`,
      "--cacert",
      `${proxy.confdir}/origin-ca.pem`,
      server.url(),
    ],
  );
  assertEquals([code, flows.length, server.connections], [0, 0, 1]);
});
