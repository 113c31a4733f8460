/** `-C`: the requests of a file are sent again (flows.md, "Replay"). @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeFlow, type HttpFlow, makeHttpFlow, makeTcpFlow, type TcpFlow } from "weir";
import { BodyReader } from "./support/http.ts";
import { origin, withLength } from "./support/origin.ts";
import { runWeir, startWeir } from "./support/weir.ts";

/** A file of flows, which goes with the test. */
async function fileOf(flows: (HttpFlow | TcpFlow)[]): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ suffix: ".mitm" });
  using file = await Deno.open(path, { write: true });
  for (const flow of flows) await file.write(encodeFlow(flow).bytes());
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

for (const concurrency of [1, 32, -1]) {
  Deno.test(`1000 requests are sent once each, ${concurrency} at a time, and their answers are saved`, async () => {
    const seen: string[] = [];
    let running = 0, most = 0;
    await using server = await origin(async (wire, request) => {
      most = Math.max(most, ++running);
      seen.push(request.target);
      await withLength(`answer to ${request.target}`)(wire, request);
      running--;
    });
    const paths = Array.from({ length: concurrency < 0 ? 100 : 1000 }, (_, i) => `/${i}`);
    await using file = await fileOf(
      paths.map((path) => makeHttpFlow({ request: { url: server.url(path) } })),
    );
    const { code, stdout, stderr } = await runWeir({
      args: ["-nC", file.path, "--client-replay-concurrency", String(concurrency), "-w", `${file.path}.out`],
    });
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout.match(/\[replay\]/g)?.length, paths.length);
    if (concurrency === 1) assertEquals([seen, most], [paths, 1]);
    else assertEquals(new Set(seen), new Set(paths));
    assertEquals(seen.length, paths.length);
    assert(concurrency < 0 || most <= concurrency, `${most} at a time`);
    const { stdout: saved } = await runWeir({
      args: ["-nr", `${file.path}.out`, "~bs", "answer", "&", "~replayq"],
    });
    assertEquals(saved.match(/GET/g)?.length, paths.length);
    await Deno.remove(`${file.path}.out`);
  });
}

Deno.test("requests are sent with the pauses that they had, or in half of them; uploads, too", async () => {
  await using server = await origin(async (wire, request) => {
    const arrivals: number[] = [], start = performance.now();
    const body = BodyReader.ofRequest(wire, request);
    for (let piece = await body.next(); piece !== null; piece = await body.next()) {
      arrivals.push(Math.round(performance.now() - start));
    }
    times.push({ at: start, arrivals });
    await withLength("x")(wire, request);
  });
  const times: { at: number; arrivals: number[] }[] = [];
  const at = (ms: number) => ({ request: { url: server.url("/"), timestampStart: 1_000_000 + ms } });
  await using file = await fileOf([
    makeHttpFlow(at(0)),
    makeHttpFlow(at(300)),
    makeHttpFlow({
      request: {
        ...at(700).request,
        method: "POST",
        headers: { "transfer-encoding": "chunked" },
        body: "onetwo",
        timeline: [[0, 3], [200, 6]],
      },
    }),
  ]);
  for (const [timing, factor] of [["recorded", 1], ["2x", 2]] as const) {
    times.length = 0;
    const { code } = await runWeir({
      args: ["-qnC", file.path, "--client-replay-timing", timing, "--set", "stream_large_bodies=0"],
    });
    assertEquals(code, 0);
    const [first, second, third] = times;
    for (const [time, expected] of [[second.at - first.at, 300], [third.at - first.at, 700]]) {
      assert(Math.abs(time - expected / factor) < 60, `${timing}: ${time} for ${expected}`);
    }
    const pause = third.arrivals[1] - third.arrivals[0];
    assert(Math.abs(pause - 200 / factor) < 60, `${timing}: the upload paused for ${pause} ms`);
  }
});

Deno.test("what cannot be sent again is passed over with a warning; rounds are summed up", async () => {
  await using server = await origin(withLength("x"));
  const url = server.url("/a");
  await using file = await fileOf([
    makeTcpFlow(),
    makeHttpFlow({ request: { url }, response: { statusCode: 101 }, websocket: {} }),
    makeHttpFlow({ request: { url, method: "POST", body: null } }),
    makeHttpFlow({ request: { url } }),
  ]);
  const { code, stderr } = await runWeir({ args: ["-nC", file.path, "--client-replay-times", "3"] });
  assertEquals([code, server.requests.length], [0, 3]);
  assertStringIncludes(stderr, "a raw TCP conversation cannot be replayed; it is passed over");
  assertStringIncludes(stderr, `GET ${url} is a WebSocket connection`);
  assertStringIncludes(stderr, `POST ${url} cannot be replayed: its body was not kept`);
  assertMatch(stderr, /client_replay: 3 requests in [\d.]+ s: \d+\/s, p50 [\d.]+ ms, p99 [\d.]+ ms; 200: 3/);
});

Deno.test("weir goes on listening while it replays, and ends afterwards unless it is to keep serving", async () => {
  await using server = await origin(withLength("x"));
  await using file = await fileOf([makeHttpFlow({ request: { url: server.url("/a") } })]);
  await using weir = await startWeir({ args: ["-C", file.path] });
  assertEquals(await weir.exit(), 0);
  await using staying = await startWeir({ args: ["-C", file.path, "--keepserving"] });
  await staying.waitForOutput(/\/a/);
  await staying.stop();
  for (
    const [args, message] of [
      [["--client-replay-timing", "soon"], 'option client_replay_timing: "soon" is none of asap, recorded'],
      [["--client-replay-concurrency", "0"], "option client_replay_concurrency: it is at least 1"],
    ] as const
  ) {
    const { code, stderr } = await runWeir({ args: ["-nC", file.path, ...args] });
    assertEquals(code, 1);
    assertStringIncludes(stderr, message);
  }
});
