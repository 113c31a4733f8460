/** Contract 4 through another proxy: bodies are exact, and who stops reading stops the source, in flat memory. @module */
import { assert, assertEquals } from "@std/assert";
import { Client } from "./support/client.ts";
import { type FarProxy, SocksProxy, squid, tinyproxy } from "./support/far_proxies.ts";
import { bulk, type Origin, origin } from "./support/origin.ts";
import { has } from "./support/tools.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { standsStill } from "./support/within.ts";

const MIB = 1024 * 1024;
/** What is read to its end; by hand 1 GiB. */
const READ = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 32) * MIB;
/** What nobody reads: far more than may leave its source, see DRAINED. */
const LYING = Math.max(READ, 320 * MIB);
/** What may leave it: GROWTH twice, and what the kernel takes on three loopback connections (see `memory_test.ts`). */
const DRAINED = 192 * MIB;
/** Contract section 4. */
const GROWTH = 32 * MIB;

/** What garbage may add that V8 has not collected yet while all goes at full speed; a body that is kept is larger. */
const GARBAGE = 64 * MIB;

const FLAGS = ["-k", "--set", "stream_large_bodies=0", "--flow-detail", "0"];

/** A proxy of each kind. weir is one in front, and one behind. */
const FAR: [string, () => Promise<FarProxy> | FarProxy][] = [
  ["weir", async () => {
    const weir = await startWeir({ args: FLAGS });
    return { url: weir.url, [Symbol.asyncDispose]: () => weir[Symbol.asyncDispose]() };
  }],
  ["a SOCKS5 proxy", () => new SocksProxy()],
  ["squid", squid],
  ["tinyproxy", tinyproxy],
];

for (const [name, start] of FAR) {
  if (/^(squid|tinyproxy)$/.test(name) && !has(name, "memory behind it")) continue;
  Deno.test(`bodies through ${name}, read and left lying: ${READ / MIB} MiB are exact, and weir's memory stays where it is`, async () => {
    await using far = await start();
    await using weir = await startWeir({
      args: [...FLAGS, "--mode", `upstream:${far.url}`],
    });
    for (const secure of [false, true]) {
      let sent = 0;
      await using server = await origin(async (wire, request) => {
        const before = wire.bytesWritten;
        const counting = setInterval(() => sent = wire.bytesWritten - before, 10);
        try {
          await bulk(request.target.endsWith("/lying") ? LYING : READ)(wire, request);
        } finally {
          clearInterval(counting);
        }
      }, secure ? { tls: true } : {});
      {
        // What weir allocates once is not counted.
        await using warm = await ask(weir, server, "/");
        assertEquals(await drained(warm), READ);
      }
      await using client = await ask(weir, server, "/");
      const growth = await weir.growthDuring(drained(client).then((bytes) => assertEquals(bytes, READ)));
      assert(growth < GARBAGE, `grew by ${growth / MIB} MiB, ${server.scheme}, read`);
      sent = 0;
      await using stalled = await ask(weir, server, "/lying");
      const more = await weir.growthDuring(standsStill(() => sent));
      assert(more < GROWTH, `grew by ${more / MIB} MiB, ${server.scheme}, left lying`);
      assert(sent < DRAINED, `${sent / MIB} MiB have left the origin`);
      assertEquals((await stalled.readSome())!.length > 0, true);
    }
  });
}

/** A request whose response's head has been read. */
async function ask(weir: Weir, server: Origin, path: string): Promise<Client> {
  const client = await Client.connect(weir);
  if (server.scheme === "https") {
    await client.tunnel(server.authority);
    await client.startTls("localhost", await Deno.readTextFile(weir.caFile));
  }
  const target = server.scheme === "https" ? path : server.url(path);
  await client.send(`GET ${target} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await client.head()).statusCode, 200);
  return client;
}

async function drained(client: Client): Promise<number> {
  let bytes = 0;
  while (bytes < READ) {
    const piece = await client.readSome();
    if (piece === null) break;
    bytes += piece.length;
  }
  return bytes;
}
