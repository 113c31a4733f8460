/** `-S`: requests are answered from a file (flows.md, "Replay"). @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeFlow, type HttpFlow, type HttpFlowInit, makeHttpFlow, StoredBody } from "weir";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { type Options, startProxy } from "./support/proxy.ts";
import { runWeir, startWeir } from "./support/weir.ts";

/** A file of flows, which goes with the test. */
async function fileOf(flows: (HttpFlow | HttpFlowInit)[]): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ suffix: ".mitm" });
  using file = await Deno.open(path, { write: true });
  for (const flow of flows) {
    const made = "id" in flow && "type" in flow ? flow as HttpFlow : makeHttpFlow(flow as HttpFlowInit);
    for await (const chunk of encodeFlow(made).chunks()) await file.write(chunk.slice());
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

const answer = (url: string, body: string): HttpFlowInit => ({
  request: { url },
  response: { headers: { "content-length": String(body.length), "X-Case": "Kept" }, body },
});

async function text(
  weir: { port: number },
  url: string,
  init: Parameters<typeof exchange>[2] = {},
): Promise<string> {
  const { head, text } = await exchange(weir, url, init);
  return `${head.statusCode} ${text}`;
}

Deno.test("answers come once each, in their order; then weir ends", async () => {
  await using file = await fileOf(["1", "2", "3"].map((body) => answer("http://gone.example/a", body)));
  await using weir = await startWeir({ args: ["-S", file.path] });
  for (const body of ["1", "2", "3"]) {
    const { head, text } = await exchange(weir, "http://gone.example/a");
    assertEquals([text, head.get("x-case")], [body, "Kept"]);
  }
  assertEquals(await weir.exit(), 0);
  assertEquals(weir.stdout.list.filter((line) => line.startsWith("[replay]")).length, 3);
});

Deno.test("what becomes of other requests holds also when all answers are used up", async () => {
  await using server = await origin(withLength("from the origin"));
  const url = server.url("/a");
  await using file = await fileOf([answer(url, "recorded")]);
  const expected: [extra: string, other: string][] = [
    ["forward", "200 from the origin"],
    ["204", "204 "],
    ["404", "404 "],
    ["500", "500 "],
  ];
  for (const [extra, other] of expected) {
    await using weir = await startWeir({
      args: ["-S", file.path, "--keepserving", "--server-replay-extra", extra],
    });
    assertEquals(await text(weir, server.url("/b")), other);
    assertEquals(await text(weir, url), "200 recorded");
    assertEquals(await text(weir, url), other);
    await weir.stop();
  }
  await using weir = await startWeir({
    args: ["-S", file.path, "--keepserving", "--server-replay-extra", "kill"],
  });
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url("/b")));
  assertEquals((await client.readToEnd()).text, "");
});

Deno.test("server_replay_reuse answers again and again, and does not end", async () => {
  await using file = await fileOf([answer("http://gone.example/", "same")]);
  await using weir = await startWeir({ args: ["-S", file.path, "--server-replay-reuse"] });
  for (let i = 0; i < 3; i++) assertEquals(await text(weir, "http://gone.example/"), "200 same");
  await weir.stop();
});

