/** Contract section 4 over HTTP/2, with the program: bodies exact, memory flat, who stops reading stops the source. @module */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { FrameType } from "../../src/http2/frames.ts";
import type { Body } from "../../src/streams/body.ts";
import { Http2Client, requestTo, type TrustedProxy } from "./support/http2.ts";
import { COMBINATIONS, response, VersionClient, VersionOrigin } from "./support/versions.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { Gate, standsStill } from "./support/within.ts";

const MIB = 1024 * 1024;
/** Enough to pass every window and buffer many times; by hand 1 GiB. */
const BODY = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 128) * MIB;
/** What weir may grow by while somebody stalls (contract section 4). */
const GROWTH = 32 * MIB;
/** What garbage may add that V8 has not collected yet while all goes at full speed; a body that is kept is larger. */
const GARBAGE = 64 * MIB;
/** What may leave the source over HTTP/2, whose windows are weir's; with HTTP/1 the kernel's buffers come on top. */
const DRAINED = 8 * MIB;

/** A body whose reader stalls: far more than may leave its source. */
const STALLED = 8 * DRAINED;

const OPTIONS = { args: ["-k", "--set", "stream_large_bodies=0", "--set", "http2_upstream=any"] };

function trusted(weir: Weir): TrustedProxy {
  return { port: weir.port, ca: () => Deno.readTextFile(weir.caFile) };
}

/** A body that is made as it is taken: different bytes all the way. */
class Noise implements Body {
  readonly chunked = false;
  readonly chunkLeft = 0;
  readonly trailers = null;
  taken = 0;
  readonly #hash = createHash("sha256");
  readonly #block = crypto.getRandomValues(new Uint8Array(64 * 1024));

  constructor(readonly size: number) {}

  get sha256(): string {
    return this.#hash.digest("hex");
  }

