/**
 * Ways around a policy, each of them denied: seen at the origin, to which nothing comes, and at the resolver, which is not asked.
 *
 * The origin listens at 127.0.0.1; the policy allows one name, and no address.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { reach } from "../../src/proxy/reach.ts";
import { Client } from "./support/client.ts";
import { Http2Client, requestTo } from "./support/http2.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { policed } from "./support/policy.ts";
import { upgrade } from "./support/websocket.ts";

const ALLOWED = "allowed.example";

/** What clients write for 127.0.0.1, and for places that lead nowhere public. */
const SPELLINGS = [
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "017700000001",
  "127.0.0.1.",
  "127.0.0.2",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "LocalHost.",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:7f00:1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::127.0.0.1]",
  "[::127.0.0.1]",
  "[2002:7f00:1::1]",
  "0.0.0.0",
  "[::]",
  "169.254.169.254",
  "[fd00:ec2::254]",
  "ALLOWED.example.evil.example",
  "allowed.example.localhost",
  "xn--llowed-cua.example",
  "allowed-example",
  "sub.allowed.example",
  "notallowed.example",
  "allowed.exampl",
  "example",
];

for (const where of SPELLINGS) {
  Deno.test(`denied: ${where}, in a request and by CONNECT`, async () => {
    await using server = await origin(withLength("reached"));
    await using weir = await policed(`rules:\n  - allow: ${ALLOWED}:${server.port}\n`);
    await using client = await Client.connect(weir);
    await client.send(
      `GET http://${where}:${server.port}/ HTTP/1.1\r\nHost: ${where}:${server.port}\r\n\r\n`,
    );
    const { head } = await client.response();
    assert(head.statusCode === 403 || head.statusCode === 400, `${head.statusCode}`);
    await using tunnel = await Client.connect(weir);
    await tunnel.send(`CONNECT ${where}:${server.port} HTTP/1.1\r\nHost: ${where}:${server.port}\r\n\r\n`);
    const connect = await tunnel.response("CONNECT");
    assert(connect.head.statusCode === 403 || connect.head.statusCode === 400, `${connect.head.statusCode}`);
    assertEquals(server.connections, 0);
  });
}

