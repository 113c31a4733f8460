/** A policy in front of a running proxy: what it lets through, denies and writes down. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { echo, origin, withLength } from "./support/origin.ts";
import { Http2Client, http2Origin, requestTo } from "./support/http2.ts";
import { policed } from "./support/policy.ts";
import { Weir } from "./support/weir.ts";

Deno.test("a request that a rule allows passes; one that none allows is answered at once with a page that says so", async () => {
  await using server = await origin(withLength("the body"));
  await using other = await origin(withLength("never"));
  await using weir = await policed(`rules:\n  - allow: 127.0.0.1:${server.port}\n    methods: [GET]\n`);
  const allowed = await exchange(weir, server.url("/x?q=1"));
  assertEquals([allowed.head.statusCode, allowed.text], [200, "the body"]);
  const denied = await exchange(weir, other.url("/x?q=1"));
  assertEquals(denied.head.statusCode, 403);
  assertEquals(denied.head.get("x-weir-policy"), "denied");
  assertMatch(denied.text, /GET 127.0.0.1:\d+\/x is denied: no rule allows it/);
  const method = await exchange(weir, server.url("/x"), { method: "DELETE" });
  assertEquals(method.head.statusCode, 403);
  assertEquals([other.connections, server.requests.length], [0, 1]);
  const lines = weir.audit().map(({ event, method, path, decision, rule, status, port }) => [
    event,
    method,
    path,
    decision,
    rule,
    status,
    port === server.port ? "server" : "other",
  ]);
  assertEquals(lines, [
    ["decided", "GET", "/x", "allow", 2, null, "server"],
    ["ended", "GET", "/x", "allow", 2, 200, "server"],
    ["decided", "GET", "/x", "deny", null, null, "other"],
    ["ended", "GET", "/x", "deny", null, 403, "other"],
    ["decided", "DELETE", "/x", "deny", null, null, "server"],
    ["ended", "DELETE", "/x", "deny", null, 403, "server"],
  ]);
});

Deno.test("the rule that denies is named with its line", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await policed(
    `rules:\n  - deny: localhost:${server.port}\n    paths: ["/admin/**"]\n  - allow: localhost:${server.port}\n`,
  );
  assertStringIncludes((await exchange(weir, server.url("/admin/x"))).text, "the rule in line 2 denies it");
  assertStringIncludes(
    (await exchange(weir, server.url("/a/../admin/%78"))).text,
    "the rule in line 2 denies it",
  );
  assertEquals((await exchange(weir, server.url("/other"))).head.statusCode, 200);
  const odd = await exchange(weir, server.url("/admin%2fx"));
  assertEquals([odd.head.statusCode, odd.head.get("x-weir-policy")], [400, "denied"]);
  assertEquals(server.requests.length, 1);
});

Deno.test("TLS in a CONNECT is decided by its requests; a CONNECT that none can pass is refused", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n    paths: ["/open"]\n`);
  await using client = await Client.connect(weir);
  await client.tunnel(`localhost:${server.port}`);
  await client.startTls("localhost", await weir.proxy.ca());
  await client.send("GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals((await client.response()).text, "secret");
  await client.send("GET /closed HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals((await client.response()).head.statusCode, 403);
  // The connection goes on.
  await client.send("GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals((await client.response()).text, "secret");
  await using refused = await Client.connect(weir);
  await refused.send("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n");
  const seen = await refused.response();
  assertEquals([seen.head.statusCode, seen.head.get("x-weir-policy")], [403, "denied"]);
  const [line] = weir.audit().filter(({ method }) => method === "CONNECT");
  assertEquals([line.event, line.decision, line.host], ["decided", "deny", "other.example"]);
});

Deno.test("one request by two names is refused with 421: Host, SNI and CONNECT must agree", async () => {
  await using server = await origin(withLength("x"), { tls: true });
  await using weir = await policed(`rules:\n  - allow: [localhost:${server.port}, other.example]\n`);
  await using client = await Client.connect(weir);
  await client.tunnel(`localhost:${server.port}`);
  await client.startTls("localhost", await weir.proxy.ca());
  await client.send("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
  assertEquals((await client.response()).head.statusCode, 421);
  await using fronted = await Client.connect(weir);
  await fronted.tunnel(`localhost:${server.port}`);
  await fronted.startTls("other.example", await weir.proxy.ca());
  await fronted.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assertEquals((await fronted.response()).head.statusCode, 421);
  const plain = await exchange(weir, `http://localhost:${server.port}/`);
  await using absoluteForm = await Client.connect(weir);
  await absoluteForm.send(`GET http://localhost:${server.port}/ HTTP/1.1\r\nHost: other.example\r\n\r\n`);
  assertEquals((await absoluteForm.response()).head.statusCode, 421);
  assertEquals([plain.head.statusCode === 421, server.requests.length], [false, 0]);
});

Deno.test("what is no HTTP needs a tunnel rule", async () => {
  await using server = await origin(echo);
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n`);
  await using client = await Client.connect(weir);
  await client.tunnel(`localhost:${server.port}`);
  await client.send("\x00\x01raw bytes, no HTTP");
  assertEquals((await client.readToEnd()).text, "");
  assertEquals(server.connections, 0);
});

Deno.test("uploads are limited, also streamed ones", async () => {
  await using server = await origin(echo);
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n    uploads: 10\n`);
  assertEquals(
    (await exchange(weir, server.url("/"), { method: "POST", body: "0123456789" })).text.length > 0,
    true,
  );
  const seen = await exchange(weir, server.url("/"), { method: "POST", body: "0123456789a" });
  assertEquals([seen.head.statusCode, seen.head.get("x-weir-policy")], [413, "denied"]);
  await using client = await Client.connect(weir);
  await client.send(
    `POST ${
      server.url("/")
    } HTTP/1.1\r\nHost: localhost:${server.port}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  await client.send("b\r\n0123456789a\r\n0\r\n\r\n");
  assertEquals((await client.response()).head.statusCode, 413);
});

Deno.test("in mode warn everything passes, and the audit says what would have been denied", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await policed("mode: warn\n");
  assertEquals((await exchange(weir, server.url("/"))).text, "x");
  assertEquals(weir.audit().map(({ event, decision }) => [event, decision]), [["decided", "warn"], [
    "ended",
    "warn",
  ]]);
  await weir.proxy.logged(/is denied: .* It passes \(mode: warn\)/);
});

Deno.test("a policy follows its file; a broken one is refused and the old one stays", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await policed("rules: []\n");
  assertEquals((await exchange(weir, server.url("/"))).head.statusCode, 403);
  await Deno.writeTextFile(weir.path, `rules:\n  - allow: localhost:${server.port}\n`);
  await weir.proxy.logged(/the policy was read again/);
  assertEquals((await exchange(weir, server.url("/"))).head.statusCode, 200);
  await Deno.writeTextFile(weir.path, "rulez: []\n");
  await weir.proxy.logged(
    /egress.yaml:1: a policy has no key rulez \(did you mean rules\?\)\. The policy stays what it was/,
  );
  assertEquals((await exchange(weir, server.url("/"))).head.statusCode, 200);
  // Not at the start: the values of secrets may come from commands that ask somebody.
  assertEquals(weir.proxy.log.list.filter((line) => line.includes("read again")).length, 1);
});

Deno.test("what an addon changes is decided again", async () => {
  await using server = await origin(withLength("x"));
  await using other = await origin(withLength("never"));
  const addon = { request: (flow: import("weir").HttpFlow) => void (flow.request.port = other.port) };
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n`, { addon });
  assertEquals((await exchange(weir, server.url("/"))).head.statusCode, 403);
  assertEquals([server.connections, other.connections], [0, 0]);
});

Deno.test("where the audit cannot be written requests are refused, unless it is optional", async () => {
  await using server = await origin(withLength("x"));
  const policy = `rules:\n  - allow: localhost:${server.port}\n`;
  {
    await using weir = await policed(policy, { options: { audit_log: "/dev/full" } });
    const seen = await exchange(weir, server.url("/"));
    assertEquals(seen.head.statusCode, 503);
    assertStringIncludes(seen.text, "The audit (audit_log) cannot be written to /dev/full");
    assertEquals(server.requests.length, 0);
  }
  {
    const tunnel = `rules:\n  - tunnel: localhost:${server.port}\n`;
    await using weir = await policed(tunnel, { options: { audit_log: "/dev/full" } });
    await using client = await Client.connect(weir);
    await client.send(`CONNECT localhost:${server.port} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assertEquals((await client.response("CONNECT")).head.statusCode, 503);
  }
  await using weir = await policed(policy, { options: { audit_log: "/dev/full", audit_optional: true } });
  assertEquals((await exchange(weir, server.url("/"))).text, "x");
});

Deno.test("a denied upload is not read, and the connection serves the next request", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await policed(`rules:\n  - allow: localhost:${server.port}\n    methods: [GET]\n`);
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url("/"), { method: "POST", body: "y".repeat(1000) }));
  assertEquals((await client.response()).head.statusCode, 403);
  await client.send(absolute(server.url("/")));
  assertEquals((await client.response()).text, "x");
});

Deno.test("HTTP/2: a denied upload is answered and its stream reset; the connection goes on", async () => {
  await using server = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "204"], 1);
  });
  await using weir = await policed(
    `rules:\n  - allow: localhost:${server.origin.port}\n    methods: [GET]\n`,
  );
  await using client = await Http2Client.connect({ port: weir.port, ca: () => weir.proxy.ca() }, server);
  await client.peer.request(1, requestTo(server, "POST"), false);
  const lines: string[] = [];
  while (!lines.at(-1)?.startsWith("RST_STREAM 1")) lines.push(await client.peer.line());
  assertStringIncludes(lines.join(), ":status=403");
  assertStringIncludes(lines.join(), "x-weir-policy=denied");
  await client.peer.request(3, requestTo(server));
  let line = "";
  while (!line.startsWith("HEADERS 3")) line = await client.peer.line();
  assertStringIncludes(line, ":status=204");
});

Deno.test("audit: what was decided is in the file when weir is killed in the middle of it", async () => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  await using server = await origin(async () => {
    resolve();
    await new Promise(() => {});
  });
  await using weir = await Weir.start({
    args: ["--set", "egress_policy=$DIR/egress.yaml", "--set", "audit_log=$DIR/audit.jsonl"],
    files: { "egress.yaml": `rules:\n  - allow: 127.0.0.1:${server.port}\n` },
  });
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url("/slow?secret=1")));
  await asked;
  weir.signal("SIGKILL");
  await client.readToEnd().catch(() => {});
  const lines = (await Deno.readTextFile(`${weir.dir}/audit.jsonl`)).split("\n");
  assertEquals(lines.length, 2);
  const { time, flow, client: from, ms, ...rest } = JSON.parse(lines[0]);
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(`${flow} ${from} ${ms}`, /^[0-9a-f-]{36} 127\.0\.0\.1:\d+ 0$/);
  assertEquals(rest, {
    event: "decided",
    host: "127.0.0.1",
    port: server.port,
    method: "GET",
    path: "/slow",
    protocol: "HTTP/1.1",
    decision: "allow",
    rule: 2,
    injected: {},
    scrubbed: {},
    carried: {},
    status: null,
    bytesOut: 0,
    bytesIn: 0,
    error: null,
  });
});
