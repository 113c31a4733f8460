/** `weir diff`. @module */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { diff } from "../../../src/cli/diff/mod.ts";
import type { Flow } from "../../../src/flow/flow.ts";
import {
  type HttpFlowInit,
  makeHttpFlow,
  makeServerConnection,
  makeTcpFlow,
} from "../../../src/flow/make.ts";
import { encodeFlow, toHar } from "../../../src/formats/mod.ts";
import { StoredBody } from "../../../src/streams/mod.ts";

/** Runs it on two sessions. */
async function run(
  a: Flow[],
  b: Flow[] | string,
  ...flags: string[]
): Promise<{ code: number; lines: string[] }> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, flows] of [["a", a], ["b", b]] as const) {
      if (typeof flows === "string") {
        await Deno.writeTextFile(`${dir}/${name}`, flows);
        continue;
      }
      using file = await Deno.open(`${dir}/${name}`, { write: true, create: true });
      for (const flow of flows) for await (const chunk of encodeFlow(flow).chunks()) await file.write(chunk);
    }
    let text = "";
    const writeSync = (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    };
    const code = await diff([...flags, `${dir}/a`, `${dir}/b`], { writeSync });
    return { code, lines: text.split("\n").slice(0, -1) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const URL = "http://a.example/x";
const flow = (init: Partial<HttpFlowInit> = {}) =>
  makeHttpFlow({ request: { url: URL }, response: {}, ...init });

const CASES: [string, Partial<HttpFlowInit>, Partial<HttpFlowInit>, string[]][] = [
  ["nothing", {}, {}, []],
  ["the order and case of fields", {
    response: { headers: [["A", "1"], ["B", "2"]] },
  }, {
    response: { headers: [["b", "2"], ["a", "1"]] },
  }, []],
  ["the date", { response: { headers: { date: "x" } } }, { response: { headers: { date: "y" } } }, []],
  ["the status", { response: { statusCode: 200 } }, { response: { statusCode: 404 } }, ["status: 200 → 404"]],
  ["that there was a response", { response: null, error: "cut" }, { response: { body: null } }, [
    "error: cut → none",
    "response body: none → not kept",
    "response version: none → HTTP/1.1",
    "status: none → 200",
  ]],
  ["fields", {
    request: { url: URL, headers: [["X", "1"]] },
    response: { headers: [["Set-Cookie", "a"], ["Set-Cookie", "b"]] },
  }, {
    request: { url: URL, headers: [["x", "2"], ["Y", "\x1b"]] },
    response: { headers: [["set-cookie", "a"]] },
  }, [
    "request header x: 1 → 2",
    "request header y: none → \\x1b",
    "response header set-cookie: a | b → a",
  ]],
  ["short texts", { response: { body: "one" } }, { response: { body: "two" } }, [
    'response body: "one" → "two"',
  ]],
  ["long bodies and bytes", { response: { body: "x".repeat(100) } }, {
    response: { body: Uint8Array.of(255) },
  }, [
    "response body: 100 bytes (sha256 09ecb6ebc8bc) → 1 bytes (sha256 a8100ae6aa19)",
  ]],
  ["versions and trailers", {
    request: { url: URL, httpVersion: "HTTP/2.0", headers: { host: "a.example" } },
    response: { trailers: { t: "1" } },
  }, {
    request: { url: URL, headers: { Host: "a.example" } },
  }, ["request version: HTTP/2.0 → HTTP/1.1", "response trailer t: 1 → none"]],
  ["WebSocket messages", {
    websocket: { messages: [{ isText: true, fromClient: true, content: "a" }], closeCode: 1000 },
  }, {
    websocket: {
      messages: [{ isText: true, fromClient: true, content: "b" }, {
        isText: false,
        fromClient: false,
        content: "",
      }],
      closeCode: 1001,
      closeReason: "bye",
    },
  }, [
    "WebSocket close: 1000 → 1001 bye",
    'WebSocket message 1: client text "a" → client text "b"',
    "WebSocket message 2: none → server binary empty",
  ]],
];
for (const [what, a, b, lines] of CASES) {
  Deno.test(`sessions that differ in ${what}: ${lines.length} lines`, async () => {
    const { code, lines: printed } = await run([flow(a)], [flow(b)]);
    assertEquals([code, printed.toSorted()], [
      lines.length > 0 ? 1 : 0,
      lines.map((line) => `GET ${URL}: ${line}`),
    ]);
  });
}

Deno.test("requests that are missing, added or moved have a line each", async () => {
  const of = (...names: string[]) => names.map((name) => flow({ request: { url: `http://a/${name}` } }));
  assertEquals((await run(of("1", "2", "3", "4"), of("4", "1", "3", "5"))).lines, [
    "GET http://a/2: missing",
    "GET http://a/4: moved: 4 → 1",
    "GET http://a/5: added",
  ]);
});

Deno.test("raw conversations are compared by the bytes of each side, however they came", async () => {
  const conversation = (...texts: string[]) =>
    makeTcpFlow({
      serverConn: makeServerConnection({ address: { hostname: "db", port: 5432 } }),
      messages: texts.map((text) => ({
        fromClient: true,
        content: new TextEncoder().encode(text),
        timestamp: 1,
      })),
    });
  assertEquals((await run([conversation("ab", "c")], [conversation("a", "bc")])).lines, []);
  assertMatch(
    (await run([conversation("ab")], [conversation("abc")])).lines[0],
    /^TCP db:5432: client bytes: 2 bytes .* → 3/,
  );
});

Deno.test("a HAR and a flow file of the same flows are the same, as far as both have it", async () => {
  const gzip = new Response(new Blob(["plain"]).stream().pipeThrough(new CompressionStream("gzip")));
  const body = new Uint8Array(await gzip.arrayBuffer());
  const coded = flow({ response: { headers: { "content-encoding": "gzip", "x": "1" }, body } });
  assertEquals((await run([coded], String(toHar([coded])))).lines, [
    `GET ${URL}: response header content-encoding: gzip → none`,
  ]);
  assertEquals((await run([coded], String(toHar([coded])), "--ignore-header", "Content-Encoding")).code, 0);
});

Deno.test("--ignore-header takes names, as often as it is given", async () => {
  const [a, b] = ["1", "2"].map((value) => flow({ response: { headers: { a: value, b: value, c: value } } }));
  assertEquals((await run([a], [b], "--ignore-header", "A,b")).lines, [
    `GET ${URL}: response header c: 1 → 2`,
  ]);
  assertEquals(
    (await run([a], [b], "--ignore-header=a", "--ignore-header=b", "--ignore-header", "c")).code,
    0,
  );
});

Deno.test("long bodies are compared without their codings, and from the file that they are in", async () => {
  const large = new Uint8Array(6 * 1024 * 1024).map((_, i) => i % 251);
  const other = large.slice();
  other[5_000_000]++;
  const of = async (bytes: Uint8Array<ArrayBuffer>, coding?: "gzip") => {
    const body = new StoredBody();
    const stream = new Blob([bytes]).stream();
    const packed = coding ? stream.pipeThrough(new CompressionStream("gzip")) : stream;
    for await (const piece of packed) await body.append(piece);
    body.end(null);
    return flow({ response: { body, headers: coding ? { "content-encoding": coding } : {} } });
  };
  const [plain, changed, coded] = [await of(large), await of(other), await of(large, "gzip")];
  assertEquals((await run([plain], [plain])).code, 0);
  assertMatch(
    (await run([plain], [changed])).lines.join(),
    /: response body: 6291456 bytes .* → 6291456 bytes/,
  );
  assertEquals((await run([plain], [coded], "--ignore-header", "content-encoding")).lines, []);
  for (const { response } of [plain, changed, coded]) await response!.readStored()?.cancel();
});

Deno.test("wrong flags, missing and broken files are errors that name them", async () => {
  const stdout = { writeSync: (bytes: Uint8Array) => bytes.length };
  for (
    const [argv, message] of [
      [[], "needs two files"],
      [["a"], "needs two files"],
      [["a", "b", "c"], "needs two files"],
      [["--ignore-header"], "needs the name"],
      [["--what", "a", "b"], "unknown flag --what"],
      [["/nowhere/a", "/nowhere/b"], "/nowhere/a: "],
    ] as const
  ) await assertRejects(() => diff(argv, stdout), Error, message);
  await assertRejects(() => run([flow()], "no flows"), Error, "/b: at byte 0: this is neither");
});

Deno.test("--help says what it does", async () => {
  let text = "";
  const code = await diff(["--help"], {
    writeSync: (bytes) => (text += new TextDecoder().decode(bytes), bytes.length),
  });
  assertEquals(code, 0);
  assertMatch(text, /^usage: weir diff .* A B\n/);
});
