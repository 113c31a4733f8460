/**
 * weir always comes to its end: within the grace time and a few seconds, whatever addons, workers and clients do, and it says
 * what it waits for and what it cuts.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { origin } from "./support/origin.ts";
import { startWeir, Weir, type WeirOptions } from "./support/weir.ts";
import { within } from "./support/within.ts";

/** What a stop may take beyond the grace time, on a busy machine: 2 s for hooks of flows, 2 s for done, and some. */
const BEYOND_MS = 9_000;
const GRACE = ["--set", "shutdown_grace=1"];

/** The exit status after a signal, and the log. */
async function stopped(weir: Weir, signal: Deno.Signal): Promise<{ code: number; log: string }> {
  weir.signal(signal);
  const code = await within(1_000 + BEYOND_MS, weir.exit(), "weir to exit");
  return { code, log: weir.stderr.list.join("\n") };
}

const STUCK: [what: string, options: WeirOptions, log: RegExp][] = [
  [
    "a done hook that never ends",
    { addon: "export const done = () => new Promise(() => {});" },
    /addon\.ts: done has not ended within 2 s/,
  ],
  ["a flow's hook that never ends", { addon: "export const complete = () => new Promise(() => {});" }, /./],
  [
    "one of three workers in an endless loop",
    {
      args: ["--workers", "3"],
      addon: `export function running() {
        if (self.name === "weir 2") setTimeout(() => { console.error("looping"); for (;;); });
      }`,
    },
    /Worker 2 does not stop/,
  ],
  [
    "a worker whose done hook is an endless loop",
    {
      args: ["--workers", "2"],
      addon: `export const running = () => console.error("looping");
        export function done() { if (self.name === "weir 2") for (;;); }`,
    },
    /Worker 2 does not stop/,
  ],
];
Deno.test("an addon that says how long its done may take is waited for", async () => {
  const addon = `
    export const doneMs = 60_000;
    export async function done() {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      console.error("all is written");
    }`;
  await using weir = await startWeir({ addon, args: GRACE });
  const { code, log } = await stopped(weir, "SIGTERM");
  assertEquals(code, 0);
  assertMatch(log, /all is written/);
});

for (const [what, options, log] of STUCK) {
  Deno.test(`SIGTERM ends weir in spite of ${what}`, async () => {
    await using weir = await startWeir({ ...options, args: [...GRACE, ...options.args ?? []] });
    if (options.args) await weir.waitForLog(/looping/);
    else {
      await using client = await Client.connect(weir);
      await client.send(absolute("http://weir.internal/"));
      await client.response();
    }
    const ended = await stopped(weir, "SIGTERM");
    assertEquals(ended.code, 0);
    assertMatch(ended.log, log);
  });
}

Deno.test("a done hook has all the time it needs when nobody has asked weir to end", async () => {
  await using weir = await startWeir({
    addon: `export const running = (ctx) => setTimeout(() => ctx.proxy.shutdown());
      export const done = (ctx) => new Promise((resolve) => setTimeout(() => { ctx.log.warn("done"); resolve(); }, 3500));`,
  });
  assertEquals(await within(20_000, weir.exit(), "weir to exit"), 0);
  assertMatch(weir.stderr.list.at(-1)!, /warn: done/);
});

for (const hook of ["configure", "running"]) {
  Deno.test(`SIGTERM ends weir while the ${hook} hook of an addon does not end`, async () => {
    await using weir = await Weir.spawn({
      addon: `export function ${hook}() { console.error("stuck"); return new Promise(() => {}); }`,
    });
    await weir.waitForLog(/stuck/);
    assertEquals((await stopped(weir, "SIGTERM")).code, 0);
  });
}

Deno.test("a worker that closes itself ends weir, as one whose addon exits does", async () => {
  await using weir = await startWeir({
    args: [...GRACE, "--workers", "2"],
    addon: `export function running() { if (self.name === "weir 2") setTimeout(() => self.close(), 50); }`,
  });
  assertEquals(await within(1_000 + BEYOND_MS, weir.exit(), "weir to exit"), 0);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${signal} with open streams: what is waited for is said, what is cut is an error that says so`, async () => {
    await using server = await origin(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
      await wire.readToEnd();
    });
    await using weir = await startWeir({
      args: GRACE,
      addon:
        `export function error(flow, ctx) { ctx.log.warn("error: " + flow.error.message + " " + flow.error.cause.code); }
        export const done = (ctx) => ctx.log.warn("done");`,
    });
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url("/events")));
    await client.readUntil("data: 1\n\n");
    const { code, log } = await stopped(weir, signal);
    assertEquals(code, 0);
    assertMatch(log, /Waiting up to 1 s for 1 flow: GET http:\/\/\S+\/events \(Ctrl-C again/);
    assertMatch(log, /error: It was cut off, as weir is stopping\. shutdown/);
    assert(log.indexOf("error: It was cut off") < log.indexOf("warn: done"));
  });
}

for (
  const [first, second] of [["SIGTERM", "SIGTERM"], ["SIGINT", "SIGINT"], ["SIGTERM", "SIGINT"]] as const
) {
  Deno.test(`an addon in an endless loop: ${first}, and then ${second}, ends weir`, async () => {
    await using weir = await startWeir({
      addon: `export function running() { setTimeout(() => { console.error("looping"); for (;;); }); }`,
    });
    await weir.waitForLog(/looping/);
    weir.signal(first);
    // The system makes one of two that come at once.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { log } = await stopped(weir, second);
    assertMatch(log, /an addon is in an endless loop; the second signal ends weir/);
  });
}

Deno.test("the same signal twice at once, as timeout(1) sends it, is one: what is open is finished", async () => {
  await using weir = await startWeir({
    addon:
      `export const done = (ctx) => new Promise((resolve) => setTimeout(() => { ctx.log.warn("done"); resolve(); }, 1500));`,
  });
  weir.signal("SIGTERM");
  const { code, log } = await stopped(weir, "SIGTERM");
  assertEquals(code, 0);
  assertMatch(log, /warn: done/);
});

Deno.test("nothing is waited for, and nothing said, where clients only keep their connections open", async () => {
  await using weir = await startWeir();
  await using client = await Client.connect(weir);
  await client.send(absolute("http://weir.internal/"));
  await client.response();
  const { code, log } = await stopped(weir, "SIGINT");
  assertEquals(code, 0);
  assert(!/Waiting|Cutting/.test(log), log);
});

Deno.test({
  name: "nohup: a terminal that is closed does not end weir",
  ignore: Deno.build.os === "windows",
  async fn() {
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const dir = await Deno.makeTempDir();
    const child = new Deno.Command("nohup", {
      args: [Deno.execPath(), "run", "-A", main, "-p", "0", "--set", `confdir=${dir}`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    const reader = lines.getReader();
    let text = "";
    while (!/listening at \S+:\d+\n/.test(text)) text += (await reader.read()).value ?? "";
    child.kill("SIGHUP");
    // If it was going to end, it would take no new client after this.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { head } = await exchange({ port: Number(/:(\d+)\n/.exec(text)![1]) }, "http://weir.internal/");
    assertEquals(head.statusCode, 200);
    child.kill("SIGTERM");
    assertEquals((await within(10_000, child.status, "weir to exit")).code, 0);
    await reader.cancel();
    await Deno.remove(dir, { recursive: true });
  },
});
