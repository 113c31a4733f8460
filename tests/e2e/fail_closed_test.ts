/** An addon with `failClosed`: nothing that it has not dealt with reaches the other side. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon } from "weir";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { converse } from "./support/websocket.ts";
import { runWeir, startWeir } from "./support/weir.ts";
import { textOf } from "./support/wire.ts";

const SECRET = "s3cret";

function throwing(hook: keyof Addon, failClosed: boolean, isAsync = false): Addon {
  return {
    failClosed,
    [hook]: () => {
      if (isAsync) return Promise.reject(new Error("oops"));
      throw new Error("oops");
    },
  };
}

for (const hook of ["requestheaders", "request", "responseheaders", "response"] as const) {
  for (const isAsync of [false, true]) {
    Deno.test(`failClosed: ${hook} that ${isAsync ? "rejects" : "throws"} cuts the flow, on both sides`, async () => {
      const ends: string[] = [];
      await using server = await origin(withLength(SECRET));
      const witness: Addon = {
        complete: () => void ends.push("complete"),
        error: () => void ends.push("error"),
      };
      await using proxy = await startProxy([throwing(hook, true, isAsync), witness]);
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url(), { method: "POST", body: SECRET }));
      assertEquals((await client.readToEnd()).text, "");
      assertEquals(server.requests.length, hook.startsWith("request") ? 0 : 1);
      await proxy.logged(
        new RegExp(`error: .*oops \\(in ${hook}\\); the flow is cut, as the addon is to fail closed`),
      );
      assertEquals(ends, ["error"]);
    });
  }

  Deno.test(`without failClosed the flow goes on when ${hook} throws`, async () => {
    await using server = await origin(withLength(SECRET));
    await using proxy = await startProxy(throwing(hook, false));
    assertEquals((await exchange(proxy, server.url())).text, SECRET);
    await proxy.logged(/the flow goes on without it/);
  });
}

Deno.test("failClosed: a hook behind the end of a flow has nothing to cut", async () => {
  await using server = await origin(withLength(SECRET));
  await using proxy = await startProxy(throwing("complete", true));
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 2; i++) {
    await client.send(absolute(server.url()));
    assertEquals((await client.response()).text, SECRET);
  }
});

Deno.test("failClosed: a CONNECT is cut, and an origin that was asked about is not connected to", async () => {
  await using server = await origin(withLength(SECRET), { tls: true });
  {
    await using proxy = await startProxy(throwing("http_connect", true));
    await using client = await Client.connect(proxy);
    await client.send(`CONNECT ${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.readToEnd()).text, "");
  }
  await using plain = await origin(withLength(SECRET));
  await using proxy = await startProxy(throwing("server_connect", true));
  const { head, text } = await exchange(proxy, plain.url());
  assertMatch(head.startLine, / 502 /);
  assertMatch(text, /has failed, and is to fail closed/);
  assertEquals([plain.connections, server.connections], [0, 0]);
});

Deno.test("failClosed: a client whose connection, or whose TLS, the addon failed to look at is closed", async () => {
  await using server = await origin(withLength(SECRET), { tls: true });
  for (const hook of ["client_connected", "tls_clienthello"] as const) {
    await using proxy = await startProxy(throwing(hook, true));
    const { code } = await curl(
      "-x",
      proxy.url,
      "--cacert",
      `${proxy.confdir}/weir-ca-cert.pem`,
      server.url(),
    );
    assert(code !== 0, hook);
    await proxy.logged(new RegExp(`oops \\(in ${hook}\\); .* is cut, as the addon is to fail closed`));
  }
  assertEquals(server.requests.length, 0);
  await using proxy = await startProxy([
    throwing("client_connected", false),
    throwing("tls_clienthello", false),
  ]);
  const { stdout } = await curl(
    "-x",
    proxy.url,
    "--cacert",
    `${proxy.confdir}/weir-ca-cert.pem`,
    server.url(),
  );
  assertEquals(textOf(stdout), SECRET);
});

Deno.test("failClosed: a WebSocket message is not passed on, and the connection is cut", async () => {
  await using conversation = await converse({ addons: [throwing("websocket_message", true)] });
  const { client, server, events } = conversation;
  await client.text(SECRET);
  await server.ended();
  await client.wire.untilEnd();
  await events.until(() => events.list.some((name) => name.startsWith("error")), "error");
});

Deno.test("failClosed: bytes of a raw connection are not passed on", async () => {
  await using server = await tcpOrigin(async (wire) => {
    const { text } = await wire.readToEnd();
    assertEquals(text, "");
  });
  await using proxy = await startProxy(throwing("tcp_message", true));
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.send(`\x00${SECRET}`);
  assertEquals((await client.readToEnd()).text, "");
});

Deno.test("failClosed is exported by a script, for its functions and for what it exports by default", async () => {
  await using server = await origin(withLength(SECRET));
  const addon = `export const failClosed = true;
export default class { request() { throw new Error("oops"); } }`;
  await using weir = await startWeir({ addon });
  const { code, stdout } = await curl("-x", weir.url, server.url("/"));
  assert(code !== 0);
  assertEquals([textOf(stdout), server.requests.length], ["", 0]);
  await weir.waitForLog(/addon\.ts:2: oops \(in request\); the flow is cut/);
});

Deno.test("a failClosed that is misspelt is asked about, and one that is no bool is refused", async () => {
  await using weir = await startWeir({
    addon: `export const fail_closed = true; export function request() {}`,
  });
  await weir.waitForLog(/addon\.ts: fail_closed means nothing; did you mean failClosed\?/);
  const { code, stderr } = await runWeir({
    addon: `export const failClosed = "yes"; export function request() {}`,
  });
  assertEquals(code, 1);
  assertMatch(stderr, /addon\.ts: failClosed is "yes", and must be true or false/);
});