Deno.test("denied: userinfo, other ports, other schemes, targets that are read in two ways", async () => {
  await using server = await origin(withLength("reached"));
  await using weir = await policed(
    `rules:\n  - allow: ${ALLOWED}\n  - allow: 127.0.0.1:${server.port}\n    paths: ["/open/**"]\n`,
  );
  const targets = [
    `http://${ALLOWED}@127.0.0.1:${server.port}/closed`,
    `http://${ALLOWED}:80@127.0.0.1:${server.port}/closed`,
    `http://127.0.0.1:${server.port}/closed`,
    `http://127.0.0.1:${server.port}/open/../closed`,
    `http://127.0.0.1:${server.port}/open/%2e%2e/closed`,
    `http://127.0.0.1:${server.port}/open/..%2fclosed`,
    `http://127.0.0.1:${server.port}/open/..%5cclosed`,
    `http://127.0.0.1:${server.port}/open/..\\closed`,
    `http://127.0.0.1:${server.port}/open/..;/closed`,
    `http://127.0.0.1:${server.port}//open/x`,
    `http://127.0.0.1:${server.port}/OPEN/x`,
    `http://127.0.0.1:${server.port}/?/open/x`,
    `http://${ALLOWED}:8080/`,
    `ftp://${ALLOWED}/`,
  ];
  for (const target of targets) {
    await using client = await Client.connect(weir);
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${ALLOWED}\r\n\r\n`);
    const { head } = await client.response();
    assert([400, 403, 421].includes(head.statusCode), `${target}: ${head.statusCode}`);
  }
  assertEquals(server.requests.length, 0);
});

Deno.test("denied: a WebSocket upgrade, raw bytes, a server that speaks first, TLS that is no HTTP", async () => {
  await using server = await tcpOrigin((wire) => wire.send("SSH-2.0-hello\r\n"));
  await using weir = await policed(`rules:\n  - allow: 127.0.0.1:${server.port}\n    methods: [POST]\n`);
  await using socket = await Client.connect(weir);
  await socket.send(upgrade(server.url("/"), server.authority));
  assertEquals((await socket.response()).head.statusCode, 403);
  await using raw = await Client.connect(weir);
  await raw.tunnel(server.authority);
  await raw.send("SSH-2.0-client\r\n");
  assertEquals((await raw.readToEnd()).text, "");
  await using secure = await Client.connect(weir);
  await secure.tunnel(`127.0.0.1:${server.port}`);
  await secure.startTls("127.0.0.1", await weir.proxy.ca(), ["x-odd"]).catch(() => {});
  await secure.send("no HTTP at all\r\n\r\n").catch(() => {});
  await secure.readToEnd().catch(() => {});
  // Its certificate may have been looked at; none of the bytes has come.
  assert(weir.audit().some(({ decision, method }) => decision === "deny" && method === "CONNECT"));
});

Deno.test("denied: another host over an HTTP/2 connection to one that is allowed, and a redirect to it", async () => {
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n");
  }, { tls: true });
  await using weir = await policed(
    `rules:\n  - allow: [localhost:${server.port}, other.example:${server.port}]\n`,
  );
  await using client = await Http2Client.connect({ port: weir.port, ca: () => weir.proxy.ca() }, server);
  await client.peer.request(1, requestTo({ authority: `other.example:${server.port}` }));
  assert((await client.peer.line()).includes(":status=421"));
  await client.peer.request(3, requestTo(server));
  for (let line = ""; !line.startsWith("HEADERS 3");) line = await client.peer.line();
  assertEquals(server.requests.length, 1);
  await using redirected = await Client.connect(weir);
  await redirected.send("GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n");
  assertEquals((await redirected.response()).head.statusCode, 403);
});

Deno.test("denied: a name whose addresses are private, by a resolver that gives another answer each time (rebinding)", async () => {
  await using server = await origin(withLength("reached"));
  const asked: string[] = [];
  const answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]];
  const options = {
    dnsOverride: [],
    timeout: 2000,
    signal: new AbortController().signal,
    resolve: (name: string) => {
      asked.push(name);
      return Promise.resolve(answers[Math.min(asked.length, answers.length) - 1]);
    },
  };
  const chosen: string[][] = [];
  const choose = (addresses: readonly string[]) => {
    chosen.push([...addresses]);
    if (!addresses.includes("93.184.216.34")) throw new WeirError("weir", "policy", "private");
    // What is dialed is what was checked: the test's origin stands for the public address.
    return ["127.0.0.1"];
  };
  const conn = await reach({ hostname: "rebinding.example", port: server.port }, { ...options, choose });
  conn.close();
  assertEquals([asked, chosen], [["rebinding.example"], [["93.184.216.34", "127.0.0.1"]]]);
  await assertRejects(
    () => reach({ hostname: "rebinding.example", port: server.port }, { ...options, choose }),
    WeirError,
    "private",
  );
});

Deno.test("denied: dns_override and hosts files lead a name that is allowed to a private address", async () => {
  await using server = await origin(withLength("reached"));
  const options = { dns_override: [`${ALLOWED}=127.0.0.1`] };
  await using weir = await policed(`rules:\n  - allow: ${ALLOWED}:${server.port}\n`, { options });
  await using client = await Client.connect(weir);
  await client.send(
    `GET http://${ALLOWED}:${server.port}/ HTTP/1.1\r\nHost: ${ALLOWED}:${server.port}\r\n\r\n`,
  );
  const seen = await client.response();
  assertEquals([seen.head.statusCode, seen.head.get("x-weir-policy")], [403, "denied"]);
  assert(
    seen.text.includes("127.0.0.1, a loopback address (private: deny), and no rule names it"),
    seen.text,
  );
  assertEquals(server.connections, 0);
  await Deno.writeTextFile(weir.path, `rules:\n  - allow: ${ALLOWED}:${server.port}\n    private: true\n`);
  await weir.proxy.logged(/read again/);
  await using again = await Client.connect(weir);
  await again.send(
    `GET http://${ALLOWED}:${server.port}/ HTTP/1.1\r\nHost: ${ALLOWED}:${server.port}\r\n\r\n`,
  );
  assertEquals((await again.response()).text, "reached");
});

