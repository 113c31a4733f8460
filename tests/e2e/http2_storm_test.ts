/** Many streams at once that do anything at any time: every body is exact or visibly cut, and nothing is left behind. @module */
import { assert, assertEquals } from "@std/assert";
import type { HttpFlow } from "weir";
import { WeirError } from "../../src/errors.ts";
import type { IncomingExchange } from "../../src/http/wire.ts";
import type { Body } from "../../src/streams/body.ts";
import { recorder, startProxy } from "./support/proxy.ts";
import { read, response, VersionClient, VersionOrigin, VERSIONS } from "./support/versions.ts";
import { Events } from "./support/within.ts";

const STREAMS = 100;
/** By hand 50. */
const ROUNDS = Number(Deno.env.get("WEIR_TEST_ROUNDS") ?? 3);

/** Who ends the exchange early, if anybody. */
const FATES = [
  "whole",
  "whole",
  "whole",
  "client aborts",
  "origin breaks off",
  "origin never answers",
  "upload breaks off",
  "killed",
  "addon throws",
] as const;
type Fate = typeof FATES[number];

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function pause(most = 5): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, random(most)));
}

/** Timers that somebody set; a test waits for the last. */
const timers = new Set<Promise<void>>();

/** Does it at some moment from now. */
function sometime(most: number, act: () => void): void {
  const done = pause(most).then(act).finally(() => timers.delete(done));
  timers.add(done);
}

const BROKEN = new WeirError("weir", "closed", "It broke off on purpose.");

/** Pieces that come now and then; `breaks` ends it by an error. */
function slowly(text: string, breaks: boolean): Body {
  let at = 0, ready = random(2) === 0;
  return {
    size: null,
    chunked: true,
    chunkLeft: 0,
    trailers: null,
    take() {
      if (!ready) return undefined;
      if (breaks && at >= text.length / 2) throw BROKEN;
      if (at === text.length) return null;
      const piece = text.slice(at, at + 1 + random(20_000));
      at += piece.length;
      ready = random(3) > 0;
      return new TextEncoder().encode(piece);
    },
    async fill() {
      await pause(3);
      ready = true;
    },
    cancel() {},
  };
}

/** Sends every piece back as it comes. */
async function echo(incoming: IncomingExchange): Promise<void> {
  const fate = incoming.head.headers.get("x-fate") as Fate;
  if (fate === "origin never answers") {
    const gone = new Promise<void>((resolve) => incoming.onGone(() => resolve()));
    incoming.body?.cancel(BROKEN);
    await Promise.race([gone, pause(50)]);
    return incoming.abort(BROKEN);
  }
  const source = incoming.body;
  if (source === null) return await incoming.respond(response(200), null);
  let taken = 0;
  const broken = fate === "origin breaks off" ? random(100_000) : Infinity;
  const mirror: Body = {
    size: null,
    chunked: true,
    chunkLeft: 0,
    trailers: null,
    take() {
      const piece = source.take();
      if (piece) taken += piece.length;
      if (taken > broken || (piece === null && broken < Infinity)) throw BROKEN;
      return piece;
    },
    fill: () => source.fill(),
    cancel: (reason) => source.cancel(reason),
  };
  await incoming.respond(response(200), mirror).catch(() => {});
}

const addon = {
  async requestheaders(flow: HttpFlow) {
    await pause();
    flow.request.stream = random(2) === 0;
  },
  async responseheaders(flow: HttpFlow) {
    await pause();
    const fate = flow.request.headers.get("x-fate") as Fate;
    if (fate === "killed") sometime(20, () => flow.kill());
    flow.response!.stream = fate === "addon throws"
      ? (chunk: Uint8Array) => {
        if (chunk.length === 0 || random(3) === 0) throw new Error("on purpose");
        return chunk;
      }
      : random(3) === 0
      ? async (chunk: Uint8Array) => {
        await pause(2);
        return chunk;
      }
      : random(2) === 0;
  },
};

/** One request; throws unless its body is exact or cut. Gives what became of it. */
async function one(client: VersionClient): Promise<string> {
  const fate = FATES[random(FATES.length)];
  const upload = String.fromCharCode(97 + random(26)).repeat(random(2) * random(200_000));
  const exchange = client.exchange();
  const stop = () => exchange.abort(new WeirError("weir", "killed", "The client gives up."));
  if (fate === "client aborts") sometime(30, stop);
  const body = upload === "" ? null : slowly(upload, fate === "upload breaks off");
  try {
    const { head, body: echoed } = await client.send(
      "POST",
      "/",
      { fields: [["x-fate", fate]], body },
      exchange,
    );
    const { text, cut } = await read(echoed);
    if (cut) return `${fate}: cut`;
    if (head.statusCode !== 200) return `${fate}: ${head.statusCode}`;
    assertEquals(text.length, upload.length, fate);
    assert(text === upload, fate);
    // What broke off in the middle cannot have become whole.
    assert(upload === "" || !fate.endsWith("off"), fate);
    return `${fate}: exact`;
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return `${fate}: reset`;
  }
}

for (const version of VERSIONS) {
  Deno.test(`${STREAMS} streams at once, ${ROUNDS} rounds, ${version} origin: every body is exact or visibly cut`, async () => {
    const events = new Events();
    await using server = new VersionOrigin(version, echo);
    await using proxy = await startProxy([recorder(events), addon], { http2_upstream: "any" });
    const outcomes = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      await using client = await VersionClient.connect("HTTP/2.0", proxy, server);
      for (const outcome of await Promise.all(Array.from({ length: STREAMS }, () => one(client)))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    if (Deno.env.has("WEIR_TEST_ROUNDS")) console.log(outcomes);
    for (const bad of ["whole: cut", "whole: reset", "whole: 502"]) {
      assertEquals(outcomes.get(bad), undefined, bad);
    }
    assert((outcomes.get("whole: exact") ?? 0) > 0);
    const begun = () => events.count("requestheaders");
    await events.until(
      () => events.count("complete") + events.count("error") === begun(),
      "every flow to end",
    );
    await Promise.all(timers);
  });
}
