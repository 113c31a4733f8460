/** The option `fault`: each kind as a client sees it (curl's exit codes), on HTTP/1 and HTTP/2, buffered and streamed. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { echo, type Origin, origin, withChunks, withLength } from "./support/origin.ts";
import { startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { inAllWays, valuesOf } from "./support/ways.ts";
import { runWeir } from "./support/weir.ts";

const BODY = "0123456789".repeat(10);
/** curl's exit codes. */
const RECV_ERROR = 56, PARTIAL_FILE = 18, TIMEOUT = 28, HTTP2_STREAM = 92;

/** A GET by curl: its exit code, the status, the body as far as it came, and seconds. */
async function get(proxy: TestProxy, server: Origin, version: "1.1" | "2", ...args: string[]) {
  const { code, stdout } = await curl(
    ...[
      "-k",
      "-x",
      proxy.url,
      version === "2" ? "--http2" : "--http1.1",
      "-w",
      "\n%{http_code} %{time_total} %{http_version}",
    ],
    ...args,
    server.url("/x"),
  );
  const [, body, status, seconds, spoken] = /^(.*)\n(\d+) ([\d.]+) (\S+)$/s.exec(
    new TextDecoder("latin1").decode(stdout),
  )!;
  if (Number(status) > 0) assertEquals(spoken, version);
  return { code, body, status: Number(status), seconds: Number(seconds) };
}

for (const [mode, addon] of [["buffered", {}], ["streamed", streamAll]] as const) {
  for (const version of ["1.1", "2"] as const) {
    const where = `HTTP/${version}, ${mode}`;
    const start = async (fault: string | string[], script = withLength(BODY)) => {
      const server = await origin(script, { tls: true });
      const proxy = await startProxy(addon, { fault: [fault].flat(), http2_upstream: "any" });
      const all = { server, proxy, get: (...args: string[]) => get(proxy, server, version, ...args) };
      return {
        ...all,
        [Symbol.asyncDispose]: async () => (await proxy.stop(), await server[Symbol.asyncDispose]()),
      };
    };
    const broken = version === "2" ? HTTP2_STREAM : PARTIAL_FILE;

    Deno.test(`reset is a reset, and the origin is not asked (${where})`, async () => {
      await using all = await start("/~all/reset");
      const { code, status } = await all.get();
      assertEquals([code, status], [version === "2" ? HTTP2_STREAM : RECV_ERROR, 0]);
      assertEquals(all.server.requests.length, 0);
    });

    for (const [framing, script] of [["length", withLength(BODY)], ["chunks", withChunks([BODY])]] as const) {
      Deno.test(`cut: so many bytes come, and the client sees that some are missing (${where}, ${framing})`, async () => {
        for (const at of [0, 37]) {
          await using all = await start(`/~all/cut:${at}`, script);
          const { code, body, status } = await all.get();
          assertEquals([code, status, body], [broken, 200, BODY.slice(0, at)]);
        }
        await using all = await start("/~all/cut:100", script);
        assertEquals(await all.get().then(({ code, body }) => [code, body]), [0, BODY]);
      });
    }

    Deno.test(`corrupt: one byte is another, and the length is what it was (${where})`, async () => {
      await using all = await start("/~all/corrupt:3");
      const { code, body } = await all.get();
      assertEquals([code, body], [0, `0122${BODY.slice(4)}`]);
      const { stdout } = await curl(
        "-k",
        "-x",
        all.proxy.url,
        `--http${version}`,
        "-o",
        "/dev/null",
        "-D",
        "-",
        all.server.url(),
      );
      assertMatch(new TextDecoder().decode(stdout), /content-length: 100\r\n/i);
    });

    Deno.test(`status: the answer is that, and the origin is not asked (${where})`, async () => {
      await using all = await start("/~m GET/status:503");
      const { code, status, body } = await all.get();
      assertEquals([code, status], [0, 503]);
      assertMatch(body, /^503 Service Unavailable\n/);
      assertEquals(all.server.requests.length, 0);
      const posted = await all.get("-d", "x");
      assertEquals(posted.status, 200);
    });
  }

  Deno.test(`stall and delay: all of it comes, so much later (${mode})`, async () => {
    await using server = await origin(withChunks([BODY.slice(0, 50), BODY.slice(50)]));
    for (const fault of ["/~all/stall:37:300", "/~all/delay:300"]) {
      await using proxy = await startProxy(addon, { fault: [fault] });
      const before = performance.now();
      assertEquals((await exchange(proxy, server.url())).text, BODY);
      assert(performance.now() - before >= 299);
    }
  });

  Deno.test(`an upload that is answered with a status is read, and the connection goes on (${mode})`, async () => {
    await using server = await origin(echo);
    await using proxy = await startProxy(addon, { fault: ["/~u bad/status:500"] });
    await using client = await Client.connect(proxy);
    for (const [path, expected] of [["/bad", "500"], ["/good", "up"]]) {
      await client.send(absolute(server.url(path), { method: "POST", body: "up" }));
      assertEquals((await client.response("POST")).text.slice(0, expected.length), expected);
    }
  });

  Deno.test(`a filter about the response is asked when there is one (${mode})`, async () => {
    await using server = await origin(withLength(BODY));
    await using proxy = await startProxy(addon, {
      fault: ["/~c 404/reset", "/~c 200/status:500", "/~c 500/cut:1"],
    });
    const { head } = await exchange(proxy, server.url());
    assertEquals([head.statusCode, server.requests.length], [500, 1]);
  });
}

