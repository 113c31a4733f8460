/** HTTP/2 with clients and origins that are not weir's: curl, nginx, h2load, Node's client, Chromium. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { browse } from "./support/browser.ts";
import { absolute, Client, curl } from "./support/client.ts";
import { Http2Client, http2Origin, requestTo } from "./support/http2.ts";
import { Nginx } from "./support/nginx.ts";
import { echo, origin, withLength } from "./support/origin.ts";
import { startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { startWeir } from "./support/weir.ts";
import { Events } from "./support/within.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const sha256 = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();

function noise(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

function through(proxy: TestProxy): string[] {
  return ["-x", proxy.url, "--cacert", `${proxy.confdir}/weir-ca-cert.pem`];
}

for (const version of ["--http1.1", "--http2"]) {
  Deno.test(`curl ${version} down and up through weir to nginx with HTTP/2, byte for byte`, async () => {
    const big = noise(9_000_001);
    await using nginx = await Nginx.start({ big });
    await using proxy = await startProxy(streamAll);
    const args = [version, ...through(proxy)];
    const down = await curl(...args, "-w", "%{stderr}%{http_version}", nginx.url("big"));
    assertEquals([down.stderr, down.code], [version === "--http2" ? "2" : "1.1", 0]);
    assertEquals(await sha256(Uint8Array.from(down.stdout)), await sha256(big));
    await Deno.writeFile(`${nginx.dir}/up`, big);
    const up = await curl(...args, "-T", `${nginx.dir}/up`, nginx.url("stored"));
    assertEquals([up.code, up.stderr], [0, ""]);
    assertEquals(await sha256(await Deno.readFile(`${nginx.dir}/www/stored`)), await sha256(big));
    const requests = await nginx.requests();
    assertEquals(requests.map((line) => line.replace(/ \d+$/, "")), [
      "HTTP/2.0 GET /big 200",
      "HTTP/2.0 PUT /stored 201",
    ]);
    // One session carried both.
    assertEquals(new Set(requests.map((line) => line.split(" ").at(-1))).size, 1);
  });
}

Deno.test("curl with prior knowledge: a listener in reverse mode, to HTTP/2 and HTTP/1 origins", async () => {
  await using nginx = await Nginx.start({ file: "from nginx" });
  await using plain = await origin(echo);
  const origins = [[`https://${nginx.authority}`, "from nginx", "file"], [
    `http://${plain.authority}`,
    "body",
    "",
  ]];
  for (const [url, expected, path] of origins) {
    await using proxy = await startProxy([], { mode: [`reverse:${url}`] });
    const data = expected === "body" ? ["-d", "body"] : [];
    const seen = await curl(
      "--http2-prior-knowledge",
      ...data,
      "-w",
      " %{http_version}",
      `${proxy.url}/${path}`,
    );
    assertEquals([seen.stderr, text(seen.stdout)], ["", `${expected} 2`]);
  }
});

Deno.test("an origin without TLS that speaks HTTP/2 alone is found out, and remembered: curl in both versions, down and up", async () => {
  await using nginx = await Nginx.start({ file: "from nginx" }, { tls: false });
  await using proxy = await startProxy(streamAll);
  await Deno.writeTextFile(`${nginx.dir}/up`, "uploaded");
  for (const way of [["-x", proxy.url], ["-p", "-x", proxy.url, "--http2-prior-knowledge"]]) {
    const down = await curl(...way, "-w", " %{http_version}", nginx.url("file"));
    assertEquals([text(down.stdout), down.stderr], [`from nginx ${way.length === 2 ? "1.1" : "2"}`, ""]);
    assertEquals((await curl(...way, "-T", `${nginx.dir}/up`, nginx.url("stored"))).code, 0);
    assertEquals(await Deno.readTextFile(`${nginx.dir}/www/stored`), "uploaded");
  }
  const requests = (await nginx.requests()).filter((line) => line.startsWith("HTTP/2.0 "));
  assertEquals(requests.map((line) => line.split(" ").slice(1, 4).join(" ")), [
    "GET /file 200",
    "PUT /stored 201",
    "GET /file 200",
    "PUT /stored 204",
  ]);
  assertEquals(new Set(requests.map((line) => line.split(" ").at(-1))).size, 1);
});

Deno.test("prior knowledge on a regular listener: :authority says where to", async () => {
  await using plain = await origin(withLength("by authority"));
  await using secure = await http2Origin(async (peer, id) => {
    await peer.headers(id, [":status", "200"], 0);
    await peer.data(id, "over TLS", true);
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Http2Client.cleartext(proxy);
  const { peer } = client;
  await peer.request(1, requestTo({ authority: plain.authority, scheme: "http" }));
  assertEquals(await peer.lines(2), ["HEADERS 1 :status=200 content-length=12", "DATA 1 by authority +END"]);
  await peer.request(3, requestTo(secure));
  assertEquals(await peer.lines(2), ["HEADERS 3 :status=200", "DATA 3 over TLS +END"]);
});

Deno.test("CONNECT as a stream of HTTP/2 is a tunnel", async () => {
  await using server = await origin(withLength("inside"));
  await using proxy = await startProxy(streamAll);
  await using client = await Http2Client.cleartext(proxy);
  const { peer } = client;
  await peer.request(1, [":method", "CONNECT", ":authority", server.authority], false);
  assertEquals(await peer.line(), "HEADERS 1 :status=200");
  await peer.data(1, `GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertMatch(await peer.line(), /^DATA 1 /);
});

Deno.test("http2_upstream: match offers HTTP/2 only where the origin has it, any always", async () => {
  await using old = await origin(withLength("1"), { tls: true });
  for (const [choice, chosen] of [["match", "1.1"], ["any", "2"]]) {
    await using proxy = await startProxy([], { http2_upstream: choice });
    const { stdout, stderr } = await curl(
      "--http2",
      ...through(proxy),
      "-w",
      " %{http_version}",
      `https://${old.authority}/`,
    );
    assertEquals([text(stdout), stderr], [`1 ${chosen}`, ""]);
  }
});

Deno.test("http2=false: HTTP/1.1 on both legs, whatever they offer", async () => {
  await using nginx = await Nginx.start({ file: "plain old" });
  await using proxy = await startProxy([], { http2: false });
  const { stdout } = await curl("--http2", ...through(proxy), "-w", " %{http_version}", nginx.url("file"));
  assertEquals(text(stdout), "plain old 1.1");
  assertMatch((await nginx.requests())[0], /^HTTP\/1\.1 /);
});

Deno.test("http2=false: prior knowledge is refused, on the listener and in a tunnel, and nothing reaches the origin", async () => {
  await using server = await origin(withLength("no"));
  await using proxy = await startProxy([], { http2: false });
  for (const way of [["--connect-to", `::127.0.0.1:${proxy.port}`], ["-p", "-x", proxy.url]]) {
    const { code, stdout } = await curl("--http2-prior-knowledge", ...way, server.url("/"));
    assert(code !== 0);
    assertEquals(text(stdout), "");
  }
  assertEquals(server.requests, []);
});

Deno.test("an upgrade goes over HTTP/1.1 to an origin that prefers HTTP/2", async () => {
  await using server = await origin(
    (wire, request) =>
      wire.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${request.get("upgrade")!.slice(0, 2)}`),
    { tls: true, alpn: ["h2", "http/1.1"] },
  );
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { fields: "Connection: Upgrade\r\nUpgrade: xy\r\n" }));
  assertEquals((await client.response()).text, "xy");
});

Deno.test("h2load over cleartext in reverse mode: 4 connections, 16 streams each, every request succeeds", async () => {
  await using nginx = await Nginx.start({ small: "x".repeat(1024) });
  await using proxy = await startProxy([], { mode: [`reverse:https://${nginx.authority}`] });
  const { stdout } = await new Deno.Command("h2load", {
    args: ["-c", "4", "-m", "16", "-n", "2000", `${proxy.url}/small`],
  }).output();
  assertMatch(text(stdout), /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assertMatch(text(stdout), /status codes: 2000 2xx/);
  const connections = new Set((await nginx.requests()).map((line) => line.split(" ").at(-1)));
  assert(connections.size <= 2, `${connections.size} sessions with the origin`);
});

/** Runs in a process of its own: `node:http2` in Deno has been seen to abort. */
const NODE_CLIENT = `
import http2 from "node:http2";
const session = http2.connect(Deno.args[0]);
const one = (i) => new Promise((resolve, reject) => {
  const stream = session.request({ ":path": "/" + i, ":method": "POST" });
  let text = "";
  stream.setEncoding("utf8").on("data", (piece) => text += piece).on("error", reject);
  stream.on("close", () => resolve(text.length));
  stream.end("b".repeat(i * 1000));
});
console.log(JSON.stringify(await Promise.all(Array.from({ length: 50 }, (_, i) => one(i)))));
Deno.exit(0);
`;

