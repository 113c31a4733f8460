/** The option `workers`: several isolates on one port. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { runWeir, startWeir } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

/** Answers with a name of its own for each isolate that it is loaded in. */
const WHO = `import type { HttpFlow } from "weir";
const name = crypto.randomUUID();
export function request(flow: HttpFlow) {
  flow.response = new Response(name);
}
`;

async function whoAnswers(port: number): Promise<string> {
  await using client = await Client.connect({ port });
  await client.send(absolute("http://who.example/"));
  return (await client.response("GET")).text;
}

async function untilBothAnswered(port: number): Promise<Set<string>> {
  const names = new Set<string>();
  while (names.size < 2) names.add(await whoAnswers(port));
  return names;
}

Deno.test("workers=2: two isolates share the port, each with its own addons, and end together with 0", async () => {
  await using weir = await startWeir({ args: ["--set", "workers=2"], addon: WHO });
  assertEquals((await within(SOON, untilBothAnswered(weir.port), "both isolates to answer")).size, 2);
  assertEquals(weir.stderr.list.filter((line) => line.includes("listening at")).length, 1);
  await weir.stop();
});

Deno.test("a second weir with workers does not share the port of the first: one line, exit status 1", async () => {
  await using first = await startWeir({ args: ["--workers", "2"] });
  const { code, stderr, lines } = await runWeir({ args: ["--workers", "2", "-p", `${first.port}`] });
  assertEquals([code, lines.length], [1, 1], stderr);
  assertStringIncludes(stderr, `${first.port}`);
  await first.stop();
});

/** Ends weir, one way or the other, when a worker sees the request; the first isolate only answers. */
const SHUT = `import type { Context, HttpFlow } from "weir";
const isWorker = typeof WorkerGlobalScope !== "undefined";
export function request(flow: HttpFlow, ctx: Context) {
  flow.response = new Response("here");
  if (!isWorker) return;
  console.log("in a worker");
  if (flow.request.path === "/exit") Deno.exit(0);
  ctx.proxy.shutdown();
}
`;
for (const path of ["/shutdown", "/exit"]) {
  Deno.test(`an addon that ends weir in a worker ends all of it: ${path}`, async () => {
    await using weir = await startWeir({ args: ["--workers", "2"], addon: SHUT });
    const asked = weir.waitForOutput(/in a worker/).then(() => true);
    const ask = async () => {
      await using client = await Client.connect(weir);
      await client.send(absolute(`http://who.example${path}`));
      await client.response("GET");
      return false;
    };
    // The one that meets the worker may find its connection cut.
    while (!await Promise.race([asked, ask().catch(() => asked)]));
    assertEquals(await weir.exit(), 0);
  });
}

Deno.test("what workers kept of streamed bodies in temporary files is gone when weir has ended", async () => {
  await using server = await origin((wire) =>
    wire.send(
      `HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n${"x".repeat(3_000_000)}`,
    )
  );
  const place = await Deno.makeTempDir();
  try {
    await using weir = await startWeir({
      args: ["--workers", "2", "--stream-large-bodies", "1k", "--set", "store_streamed_bodies"],
      addon: WHERE,
      env: { TMPDIR: place },
    });
    const asked = weir.waitForOutput(/kept by a worker/).then(() => true);
    const ask = async () => {
      await using client = await Client.connect(weir);
      await client.send(absolute(server.url()));
      return (await client.response()).text.length === 0;
    };
    while (!await Promise.race([asked, ask()]));
    await weir.stop();
    assertEquals([...Deno.readDirSync(place)].map(({ name }) => name), []);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
});

/** Says when a worker has had a flow. */
const WHERE = `import type { HttpFlow } from "weir";
const kept: HttpFlow[] = [];
export function complete(flow: HttpFlow) {
  kept.push(flow);
  if (typeof WorkerGlobalScope !== "undefined") console.log("kept by a worker");
}
`;

Deno.test("workers=2: each flow is once in the one file, long ones whole, and what was there stays", async () => {
  const long = "x".repeat(200 * 1024);
  await using server = await origin((wire, request) =>
    withLength(request.target.startsWith("/long") ? long : "short")(wire, request)
  );
  const args = ["--workers", "2", "--set", "stream_large_bodies=64k", "--set", "store_streamed_bodies=true"];
  const dir = await Deno.makeTempDir();
  try {
    const file = `${dir}/flows.mitm`, paths: string[] = [];
    for (const [round, name] of [file, `+${file}`].entries()) {
      await using weir = await startWeir({ args: [...args, "-w", name] });
      await Promise.all(Array.from({ length: 16 }, async (_, client) => {
        for (let i = 0; i < 10; i++) {
          const path = `/${i % 5 === 0 ? "long" : "short"}/${round}/${client}/${i}`;
          paths.push(path);
          // A connection for each, so that both isolates have some.
          const { text } = await exchange(weir, server.url(path));
          assertEquals(text.length, i % 5 === 0 ? long.length : 5);
        }
      }));
      await weir.stop();
    }
    const { code, stdout, stderr } = await runWeir({ args: ["-nr", file, "--set", "workers=2"] });
    assertEquals([code, stderr], [0, ""]);
    const saved = stdout.split("\n").flatMap((line) => /GET http:\/\/[^/]+(\S+)/.exec(line)?.[1] ?? []);
    assertEquals(saved.sort(), paths.sort());
    assertEquals(
      stdout.match(/200 OK 200\.?0?k/g)?.length,
      paths.filter((path) => path.startsWith("/long")).length,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("workers=2: what one isolate alone can do is refused in one line", async () => {
  await using given = await startWeir({ args: ["-w", "$DIR/flows.mitm"] });
  await given.stop();
  for (
    const [args, says] of [
      [["-w", "-"], /their flows would mix/],
      [["--set", "hardump=/nonexistent/x.har"], /a HAR has one writer/],
      [["-S", `${given.dir}/flows.mitm`], /server_replay_reuse/],
    ] as const
  ) {
    const { code, lines } = await runWeir({ args: ["--workers", "2", ...args] });
    assertEquals([code, lines.length], [1, 1]);
    assertMatch(lines[0], says);
  }
});