Deno.test("a tunnel rule lets raw bytes through, opaque, and the audit has both of its lines", async () => {
  await using server = await tcpOrigin(async (wire) => {
    await wire.send("SSH-2.0-hello\r\n");
    await wire.readUntil("bye");
  });
  await using weir = await policed(`rules:\n  - tunnel: 127.0.0.1:${server.port}\n`);
  {
    await using client = await Client.connect(weir);
    await client.tunnel(server.authority);
    assertEquals(await client.readUntil("\r\n"), "SSH-2.0-hello\r\n");
    await client.send("bye");
    await client.readToEnd();
  }
  const lines = () => weir.audit();
  for (let i = 0; i < 200 && lines().length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(
    lines().map((
      { event, decision, method, rule, bytesOut, bytesIn },
    ) => [event, decision, method, rule, bytesOut, bytesIn]),
    [
      ["decided", "tunnel", "CONNECT", 2, 0, 0],
      ["ended", "tunnel", "CONNECT", 2, 3, 15],
    ],
  );
  assertEquals(new Set(lines().map(({ flow }) => flow)).size, 1);
});

for (const allowed of [false, true]) {
  Deno.test(`${allowed ? "allowed" : "denied"}: TLS by SOCKS5, and nothing is connected to before a request is decided`, async () => {
    await using server = await origin(withLength("reached"), { tls: true });
    await using weir = await policed(`rules:\n  - allow: localhost:${allowed ? server.port : 1}\n`);
    await using client = await Client.connect(weir);
    await client.send(new Uint8Array([5, 1, 0]));
    await client.readExactly(2);
    const name = new TextEncoder().encode("localhost");
    await client.send(
      new Uint8Array([5, 1, 0, 3, name.length, ...name, server.port >> 8, server.port & 255]),
    );
    assertEquals([...(await client.readExactly(10)).subarray(0, 2)], [5, 0]);
    assertEquals(server.connections, 0);
    await client.startTls("localhost", await weir.proxy.ca());
    await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assertEquals((await client.response()).head.statusCode, allowed ? 200 : 403);
    assertEquals(server.connections, allowed ? 1 : 0);
  });
}

Deno.test("ignore_hosts needs a tunnel rule", async () => {
  await using server = await origin(withLength("reached"), { tls: true });
  const options = { ignore_hosts: ["localhost"] };
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n`, { options });
  await using client = await Client.connect(weir);
  await client.send(`CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  const seen = await client.response("CONNECT");
  assertEquals([seen.head.statusCode, seen.head.get("x-weir-policy"), server.connections], [
    403,
    "denied",
    0,
  ]);
});

Deno.test("denied: a name that no rule has, where only its address could allow it, is connected to nowhere else", async () => {
  await using server = await origin(withLength("reached"));
  const options = { dns_override: [`stray.example=127.0.0.1:${server.port}`] };
  await using weir = await policed(`private: allow\nrules:\n  - allow: 192.0.2.1:${server.port}\n`, {
    options,
  });
  await using client = await Client.connect(weir);
  await client.send(
    `GET http://stray.example:${server.port}/ HTTP/1.1\r\nHost: stray.example:${server.port}\r\n\r\n`,
  );
  const seen = await client.response();
  assertEquals([seen.head.statusCode, seen.head.get("x-weir-policy"), server.connections], [
    403,
    "denied",
    0,
  ]);
});
