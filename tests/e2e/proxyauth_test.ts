/** The option `proxyauth`: who is asked, how, what becomes of credentials, and what guessing costs. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { chunks } from "./support/http.ts";
import { Http2Client, requestTo } from "./support/http2.ts";
import { echo, origin, withLength } from "./support/origin.ts";
import { startProxy, streamAll } from "./support/proxy.ts";
import { runWeir, startWeir } from "./support/weir.ts";
import { rawServer, upgrade } from "./support/websocket.ts";

const SPEC = "al:s3:cret";
const RIGHT = `Basic ${btoa(SPEC)}`;
const WRONG = `Basic ${btoa("al:gu3ss")}`;
const CHALLENGE = 'Basic realm="weir"';
/** Fields that let nobody in. */
const REFUSED = [
  "",
  `Proxy-Authorization: ${WRONG}\r\n`,
  `Proxy-Authorization: Basic ${btoa("al")}\r\n`,
  "Proxy-Authorization: Basic ####\r\n",
  `Proxy-Authorization: Bearer ${btoa(SPEC)}\r\n`,
  `Authorization: ${RIGHT}\r\n`,
];

for (const [mode, addon] of [["buffered", {}], ["streamed", streamAll]] as const) {
  Deno.test(`a request without the right credentials gets 407 and the connection stays; with them it is served without them (${mode})`, async () => {
    await using server = await origin(echo);
    await using proxy = await startProxy(addon, { proxyauth: SPEC });
    await using client = await Client.connect(proxy);
    for (const fields of REFUSED) {
      await client.send(absolute(server.url(), { method: "POST", fields, body: "up" }));
      const { head, text } = await client.response("POST");
      assertEquals([head.statusCode, head.get("proxy-authenticate"), head.get("www-authenticate")], [
        407,
        CHALLENGE,
        null,
      ]);
      assertMatch(text, /^407 Proxy Authentication Required\n\nweir: .*proxyauth/);
    }
    assertEquals(server.connections, 0);
    // Each request is asked.
    for (const [fields, status] of [[`proxy-authorization: ${RIGHT}\r\n`, 200], ["", 407]] as const) {
      await client.send(absolute(server.url(), { method: "POST", fields, body: "up" }));
      assertEquals((await client.response("POST")).head.statusCode, status);
    }
    assertEquals(server.requests.map(({ raw }) => /authorization/i.test(raw)), [false]);
  });

  Deno.test(`CONNECT is asked, and what comes through the tunnel is not (${mode})`, async () => {
    await using server = await origin(withLength("inside"), { tls: true });
    await using proxy = await startProxy(addon, { proxyauth: SPEC });
    await using client = await Client.connect(proxy);
    const connect = (fields: string) =>
      client.send(`CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n${fields}\r\n`);
    for (const fields of REFUSED) {
      await connect(fields);
      const { head } = await client.response();
      assertEquals([head.statusCode, head.get("proxy-authenticate")], [407, CHALLENGE]);
    }
    await connect(`Proxy-Authorization: ${RIGHT}\r\n`);
    assertEquals((await client.head()).statusCode, 200);
    await client.startTls("localhost", await proxy.ca());
    for (const fields of ["", `Proxy-Authorization: ${WRONG}\r\nAuthorization: Basic eA==\r\n`]) {
      await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n${fields}\r\n`);
      assertEquals((await client.response()).text, "inside");
    }
    const [first, second] = server.requests.map(({ fields }) => fields.map(([name]) => name.toLowerCase()));
    assertEquals([first, second], [["host"], ["host", "authorization"]]);
  });

  Deno.test(`HTTP/2: requests and CONNECT are asked, stream by stream (${mode})`, async () => {
    await using server = await origin(withLength("ok"));
    await using proxy = await startProxy(addon, { proxyauth: SPEC });
    await using client = await Http2Client.cleartext(proxy);
    const { peer } = client;
    const get = (...fields: string[]) =>
      requestTo({ authority: server.authority, scheme: "http" }, "GET", "/", ...fields);
    const connect = (
      ...fields: string[]
    ) => [":method", "CONNECT", ":authority", server.authority, ...fields];
    await peer.request(1, get());
    assertMatch(await peer.line(), /^HEADERS 1 :status=407 .*proxy-authenticate=Basic realm="weir"/);
    assertMatch(await peer.line(), /^DATA 1 \d+ bytes \+END/);
    await peer.request(3, get("proxy-authorization", RIGHT));
    assertMatch((await peer.lines(2)).join(" "), /:status=200 .*DATA 3 ok \+END/);
    await peer.request(5, connect("proxy-authorization", WRONG), true);
    assertMatch(await peer.line(), /^HEADERS 5 :status=407 .*proxy-authenticate=/);
    assertMatch(await peer.line(), /^DATA 5 \d+ bytes \+END/);
    await peer.request(7, connect("proxy-authorization", RIGHT), false);
    assertEquals(await peer.line(), "HEADERS 7 :status=200");
    await peer.data(7, `GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertMatch(await peer.line(), /^DATA 7 /);
    // The stream of a CONNECT stays open for what the tunnel was to carry.
    await peer.request(9, connect(), false);
    assertMatch(await peer.line(), /^HEADERS 9 :status=407 /);
    assertMatch(await peer.line(), /^DATA 9 \d+ bytes \+END/);
    await peer.data(7, `GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    while (!/^DATA 7 /.test(await peer.line()));
    assert(server.requests.every(({ raw }) => !/authorization/i.test(raw)));
  });

  Deno.test(`in front of an origin it is 401 and Authorization (${mode})`, async () => {
    await using server = await origin(withLength("ok"));
    await using proxy = await startProxy(addon, { proxyauth: SPEC, mode: [`reverse:${server.url("")}`] });
    await using client = await Client.connect(proxy);
    for (const fields of ["", `Proxy-Authorization: ${RIGHT}\r\n`, `Authorization: ${WRONG}\r\n`]) {
      await client.send(`GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`);
      const { head } = await client.response();
      assertEquals([head.statusCode, head.get("www-authenticate"), head.get("proxy-authenticate")], [
        401,
        CHALLENGE,
        null,
      ]);
    }
    await client.send(`GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: ${RIGHT}\r\n\r\n`);
    assertEquals((await client.response()).text, "ok");
    assertEquals(server.requests.map(({ raw }) => /authorization/i.test(raw)), [false]);
    await using second = await Http2Client.cleartext(proxy);
    await second.peer.request(1, requestTo({ authority: "a.test", scheme: "http" }));
    assertMatch(await second.peer.line(), /^HEADERS 1 :status=401 .*www-authenticate=Basic realm="weir"/);
  });
}

Deno.test("a chunked upload that is refused is read to its end, and the connection serves the next request", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy(streamAll, { proxyauth: SPEC });
  await using client = await Client.connect(proxy);
  const fields = "Transfer-Encoding: chunked\r\n";
  await client.send(absolute(server.url(), { method: "PUT", fields }) + chunks(["a".repeat(10_000), "b"]));
  assertEquals((await client.response("PUT")).head.statusCode, 407);
  const allowed = `${fields}Proxy-Authorization: ${RIGHT}\r\n`;
  await client.send(absolute(server.url(), { method: "PUT", fields: allowed }) + chunks(["ab"]));
  assertEquals((await client.response("PUT")).text, "ab");
});

Deno.test("a WebSocket's handshake is asked", async () => {
  await using server = await rawServer();
  await using proxy = await startProxy([], { proxyauth: SPEC });
  const { authority } = server.origin;
  for (const [fields, status] of [["", 407], [`Proxy-Authorization: ${RIGHT}\r\n`, 101]] as const) {
    await using client = await Client.connect(proxy);
    await client.send(upgrade(`http://${authority}/`, authority, fields));
    assertEquals((await client.head()).statusCode, status);
  }
});

Deno.test("SOCKS5 clients log in, by the regular listener and one of their own, and what they send then is not asked", async () => {
  await using server = await origin(withLength("ok"));
  for (const mode of ["regular", "socks5"]) {
    await using proxy = await startProxy([], { proxyauth: SPEC, mode: [mode] });
    const seen: string[] = [];
    for (const login of [SPEC, "al:gu3ss", null]) {
      const as = login === null ? [] : ["--proxy-user", login];
      const { code, stdout } = await curl(
        "--socks5-hostname",
        `127.0.0.1:${proxy.port}`,
        ...as,
        server.url(),
      );
      seen.push(`${code} ${new TextDecoder().decode(stdout)}`);
    }
    // 97: the handshake of a proxy has failed.
    assertEquals(seen, ["0 ok", "97 ", "97 "]);
    assert(!proxy.log.list.some((line) => /s3:cret|gu3ss/.test(line)));
  }
  assertEquals(server.requests.length, 2);
});

Deno.test("weir's own page is behind it, too, and what is passed through", async () => {
  await using server = await origin(withLength("ok"), { tls: true });
  await using proxy = await startProxy([], { proxyauth: "any", ignore_hosts: ["localhost"] });
  assertEquals((await exchange(proxy, "http://weir.internal/")).head.statusCode, 407);
  await using client = await Client.connect(proxy);
  await client.send(`CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await client.head()).statusCode, 407);
  assertEquals(server.connections, 0);
});

Deno.test("any: some credentials are enough", async () => {
  await using server = await origin(withLength("ok"));
  await using proxy = await startProxy([], { proxyauth: "any" });
  for (const [text, status] of [["a:b", 200], [":", 200], ["a", 407]] as const) {
    const fields = `Proxy-Authorization: BASIC  ${btoa(text)}\r\n`;
    assertEquals((await exchange(proxy, server.url(), { fields })).head.statusCode, status, text);
  }
});

Deno.test("hooks behind it see who it is, and no credentials, right or wrong", async () => {
  const seen: unknown[] = [];
  await using server = await origin(withLength("ok"));
  await using proxy = await startProxy({
    requestheaders: ({ request, metadata }) =>
      void seen.push([request.headers.get("proxy-authorization"), metadata.proxyauth]),
  }, { proxyauth: SPEC });
  for (const field of [RIGHT, WRONG]) {
    await exchange(proxy, server.url(), { fields: `Proxy-Authorization: ${field}\r\n` });
  }
  assertEquals(seen, [[null, "al"], [null, undefined]]);
});

Deno.test("a spec that cannot be read says what was expected, tells no password, and weir does not start", async () => {
  const files = {
    "empty.htpasswd": "# nobody\n",
    "plain.htpasswd": "al:{SHA}X/PwXCzHD5zN02tZ/woy93jtzyY=\nbo:hunter2\n",
    "line.htpasswd": "hunter2\n",
  };
  const cases: [string, RegExp][] = [
    [
      "alice",
      /option proxyauth: "alice": ":" and a password are missing at 6; expected user:password, any, or @FILE/,
    ],
    ["ldaps:host:dn:hunter2:tree", /option proxyauth: weir does not ask LDAP servers/],
    ["@$DIR/none", /option proxyauth: "@.*none": the file cannot be read: No such file/],
    ["@$DIR/empty.htpasswd", /option proxyauth: .*empty\.htpasswd has no users/],
    [
      "@$DIR/plain.htpasswd",
      /option proxyauth: .*plain\.htpasswd, line 2: the password of "bo" is hashed in a way/,
    ],
    ["@$DIR/line.htpasswd", /option proxyauth: .*line\.htpasswd, line 1: there is no ":"/],
  ];
  await Promise.all(cases.map(async ([spec, message]) => {
    const { code, stderr } = await runWeir({ args: ["--proxyauth", spec], files });
    assertEquals(code, 1, spec);
    assertMatch(stderr, message);
    assert(!stderr.includes("hunter2") && !stderr.includes("listening"), stderr);
  }));
});

Deno.test("neither the log, nor the printed flows, nor the file has credentials; the program asks curl", async () => {
  await using server = await origin(withLength("ok"));
  await using secure = await origin(withLength("ok"), { tls: true });
  await using weir = await startWeir({
    args: ["--proxyauth", SPEC, "-v", "--flow-detail", "4", "-w", "$DIR/flows", "--ssl-insecure"],
  });
  const seen: string[] = [];
  for (const user of [SPEC, "al:gu3ss"]) {
    for (const url of [server.url(), secure.url()]) {
      const { code, stdout } = await curl("-x", weir.url, "--cacert", weir.caFile, "--proxy-user", user, url);
      seen.push(`${code} ${new TextDecoder().decode(stdout).slice(0, 3)}`);
    }
  }
  assertEquals(seen, ["0 ok", "0 ok", "0 407", "56 "]);
  await weir.stop();
  const flows = new TextDecoder("latin1").decode(await Deno.readFile(`${weir.dir}/flows`));
  assert(flows.includes("Proxy Authentication Required"));
  const all = [...weir.stdout.list, ...weir.stderr.list, flows, server.requests[0].raw].join("\n");
  for (const secret of ["s3:cret", "gu3ss", RIGHT.slice(6), WRONG.slice(6)]) {
    assert(!all.includes(secret), secret);
  }
});

Deno.test({
  name:
    "a thousand wrong guesses at bcrypt cost less than 1 ms each and no memory, and who was right before stays in",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // Cost 10: one comparison takes some 60 ms.
    const files = {
      users: "bob:$2y$10$cHcacpZH1i04kyB8/5xZ3.GwWXp42D6MptK.aT.UGQOWvavgnzExy\n" +
        "eve:$apr1$GZp3yQrm$xbm.QYwqSP1W6XSZCv8tc.\n",
    };
    await using server = await origin(withLength("ok"));
    await using weir = await startWeir({ files, args: ["--proxyauth", "@$DIR/users"] });
    await using client = await Client.connect(weir);
    const as = async (user: string) => {
      const token = new TextEncoder().encode(user).toBase64();
      await client.send(absolute(server.url(), { fields: `Proxy-Authorization: Basic ${token}\r\n` }));
      return await client.response();
    };
    assertEquals((await as("eve:pässwörd")).text, "ok");
    // What a program that has just started spends on becoming fast is not the guesses'.
    for (let i = 0; i < 300; i++) assertEquals((await as("eve:passwörd")).head.statusCode, 407);
    const before = await weir.cpuMs();
    let late = 0;
    const growth = await weir.growthDuring((async () => {
      for (let i = 0; i < 1000; i++) {
        const { head } = await as(`${i % 2 === 0 ? "bob" : "nobody"}:guess ${i}`);
        assertEquals(head.statusCode, 407);
        if (head.get("retry-after") !== null) late++;
      }
    })());
    const spent = await weir.cpuMs() - before;
    assert(spent < 1000, `${spent} ms`);
    assert(growth < 32 * 1024 * 1024, `${growth} bytes`);
    assert(late > 900, `${late} were not looked at`);
    assertEquals((await as("eve:pässwörd")).text, "ok");
    assertEquals((await as("eve:passwörd")).head.get("retry-after"), null);
  },
});