for (const version of ["1.1", "2"] as const) {
  Deno.test(`stall and delay are a time-out to a client without patience (HTTP/${version})`, async () => {
    await using server = await origin(withLength(BODY), { tls: true });
    for (const [fault, expected] of [["stall:37:60000", BODY.slice(0, 37)], ["delay:60000", ""]] as const) {
      await using proxy = await startProxy(streamAll, { fault: [`/~all/${fault}`], http2_upstream: "any" });
      const { code, body } = await get(proxy, server, version, "-m", "1.5");
      assertEquals([code, body], [TIMEOUT, expected]);
    }
  });
}

for (const [mode, addon] of [["buffered", {}], ["streamed", streamAll]] as const) {
  Deno.test(`a filter about a response's body is asked when that is there (${mode})`, async () => {
    await using server = await origin(withLength("a secret"));
    await using proxy = await startProxy(addon, { fault: ["/~bs secret/cut:3", "/~bs other/reset"] });
    const { text, end } = await exchange(proxy, server.url());
    assertEquals([text, end], ["a s", "fin"]);
  });

  Deno.test(`a filter about the request's body is asked when that is there (${mode})`, async () => {
    await using server = await origin(echo);
    await using proxy = await startProxy(addon, { fault: ["/~bq secret/status:418"] });
    for (const [body, status] of [["a secret", 418], ["nothing", 200]] as const) {
      assertEquals((await exchange(proxy, server.url(), { method: "POST", body })).head.statusCode, status);
    }
    assertEquals(server.requests.length, 1);
  });
}

inAllWays(
  "both legs of one version: what comes is cut, damaged or replaced, and an upload reaches the origin whole",
  {
    options: {
      fault: [
        "/~u cut/cut:10",
        "/~u corrupt/corrupt:10",
        "/~u status/status:418",
        "/~u reset & ~m PUT/reset",
      ],
    },
    reply: ({ body }) => ({ body, fields: [["X-Origin", "1"]] }),
  },
  async ({ send, received }) => {
    const put = (path: string) => send("POST", path, { body: BODY });
    const { text, isCut } = await put("/corrupt");
    assertEquals([text, isCut], [`${BODY.slice(0, 10)}1${BODY.slice(11)}`, false]);
    assertEquals(await put("/status").then(({ status, text }) => [status, text.slice(0, 4)]), [418, "418 "]);
    assertEquals((await put("/reset")).text, BODY);
    const cut = await put("/cut");
    assertEquals([cut.text, cut.isCut, valuesOf(cut.fields, "x-origin")], [BODY.slice(0, 10), true, ["1"]]);
    assertEquals(received.map(({ path, body }) => [path, body]), [["/corrupt", BODY], ["/reset", BODY], [
      "/cut",
      BODY,
    ]]);
  },
);