/** A recorded request, options, a request, and whether it is the same. */
const MATCHES: [name: string, recorded: HttpFlowInit["request"], options: Options, url: string, init: {
  method?: string;
  body?: string;
  fields?: string;
}, boolean][] = [
  ["query in order", { url: "http://h/?a=1&b=2" }, {}, "http://h/?a=1&b=2", {}, true],
  ["query in another order", { url: "http://h/?a=1&b=2" }, {}, "http://h/?b=2&a=1", {}, false],
  [
    "a parameter left out",
    { url: "http://h/?a=1&t=2" },
    { server_replay_ignore_params: ["t"] },
    "http://h/?a=1&t=3",
    {},
    true,
  ],
  ["method", { url: "http://h/" }, {}, "http://h/", { method: "DELETE" }, false],
  ["path parameters", { url: "http://h/a;v=1" }, {}, "http://h/a;v=2", {}, true],
  ["host", { url: "http://h/" }, {}, "http://i/", {}, false],
  ["host ignored", { url: "http://h/" }, { server_replay_ignore_host: true }, "http://i/", {}, true],
  ["port", { url: "http://h:81/" }, {}, "http://h/", {}, false],
  ["port ignored", { url: "http://h:81/" }, { server_replay_ignore_port: true }, "http://h/", {}, true],
  ["body", { url: "http://h/", method: "POST", body: "abc" }, {}, "http://h/", {
    method: "POST",
    body: "abc",
  }, true],
  ["another body", { url: "http://h/", method: "POST", body: "abc" }, {}, "http://h/", {
    method: "POST",
    body: "abd",
  }, false],
  [
    "another body, ignored",
    { url: "http://h/", method: "POST", body: "abc" },
    { server_replay_ignore_content: true },
    "http://h/",
    { method: "POST", body: "abd" },
    true,
  ],
  [
    "a field of a form left out",
    {
      url: "http://h/",
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "a=1&t=2",
    },
    { server_replay_ignore_payload_params: ["t"] },
    "http://h/",
    { method: "POST", body: "a=1&t=3", fields: "Content-Type: application/x-www-form-urlencoded\r\n" },
    true,
  ],
  [
    "another field of a form",
    {
      url: "http://h/",
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "a=1&t=2",
    },
    { server_replay_ignore_payload_params: ["t"] },
    "http://h/",
    { method: "POST", body: "a=2&t=2", fields: "Content-Type: application/x-www-form-urlencoded\r\n" },
    false,
  ],
  [
    "a header field",
    { url: "http://h/", headers: { "X-V": "1" } },
    { server_replay_use_headers: ["x-v"] },
    "http://h/",
    { fields: "X-V: 2\r\n" },
    false,
  ],
  [
    "the same header field",
    { url: "http://h/", headers: { "X-V": "1" } },
    { server_replay_use_headers: ["x-v"] },
    "http://h/",
    { fields: "X-V: 1\r\n" },
    true,
  ],
  [
    "a header field that is not asked for",
    { url: "http://h/", headers: { "X-V": "1" } },
    {},
    "http://h/",
    {},
    true,
  ],
  ["a body that was not kept", { url: "http://h/", method: "POST", body: null }, {}, "http://h/", {
    method: "POST",
    body: "",
  }, false],
];

for (const streamed of [false, true]) {
  Deno.test(`requests are matched as in mitmproxy (${streamed ? "streamed" : "buffered"})`, async () => {
    for (const [name, request, options, url, init, isSame] of MATCHES) {
      await using file = await fileOf([{ request, response: { body: "recorded" } }]);
      await using proxy = await startProxy([], {
        server_replay: [file.path],
        server_replay_extra: "404",
        keepserving: true,
        ...options,
        ...streamed ? { stream_large_bodies: 0 } : {},
      });
      assertEquals([name, await text(proxy, url, init)], [name, isSame ? "200 recorded" : "404 "]);
    }
  });
}

Deno.test("a streamed upload whose body is another's is forwarded whole, after the client was told to go on", async () => {
  const size = 3_000_000, got: number[] = [];
  await using server = await origin(async (wire, request) => {
    let left = Number(request.get("content-length"));
    for (got.push(left); left > 0;) left -= (await wire.readAtMost(left))!.length;
    await withLength("from the origin")(wire, request);
  });
  await using file = await fileOf([
    { request: { url: server.url("/"), method: "POST", body: "other" }, response: { body: "recorded" } },
  ]);
  await using weir = await startWeir({
    args: ["-S", file.path, "--keepserving", "--set", "stream_large_bodies=1"],
  });
  const path = `${weir.dir}/upload`;
  await Deno.writeFile(path, new Uint8Array(size).fill(97));
  const { stdout } = await curl(
    "-x",
    weir.url,
    "--data-binary",
    `@${path}`,
    "-H",
    "Expect: 100-continue",
    server.url("/"),
  );
  assertEquals([new TextDecoder().decode(stdout), got], ["from the origin", [size]]);
});