  take(): Uint8Array | null {
    if (this.taken === this.size) return null;
    new DataView(this.#block.buffer).setUint32(0, this.taken / this.#block.length);
    this.taken += this.#block.length;
    this.#hash.update(this.#block);
    return this.#block;
  }

  fill(): Promise<void> {
    return Promise.resolve();
  }

  cancel(): void {}
}

async function drink(body: Body | null): Promise<{ size: number; sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  for (let piece; body !== null && (piece = body.take()) !== null;) {
    if (piece === undefined) await body.fill();
    else {
      size += piece.length;
      hash.update(piece);
    }
  }
  return { size, sha256: hash.digest("hex") };
}

for (const [clientVersion, originVersion] of COMBINATIONS) {
  Deno.test(`${BODY / MIB} MiB down and up, exact, memory flat: ${clientVersion} client, ${originVersion} origin`, async () => {
    let source = new Noise(0);
    await using server = new VersionOrigin(originVersion, async (incoming) => {
      if (incoming.body === null) return await incoming.respond(response(200), source);
      const { size, sha256 } = await drink(incoming.body);
      await incoming.respond(response(200, [["x-seen", `${size} ${sha256}`]]), null);
    });
    await using weir = await startWeir(OPTIONS);
    await using client = await VersionClient.connect(clientVersion, trusted(weir), server);
    const transfer = async (size: number) => {
      source = new Noise(size);
      const { body } = await client.send("GET");
      const down = await drink(body);
      assertEquals(down, { size, sha256: source.sha256 });
      const upload = new Noise(size);
      const { head } = await client.send("POST", "/", { body: upload });
      assertEquals(head.headers.get("x-seen"), `${size} ${upload.sha256}`);
    };
    // What garbage of a busy process stays around until it is collected is there after the first round.
    await transfer(BODY);
    const grown = await weir.growthDuring(transfer(BODY));
    assert(grown < GARBAGE, `weir grew by ${grown / MIB} MiB`);
    await weir.stop();
  });
}

Deno.test("a client with a closed window drains less than 8 MiB, and its siblings go on", async () => {
  const sources: Noise[] = [];
  await using server = new VersionOrigin("HTTP/2.0", (incoming) => {
    const source = new Noise(incoming.head.path === "/small" ? 64 * 1024 : STALLED);
    sources.push(source);
    return incoming.respond(response(200), source);
  });
  await using weir = await startWeir(OPTIONS);
  await using client = await Http2Client.connect(trusted(weir), server);
  const { peer } = client;
  // The connection's window is wide open, the stream's is what it is in the beginning: 64 KiB.
  await peer.windowUpdate(0, 0x7fff0000 - 65_535);
  const small = async (id: number) => {
    await peer.request(id, requestTo(server, "GET", "/small"));
    await peer.windowUpdate(id, 1);
    while (!(await peer.line()).endsWith("+END"));
  };
  await small(1);
  const before = await weir.rss();
  await peer.request(3, requestTo(server));
  assertEquals(await peer.line(), `HEADERS 3 :status=200 content-length=${STALLED}`);
  let got = 0;
  while (got < 65_535) got += (await peer.readOn()).payload.length;
  const drained = await standsStill(() => sources[1].taken);
  assert(drained < DRAINED, `${drained} bytes left the origin`);
  const growth = await weir.rss() - before;
  assert(growth < GROWTH, `weir grew by ${growth}`);
  await small(5);
  // Then it reads on, to the end.
  const opening = peer.windowUpdate(3, STALLED);
  for (let end = false; !end;) {
    const { streamId, payload, flags, type } = await peer.readOn();
    assertEquals([streamId, type], [3, 0]);
    got += payload.length;
    end = flags !== 0;
  }
  await opening;
  assertEquals(got, STALLED);
  await weir.stop();
});

Deno.test("16 streams with closed windows drain less than 8 MiB together", async () => {
  const sources: Noise[] = [];
  await using server = new VersionOrigin("HTTP/2.0", (incoming) => {
    const source = new Noise(STALLED);
    sources.push(source);
    return incoming.respond(response(200), source);
  });
  await using weir = await startWeir(OPTIONS);
  await using client = await Http2Client.connect(trusted(weir), server);
  const { peer } = client;
  await peer.windowUpdate(0, 0x7fff0000 - 65_535);
  for (let i = 0; i < 16; i++) await peer.request(2 * i + 1, requestTo(server));
  for (let got = 0; got < 16 * 65_535;) {
    const { type, payload } = await peer.readOn();
    if (type === FrameType.DATA) got += payload.length;
  }
  const drained = await standsStill(() => sources.reduce((sum, { taken }) => sum + taken, 0));
  assert(drained < DRAINED, `${drained} bytes left the origin`);
  await weir.stop();
});

Deno.test("an origin that reads nothing stops an upload, its siblings go on, and then it gets every byte", async () => {
  const gate = new Gate();
  await using server = new VersionOrigin("HTTP/2.0", async (incoming) => {
    if (incoming.head.path !== "/quick") await gate.opened;
    const { size, sha256 } = await drink(incoming.body);
    await incoming.respond(response(200, [["x-seen", `${size} ${sha256}`]]), null);
  });
  await using weir = await startWeir(OPTIONS);
  await using client = await VersionClient.connect("HTTP/2.0", trusted(weir), server);
  await client.send("POST", "/quick", { body: new Noise(4 * MIB) });
  const before = await weir.rss();
  const upload = new Noise(STALLED);
  const answer = client.send("POST", "/slow", { body: upload });
  const drained = await standsStill(() => upload.taken);
  assert(drained < DRAINED, `${drained} bytes left the client`);
  const growth = await weir.rss() - before;
  assert(growth < GROWTH, `weir grew by ${growth}`);
  await client.send("POST", "/quick", { body: new Noise(4 * MIB) });
  gate.open();
  const { head } = await answer;
  assertEquals(head.headers.get("x-seen"), `${STALLED} ${upload.sha256}`);
  await weir.stop();
});