Deno.test("what a hook answered gets its faults, too, and hooks see the body whole", async () => {
  const seen: unknown[] = [];
  await using proxy = await startProxy({
    request: (flow) => void (flow.response = new Response(BODY)),
    response: ({ response }) => void seen.push(response!.text),
  }, { fault: ["/~all/cut:5"] });
  const { text, end } = await exchange(proxy, "http://a.test/");
  assertEquals([text, end, seen], ["01234", "fin", [BODY]]);
});

Deno.test("all rules that match are followed, in their order", async () => {
  await using server = await origin(withLength(BODY));
  await using proxy = await startProxy([], {
    fault: ["/~all/corrupt:0", "/~all/corrupt:1", "/~all/cut:3", "/!~all/reset"],
  });
  assertEquals((await exchange(proxy, server.url())).text, "102");
});

Deno.test("a chance is met about so often, and in the same way with the same seed", async () => {
  const run = async (seed: number | null) => {
    await using proxy = await startProxy([], {
      fault: ["/~all/status:500@0.3", "/~all/status:501@0.3"],
      fault_seed: seed,
    });
    await using server = await origin(withLength("ok"));
    await using client = await Client.connect(proxy);
    const seen: number[] = [];
    for (let i = 0; i < 200; i++) {
      await client.send(absolute(server.url()));
      seen.push((await client.response()).head.statusCode);
    }
    return seen;
  };
  const [first, again, other] = [await run(7), await run(7), await run(8)];
  assertEquals(first, again);
  assert(first.join() !== other.join());
  for (const [status, share] of [[501, 0.3], [500, 0.21], [200, 0.49]]) {
    const count = first.filter((one) => one === status).length / 200;
    assert(Math.abs(count - share) < 0.1, `${status}: ${count}`);
  }
  assertEquals((await run(null)).length, 200);
});

Deno.test("who is killed in a delay is not waited for", async () => {
  const killed: number[] = [];
  await using proxy = await startProxy({
    requestheaders: (flow) => void setTimeout(() => flow.kill(), 50),
    error: () => void killed.push(performance.now()),
  }, { fault: ["/~all/delay:600000"] });
  const before = performance.now();
  await using client = await Client.connect(proxy);
  await client.send(absolute("http://a.test/"));
  await client.response().catch(() => {});
  assert(performance.now() - before < 10_000);
  assertEquals(killed.length, 1);
});

Deno.test("a rule that cannot be read names option, rule, place and what was expected; weir does not start", async () => {
  const cases: [string, RegExp][] = [
    ["", /there is nothing at 1/],
    ["reset", /at \d+/],
    ["/~all", /a part is missing at 6/],
    ["/~all/", /"" is no kind of fault at 7/],
    ["/~all/rest", /"rest" is no kind of fault at 7/],
    ["/~zzz/reset", / at 2/],
    ["/~all/cut", /":" and a number of bytes are missing at 10/],
    ["/~all/cut:x", /"x" is no number of bytes at 11/],
    ["/~all/cut:-1", /"-1" is no number of bytes at 11/],
    ["/~all/stall:5", /":" and a number of milliseconds .* are missing at 14/],
    ["/~all/stall:5:", /"" is no number of milliseconds .* at 15/],
    ["/~all/status:99", /"99" is no status from 200 to 599 at 14/],
    ["/~all/status:200:1", /there is a part too many at 18/],
    ["/~all/reset@2", /"2" is no chance from 0 to 1 at 13/],
    ["/~all/reset@", /"" is no chance from 0 to 1 at 13/],
    ["/~all/reset/0.1", /there is a part too many .* at 13/],
  ];
  for (const [spec, message] of cases) {
    const error = await startProxy([], { fault: [spec] }).then(() => null, (error: Error) => error);
    assertMatch(error!.message, message, spec);
    assert(error!.message.startsWith(`option fault: ${JSON.stringify(spec)}: `), error!.message);
    assertMatch(error!.message, /; expected \/filter\/kind\[@chance\], with kind one of reset, /);
  }
  const { code, stderr } = await runWeir({ args: ["--fault", "/~all/rest"] });
  assertEquals(code, 1);
  assertMatch(stderr, /option fault: "\/~all\/rest": "rest" is no kind of fault at 7; expected/);
  assert(!stderr.includes("listening"));
});