Deno.test("Node's client: 50 uploads at a time, echoed", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy([], { mode: [`reverse:http://${server.authority}`] });
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=js", NODE_CLIENT.replace("Deno.args[0]", JSON.stringify(proxy.url))],
  }).output();
  assertEquals([text(stdout).trim(), text(stderr)], [
    JSON.stringify(Array.from({ length: 50 }, (_, i) => i * 1000)),
    "",
  ]);
});

Deno.test("the dumper says the version of each leg", async () => {
  await using nginx = await Nginx.start({ file: "hello" });
  await using old = await origin(withLength("hello"), { tls: true });
  await using weir = await startWeir({ args: ["-k", "--set", "http2_upstream=any"] });
  const get = (version: string, url: string) => curl(version, "-k", "-x", weir.url, url);
  const oldUrl = `https://${old.authority}/`;
  await get("--http2", nginx.url("file"));
  await get("--http1.1", nginx.url("file"));
  await get("--http2", oldUrl);
  await get("--http1.1", oldUrl);
  await weir.stop();
  const lines = weir.stdout.list.map((line) => line.replace(/^[\d.:]+: +| *(?=<<)| 5b \d+ms.*$/g, ""));
  assertEquals(lines, [
    `GET ${nginx.url("file")} HTTP/2.0`,
    "<< HTTP/2.0 200 OK",
    `GET ${nginx.url("file")} HTTP/1.1`,
    "<< HTTP/2.0 200 OK",
    `GET ${oldUrl} HTTP/2.0`,
    "<< HTTP/1.1 200 OK",
    `GET ${oldUrl}`,
    "<< 200 OK",
  ]);
});

