/** Contract section 4: who stops reading stops the source, and weir's memory stays where it is. @module */
import { assert, assertEquals } from "@std/assert";
import { absolute, Client } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { bulk, origin, type Script } from "./support/origin.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import type { Wire } from "./support/wire.ts";
import { Gate, SOON, standsStill, within } from "./support/within.ts";

const MIB = 1024 * 1024;
/** More than may leave the source, see DRAINED. */
const BODY = 256 * MIB;
/** What weir may grow by while somebody stalls (contract section 4). */
const GROWTH = 32 * MIB;
/**
 * What may leave the source: weir's own share of GROWTH, and what the kernel takes on two loopback connections, each up
 * to the largest receive buffer of Linux (net.ipv4.tcp_rmem: 6 MiB, on large machines 32 MiB).
 */
const DRAINED = 96 * MIB;

const STREAM = `import type { HttpFlow } from "weir";
export function requestheaders(flow: HttpFlow) { flow.request.stream = HOOK; }
export function responseheaders(flow: HttpFlow) { flow.response!.stream = HOOK; }
`;
const HOOKS: [string, string][] = [
  ["stream = true", "true"],
  ["a per-chunk hook", "(chunk) => chunk"],
  ["an async function*", "async function* (chunks) { yield* chunks; }"],
];

/** One small exchange first, so that what weir allocates once is not counted. */
async function warm(weir: Weir, url: string): Promise<number> {
  await using client = await Client.connect(weir);
  await client.send(absolute(url));
  await client.response();
  return await weir.rss();
}

function script(serve: Script): Script {
  return (wire, request) => request.target === "/warm" ? bulk(4 * MIB)(wire, request) : serve(wire, request);
}

for (const [what, hook] of HOOKS) {
  Deno.test(`a client that stops reading stops the origin, and then gets every byte (${what})`, async () => {
    const source: Wire[] = [];
    await using server = await origin(script((wire, request) => {
      source.push(wire);
      return bulk(BODY)(wire, request);
    }));
    await using weir = await startWeir({ addon: STREAM.replaceAll("HOOK", hook) });
    const before = await warm(weir, server.url("/warm"));
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url()));
    const body = client.body(await client.head());
    const drained = await standsStill(() => source[0].bytesWritten);
    const growth = await weir.rss() - before;
    assert(drained < DRAINED, `${drained} bytes left the origin`);
    assert(growth < GROWTH, `weir grew by ${growth}`);
    let total = 0;
    for (let piece; (piece = await body.next()) !== null;) total += piece.length;
    assertEquals(total, BODY);
    await weir.stop();
  });
}

Deno.test("an origin that stops reading stops the uploading client, and then gets every byte", async () => {
  const gate = new Gate();
  await using server = await origin(script(async (wire, request) => {
    await gate.opened;
    let total = 0;
    const body = BodyReader.ofRequest(wire, request);
    for (let piece; (piece = await body.next()) !== null;) total += piece.length;
    await wire.send(`HTTP/1.1 200 OK\r\nX-Total: ${total}\r\nContent-Length: 0\r\n\r\n`);
  }));
  await using weir = await startWeir({ addon: STREAM.replaceAll("HOOK", "true") });
  const before = await warm(weir, server.url("/warm"));
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url(), { method: "POST", fields: `Content-Length: ${BODY}\r\n` }));
  const sending = (async () => {
    const block = new Uint8Array(64 * 1024);
    for (let left = BODY; left > 0; left -= block.length) await client.send(block);
  })();
  const drained = await standsStill(() => client.bytesWritten);
  const growth = await weir.rss() - before;
  assert(drained < DRAINED, `${drained} bytes left the client`);
  assert(growth < GROWTH, `weir grew by ${growth}`);
  gate.open();
  await within(240_000, sending, "the upload");
  assertEquals((await client.response("POST")).head.get("x-total"), String(BODY));
  await weir.stop();
});

Deno.test("while responseheaders awaits, the origin stalls and weir does not grow", async () => {
  const source: Wire[] = [];
  await using server = await origin(script((wire, request) => {
    source.push(wire);
    return bulk(BODY)(wire, request);
  }));
  await using weir = await startWeir({
    addon: `import type { Context, HttpFlow } from "weir";
let release = () => {};
export async function responseheaders(flow: HttpFlow, ctx: Context) {
  flow.response!.stream = true;
  if (flow.request.path === "/slow") {
    ctx.log.info("waiting");
    await new Promise<void>((resolve) => release = resolve);
  }
  if (flow.request.path === "/release") release();
}
`,
  });
  const before = await warm(weir, server.url("/warm"));
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url("/slow")));
  await weir.waitForLog(/waiting/);
  const drained = await standsStill(() => source[0].bytesWritten);
  const growth = await weir.rss() - before;
  assert(drained < DRAINED, `${drained} bytes left the origin`);
  assert(growth < GROWTH, `weir grew by ${growth}`);
  assertEquals(client.bytesRead, 0);
  {
    await using other = await Client.connect(weir);
    await other.send(absolute(server.url("/release")));
    await within(SOON, other.head(), "the other flow");
  }
  const body = client.body(await client.head());
  let total = 0;
  for (let piece; (piece = await body.next()) !== null;) total += piece.length;
  assertEquals(total, BODY);
  await weir.stop();
});
