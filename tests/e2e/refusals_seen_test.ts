/**
 * What weir refuses is seen by whoever runs it: in the flows that it prints, or in its log, with what to do.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { curl } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { bytesOf, textOf } from "./support/wire.ts";

/** Sends bytes, and resolves to all that comes back. */
async function sent(weir: Weir, bytes: Uint8Array | string): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: weir.port });
  await conn.write(typeof bytes === "string" ? bytesOf(bytes) : bytes);
  const got: number[] = [];
  const buffer = new Uint8Array(4096);
  try {
    for (let count; (count = await conn.read(buffer)) !== null;) got.push(...buffer.subarray(0, count));
  } catch {
    // Reset: bytes of ours were unread.
  }
  return Uint8Array.from(got);
}

Deno.test("a CONNECT that an addon refuses is printed, and its hooks run", async () => {
  const addon = `import type { Context, HttpFlow } from "weir";
export function http_connect(flow: HttpFlow) {
  if (flow.request.host === "tracker.test") flow.response = new Response("no", { status: 403, statusText: "Not here" });
}
export function http_connected(flow: HttpFlow, ctx: Context) { ctx.log.info("open " + flow.request.host); }
export function http_connect_error(flow: HttpFlow, ctx: Context) {
  ctx.log.info("refused " + flow.request.host);
  flow.response!.headers.set("x-why", "policy");
  ctx.log.info("with " + flow.response!.text);
}
`;
  await using server = await origin(withLength("body"), { tls: true });
  await using weir = await startWeir({ addon, args: ["-k"] });
  const refused = await curl("-si", "-x", weir.url, "https://tracker.test/", "--show-error");
  const text = textOf(refused.stdout);
  assertStringIncludes(text, "HTTP/1.1 403 Not here");
  assertMatch(text, /^x-why: policy\r$/m);
  await weir.waitForOutput(/^127\.0\.0\.1:\d+: CONNECT tracker\.test:443$/);
  await weir.waitForOutput(/^ +<< 403 Not here 2b \d+ms$/);
  await weir.waitForLog(/refused tracker\.test/);
  await weir.waitForLog(/with no$/);
  const { stdout } = await curl("-s", "-x", weir.url, "--cacert", weir.caFile, server.url("/"));
  assertEquals(textOf(stdout), "body");
  await weir.waitForLog(/open localhost/);
  assertEquals(weir.stderr.list.filter((line) => line.includes("refused localhost")), []);
});

Deno.test("clients that speak something else to an HTTP listener are told of in the log, and refused in their own protocol", async () => {
  // SOCKS5 is a way to speak to a proxy, but not to an origin.
  await using weir = await startWeir({ args: ["--mode", "reverse:http://127.0.0.1:9"] });
  const rows: [Uint8Array | string, number[], RegExp][] = [
    [
      Uint8Array.of(5, 1, 0),
      [5, 0xff],
      /127\.0\.0\.1:\d+: the client speaks SOCKS5, and weir expects HTTP here: set it to/,
    ],
    [Uint8Array.of(4, 1, 0, 80, 127, 0, 0, 1, 0), [0, 91, 0, 0, 0, 0, 0, 0], /the client speaks SOCKS4/],
    [
      "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n",
      [],
      /speaks the PROXY protocol.*send-proxy/,
    ],
    ["SSH-2.0-OpenSSH_9.2\r\n", [], /speaks SSH.*CONNECT/],
  ];
  for (const [bytes, answer, line] of rows) {
    assertEquals([...await sent(weir, bytes)], answer);
    await weir.waitForLog(line);
  }
});

Deno.test("requests that are refused before there is a flow are in the log, in HTTP/1 and HTTP/2", async () => {
  await using weir = await startWeir();
  await sent(weir, "GET /page HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
  await weir.waitForLog(/GET example\.com\/page is refused with 400: weir is a proxy: send the whole URL/);
  await sent(weir, "GET http://example.com/ HTTP/1.1\r\nBad Name: x\r\n\r\n");
  await weir.waitForLog(/127\.0\.0\.1:\d+: .*\(refused with 400\)$/);
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const settings = String.fromCharCode(0, 0, 0, 4, 0, 0, 0, 0, 0);
  // HEADERS of stream 1 with END_HEADERS and END_STREAM, in which there is nothing but :method GET.
  const headers = String.fromCharCode(0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82);
  const ping = String.fromCharCode(0, 0, 1, 6, 0, 0, 0, 0, 0, 0);
  await sent(weir, preface + settings + headers + ping);
  await weir.waitForLog(/HTTP\/2 PROTOCOL_ERROR on a stream: .*\(refused with 400\)$/);
  await weir.waitForLog(/HTTP\/2 FRAME_SIZE_ERROR: .*\(refused with 400\)$/);
});

Deno.test("a client that takes weir itself for the server it speaks TLS to is told of, with what to do", async () => {
  await using weir = await startWeir();
  const { code } = await curl(
    "-s",
    "--connect-to",
    `www.example.com:443:127.0.0.1:${weir.port}`,
    "https://www.example.com/",
  );
  assertEquals(code, 60);
  await weir.waitForLog(
    /TLS with the client failed \(www\.example\.com\): .*it spoke TLS to weir itself: set it to an HTTP proxy/,
  );
  await curl(
    "-s",
    "--cacert",
    weir.caFile,
    "--connect-to",
    `www.example.com:443:127.0.0.1:${weir.port}`,
    "https://www.example.com/page",
  );
  await weir.waitForLog(/GET www\.example\.com\/page is refused with 400/);
});

Deno.test("a host that is left alone is a line at its start and one at its end, however much passes; nothing at flow_detail 0", async () => {
  const body = "x".repeat(3_000_000);
  await using server = await origin(withLength(body), { tls: true });
  for (const detail of ["1", "0"]) {
    await using weir = await startWeir({ args: ["--ignore-hosts", "localhost", "--flow-detail", detail] });
    const { stdout } = await curl("-sk", "-x", weir.url, server.url("/"));
    assertEquals(stdout.length, body.length);
    await weir.stop();
    const [start, end, ...more] = weir.stdout.list;
    assertEquals(more, []);
    if (detail === "0") {
      assertEquals(start, undefined);
      continue;
    }
    assertMatch(
      start,
      new RegExp(`^127\\.0\\.0\\.1:\\d+: TCP localhost:${server.port} \\(passed through\\)$`),
    );
    const line = start.replace(" (passed through)", " << ");
    assert(end.startsWith(line), end);
    assertMatch(end.slice(line.length), /^\d+(b|\.\dk) up, 2\.9m down \S+$/);
  }
});