const RESOURCES = 100;

Deno.test(`headless Chromium loads a page with ${RESOURCES} parallel resources from nginx, all over HTTP/2`, async () => {
  const files: Record<string, string> = {};
  for (let i = 0; i < RESOURCES; i++) {
    files[`r${i}.js`] = `window.sum = (window.sum ?? 0) + ${i};\n//${"x".repeat(i * 500)}`;
  }
  const scripts = Object.keys(files).map((name) => `<script async src="/${name}"></script>`).join("\n");
  files["page.html"] = `<!doctype html><title>page</title><link rel="icon" href="data:,">${scripts}
<script>addEventListener("load", () => {
  const entries = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"));
  fetch("/report?" + [window.sum, entries.length, ...new Set(entries.map((entry) => entry.nextHopProtocol))].join());
});</script>`;
  await using nginx = await Nginx.start(files);
  const reported = Promise.withResolvers<string>(), versions = new Set<string>(), errors = new Events();
  await using proxy = await startProxy([streamAll, {
    complete: (flow) => {
      if (!flow.request.host.includes("localhost")) return;
      if (flow.request.path.startsWith("/report")) reported.resolve(flow.request.path);
      versions.add(`${flow.request.httpVersion} ${flow.response!.httpVersion}`);
    },
    error: (flow) => errors.push(`${flow.request.url}: ${flow.error?.message}`),
  }]);
  const report = await browse(proxy, nginx.url("page.html"), reported.promise);
  assertEquals(report, `/report?${RESOURCES * (RESOURCES - 1) / 2},${RESOURCES},h2`);
  assertEquals([...versions], ["HTTP/2.0 HTTP/2.0"]);
  assertEquals(errors.list.filter((line) => line.includes("localhost")), []);
});