Deno.test("a recorded event stream comes with its pauses, in half of them, or at once; over HTTP/2, too", async () => {
  const events = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"];
  const timeline = [[0, 9], [300, 18], [450, 27]] as const;
  await using file = await fileOf([{
    request: { url: "http://gone.example/events" },
    response: { headers: { "content-type": "text/event-stream" }, body: events.join(""), timeline },
  }]);
  for (const [timing, factor] of [["recorded", 1], ["2x", 0.5], ["asap", 0]] as const) {
    await using weir = await startWeir({
      args: [
        "-m",
        "reverse:http://gone.example",
        "-S",
        file.path,
        "--server-replay-reuse",
        "--server-replay-timing",
        timing,
      ],
    });
    for (const version of ["--http1.1", "--http2-prior-knowledge"]) {
      const child = new Deno.Command("curl", {
        args: ["-sN", version, `${weir.url}/events`],
        stdout: "piped",
      }).spawn();
      const seen: [ms: number, text: string][] = [];
      let start = 0;
      for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
        start ||= performance.now();
        seen.push([performance.now() - start, text]);
      }
      await child.status;
      assertEquals(seen.map(([, text]) => text).join(""), events.join(""));
      if (factor === 0) {
        assert(seen.at(-1)![0] < 200, `${seen}`);
        continue;
      }
      assertEquals(seen.map(([, text]) => text), events);
      for (const [i, [ms]] of seen.entries()) {
        assert(Math.abs(ms - timeline[i][0] * factor) < 60, `${timing}: event ${i} after ${ms} ms`);
      }
    }
    await weir.stop();
  }
});

Deno.test("an answer that lies in a file is sent from there, with its length; one that was not kept is a 502", async () => {
  using stored = new StoredBody();
  const piece = new Uint8Array(1024 * 1024).fill(97);
  for (let i = 0; i < 5; i++) await stored.append(piece);
  stored.end(null);
  await using file = await fileOf([
    {
      request: { url: "http://h/long" },
      response: { headers: { "content-length": String(stored.size) }, body: stored },
    },
    { request: { url: "http://h/gone" }, response: { headers: { "content-length": "5" }, body: null } },
  ]);
  await using weir = await startWeir({ args: ["-S", file.path, "--keepserving"] });
  const { head, text: body } = await exchange(weir, "http://h/long");
  assertEquals([head.get("content-length"), body.length], [String(stored.size), stored.size]);
  assertEquals(
    await text(weir, "http://h/gone"),
    "502 The body of the recorded answer to GET http://h/gone was not kept.\n",
  );
});

Deno.test("dates of answers are moved into the present, unless that is turned off", async () => {
  const day = 86_400_000, recordedAt = Date.now() - 10 * day;
  const date = (time: number) => new Date(time).toUTCString();
  await using file = await fileOf([{
    request: { url: "http://h/" },
    response: {
      timestampStart: recordedAt,
      headers: [
        ["Date", date(recordedAt)],
        ["Expires", date(recordedAt + day)],
        ["Set-Cookie", `a=1; Expires=${date(recordedAt + 2 * day)}; Path=/`],
        ["Set-Cookie", "b=2"],
      ],
    },
  }]);
  for (const [args, moved] of [[[], 10 * day], [["--no-server-replay-refresh"], 0]] as const) {
    await using weir = await startWeir({ args: ["-S", file.path, "--keepserving", ...args] });
    const { head } = await exchange(weir, "http://h/");
    const near = (text: string | null | undefined, time: number) =>
      Math.abs(Date.parse(text ?? "") - time) < 10_000;
    assert(near(head.get("date"), recordedAt + moved), head.raw);
    assert(near(head.get("expires"), recordedAt + day + moved), head.raw);
    const [a, b] = head.all("set-cookie");
    assert(near(/Expires=([^;]*)/.exec(a)?.[1], recordedAt + 2 * day + moved), a);
    assertEquals([/Path=\/$/.test(a), b], [true, "b=2"]);
  }
});

Deno.test("old names, broken files and wrong values are told at the start", async () => {
  await using file = await fileOf([answer("http://h/", "x")]);
  const wrong: [string[], string][] = [
    [["--server-replay-kill-extra"], "option server_replay_kill_extra is gone: use server_replay_extra=kill"],
    [["--set", "server_replay_nopop=true"], "option server_replay_nopop is gone: use server_replay_reuse"],
    [["--server-replay-extra", "302"], "server_replay_extra"],
    [["-S", "/nowhere.mitm"], "/nowhere.mitm cannot be read"],
    [["-S", "/etc/hostname"], "/etc/hostname: at byte 0"],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await runWeir({ args: ["-S", file.path, ...args] });
    assertEquals(code, 1, args.join(" "));
    assertStringIncludes(stderr, message);
  }
});
