/** What exports print does what the flow did: it is run, by a POSIX shell or by Deno, against an origin that looks. @module */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { HttpFlow } from "../../../src/flow/flow.ts";
import { makeHttpFlow, makeTcpFlow, type RequestInit } from "../../../src/flow/make.ts";
import { toCurl, toFetch, toHttpie, toRaw } from "../../../src/formats/mod.ts";
import { escapeControl } from "../../../src/escape.ts";
import { BodyReader, type Head } from "../../e2e/support/http.ts";
import { type Origin, origin } from "../../e2e/support/origin.ts";

/** An origin that keeps what it is sent. */
class Looking implements AsyncDisposable {
  readonly seen: { request: Head; body: string }[] = [];
  #origin!: Origin;

  static async listen(): Promise<Looking> {
    const looking = new Looking();
    looking.#origin = await origin(async (wire, request) => {
      const body = await BodyReader.ofRequest(wire, request).text();
      looking.seen.push({ request, body });
      await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    return looking;
  }

  get port(): number {
    return this.#origin.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#origin[Symbol.asyncDispose]();
  }
}

/** Runs a command in sh, from a file, as commands may be longer than an argument can be; its output. */
async function sh(command: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".sh" });
  try {
    await Deno.writeTextFile(file, `${command}\n`);
    const run = new Deno.Command("sh", {
      args: [file],
      stdin: "null",
      env: { NO_PROXY: "*", no_proxy: "*" },
    });
    const { code, stdout, stderr } = await run.output();
    assertEquals(code, 0, `${command.slice(0, 2000)}\n${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(file);
  }
}

async function has(command: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" })
    .output();
  return success;
}

/** Names of fields that clients set for a connection of their own. */
const OF_CONNECTION = ["host", "connection", "content-length", "content-type", "accept-encoding"];

/** A request as the origin should see it; text is of one character for each byte. */
interface Wanted {
  method: string;
  path: string;
  fields: [string, string][];
  body: string;
}

function checkSeen({ request, body }: Looking["seen"][number], wanted: Wanted, what: string): void {
  const own = (fields: [string, string][]) =>
    fields.map(([name, value]) => [name.toLowerCase(), value.trim()])
      .filter(([name]) => !OF_CONNECTION.includes(name));
  assertEquals([request.method, request.target], [wanted.method, wanted.path], what);
  assertEquals(own(request.fields).sort(), own(wanted.fields).sort(), what);
  assertEquals(body, wanted.body, what);
}

function flowTo(
  port: number,
  { method, path, fields, body }: Wanted,
  init: Partial<RequestInit> = {},
): HttpFlow {
  const bytes = Uint8Array.from(body, (char) => char.charCodeAt(0));
  const length: [string, string][] = bytes.length > 0 ? [["Content-Length", String(bytes.length)]] : [];
  return makeHttpFlow({
    request: {
      method,
      scheme: "http",
      host: "127.0.0.1",
      port,
      path,
      headers: [["Host", `127.0.0.1:${port}`], ...fields, ...length],
      body: bytes,
      ...init,
    },
  });
}

const ALL = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
const REQUESTS: [string, Partial<Wanted>][] = [
  ["a plain GET", {}],
  ["fields of all kinds", {
    fields: [["User-Agent", "t/1"], ["Accept", "*/*"], ["X-Empty", ""], [
      "x-quote",
      `it's "$(id)" \`id\` \\ $HOME !!`,
    ]],
  }],
  ["fields with bytes beyond ASCII", {
    fields: [["x", "gr\xc3\xbc\xc3\x9fe"], ["y", "caf\xe9 \x80\xff\t|"]],
  }],
  ["fields that begin with what commands take for a file or JSON", {
    fields: [["x", "@/etc/passwd"], ["y", "=1"], ["z", "-d"]],
  }],
  ["a path with all that curl and shells have a meaning for", {
    path: "/a(b)[c]{d}|e~f!g&h;i'j$k?q=[1-3]{x,y}&r=%20%zz",
  }],
  ["a path with dots", { path: "/a/../b/./c/.." }],
  ["a form", {
    method: "POST",
    body: "a=1&b=%20",
    fields: [["Content-Type", "application/x-www-form-urlencoded"]],
  }],
  ["a body without a type", { method: "PUT", body: "it's\n@{}" }],
  ["a body that begins with @", { method: "POST", body: "@/etc/passwd" }],
  ["a body with every byte", { method: "POST", body: ALL }],
  ["a body with empty lines and a line break at its end", { method: "POST", body: "\na\n\nb\n" }],
  ["a body of percents and backslashes", { method: "POST", body: "%s %d \\n \\\\ \\0101 %%" }],
  ["a body that begins with - and needs printf's escapes", { method: "POST", body: "-n\0" }],
  ["a body longer than an argument may be", { method: "POST", body: "x'y ".repeat(60_000) }],
  ["an empty POST", { method: "POST", fields: [["Content-Length", "0"]] }],
  ["a DELETE", { method: "DELETE" }],
  ["a method of its own", { method: "X-M'ETHOD!$" }],
];

const hasHttpie = await has("http");

for (const [what, init] of REQUESTS) {
  const wanted: Wanted = { method: "GET", path: "/p?q=1", fields: [], body: "", ...init };
  Deno.test(`curl sends ${what}`, async () => {
    await using looking = await Looking.listen();
    const command = toCurl(flowTo(looking.port, wanted));
    await sh(command);
    checkSeen(looking.seen[0], wanted, command.slice(0, 2000));
    const type = wanted.fields.find(([name]) => name === "Content-Type")?.[1] ?? null;
    assertEquals(looking.seen[0].request.get("content-type"), type);
    assertEquals(command.split("\n").map(escapeControl).join("\n"), command, "it can be shown on a terminal");
  });
  // Clients on URL libraries write paths and methods their own way.
  const isPlain = !/[{[']|\.\./.test(wanted.path + wanted.method);
  if (isPlain && hasHttpie) {
    Deno.test(`HTTPie sends ${what}`, async () => {
      await using looking = await Looking.listen();
      // Its own limit: fields are UTF-8.
      const fields = wanted.fields.filter(([, value]) => !/[\x80-\xff\t]/.test(value));
      const command = toHttpie(flowTo(looking.port, { ...wanted, fields }));
      await sh(command);
      const { request, body } = looking.seen[0];
      assertEquals(
        [request.method, request.target, body],
        [wanted.method, wanted.path, wanted.body],
        command.slice(0, 2000),
      );
      for (const [name, value] of fields) {
        if (name !== "Content-Length") assertEquals(request.get(name), value, command);
      }
    });
  }
  if (!isPlain) continue;
  Deno.test(`fetch sends ${what}`, async () => {
    await using looking = await Looking.listen();
    const code = toFetch(flowTo(looking.port, wanted));
    assert(/^[\x20-\x7e\n]*$/.test(code));
    const run = new Function(`return (async () => { const r = ${code}; await r.body?.cancel(); })()`);
    await run();
    const { request, body } = looking.seen[0];
    assertEquals([request.method, request.target, body], [wanted.method, wanted.path, wanted.body]);
    for (const [name, value] of wanted.fields) {
      if (!OF_CONNECTION.includes(name.toLowerCase())) assertEquals(request.get(name), value);
    }
  });
}
if (!hasHttpie) console.log("HTTPie is not installed: its commands are not run.");

Deno.test("any field and any body go through the shell", async () => {
  await using looking = await Looking.listen();
  const byte = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) =>
    String.fromCharCode(code)
  );
  const char = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(..."'\"\\$`!%@#&;|<>(){}[]*?~ \t-=aé€") }, {
    weight: 1,
    arbitrary: byte,
  });
  const latin1 = (text: string) =>
    [...new TextEncoder().encode(text)].map((code) => String.fromCharCode(code)).join("");
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: char, minLength: 1 }).map(latin1).filter((text) => text.trim() !== ""),
      fc.oneof(
        fc.string({ unit: "binary" }).map(latin1),
        fc.uint8Array().map((bytes) => String.fromCharCode(...bytes)),
      ),
      fc.stringMatching(/^[!-~]{0,12}$/),
      async (value, body, query) => {
        looking.seen.length = 0;
        const path = `/?${query.replace(/[#"<>\\^`]/g, "")}`;
        const wanted: Wanted = { method: "POST", path, fields: [["X", value]], body };
        const command = toCurl(flowTo(looking.port, wanted));
        await sh(command);
        checkSeen(looking.seen[0], wanted, command);
      },
    ),
    { numRuns: Number(Deno.env.get("WEIR_TEST_RUNS") ?? 60) },
  );
});

Deno.test("a body that is coded is exported without its coding, one that is not what it says as it is", async () => {
  const gzip = new Response(new Blob(["plain text"]).stream().pipeThrough(new CompressionStream("gzip")));
  const coded = new Uint8Array(await gzip.arrayBuffer());
  await using looking = await Looking.listen();
  const send = (body: Uint8Array) =>
    sh(toCurl(makeHttpFlow({
      request: {
        method: "POST",
        url: `http://127.0.0.1:${looking.port}/`,
        headers: { "content-encoding": "gzip", "content-length": String(body.length) },
        body,
      },
    })));
  await send(coded);
  await send(new TextEncoder().encode("no gzip"));
  assertEquals(looking.seen.map(({ request, body }) => [request.get("content-encoding"), body]), [
    [null, "plain text"],
    ["gzip", "no gzip"],
  ]);
});

Deno.test("HEAD, codings, split cookies, another Host and unkept bodies", async () => {
  await using looking = await Looking.listen();
  const url = `http://127.0.0.1:${looking.port}/`;
  await sh(toCurl(makeHttpFlow({ request: { method: "HEAD", url, headers: { Host: "other.example" } } })));
  const cookies: [string, string][] = [["cookie", "a=1"], ["x", "y"], ["cookie", "b=2"]];
  const request = { method: "POST", url, body: null, httpVersion: "HTTP/2.0" as const, headers: cookies };
  await sh(toCurl(makeHttpFlow({ request })));
  const coded = toCurl(makeHttpFlow({ request: { url, headers: { "Accept-Encoding": "gzip, br" } } }));
  const identity = toCurl(makeHttpFlow({ request: { url, headers: { "Accept-Encoding": "identity" } } }));
  const [head, post] = looking.seen.map(({ request }) => request);
  assertEquals([head.method, head.get("host")], ["HEAD", "other.example"]);
  assertEquals([post.method, post.get("cookie"), looking.seen[1].body], ["POST", "a=1; b=2", ""]);
  assert(coded.includes("--compressed") && !coded.includes("Accept-Encoding"), coded);
  assertStringIncludes(identity, "-H 'Accept-Encoding: identity'");
});

Deno.test("a CONNECT is no command", () => {
  const flow = makeHttpFlow({ request: { method: "CONNECT", url: "http://a:443/" } });
  for (const to of [toCurl, toHttpie, toFetch]) assertThrows(() => to(flow), TypeError, "CONNECT");
});

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);

Deno.test("raw is the messages as HTTP/1 has them, codings on", () => {
  const flow = makeHttpFlow({
    request: {
      method: "PUT",
      url: "http://a/x?y",
      headers: [["Host", "a"], ["X", "\xe9"]],
      body: Uint8Array.of(0, 255),
    },
    response: { statusCode: 404, headers: [["content-encoding", "gzip"]], body: "not gzip" },
  });
  const request = "PUT /x?y HTTP/1.1\r\nHost: a\r\nX: é\r\n\r\n\0ÿ";
  const response = "HTTP/1.1 404 Not Found\r\ncontent-encoding: gzip\r\n\r\nnot gzip";
  assertEquals(text(toRaw(flow, "request")), request);
  assertEquals(text(toRaw(flow, "response")), response);
  assertEquals(text(toRaw(flow)), `${request}\r\n\r\n${response}`);
  flow.response = null;
  assertEquals([text(toRaw(flow)), text(toRaw(flow, "response"))], [request, ""]);
});

Deno.test("raw of a chunked message is chunked, with its trailers", () => {
  const flow = makeHttpFlow({
    request: { url: "http://a/" },
    response: { headers: { "transfer-encoding": "chunked" }, body: "hello world, hi", trailers: { t: "1" } },
  });
  assertStringIncludes(text(toRaw(flow, "response")), "\r\n\r\nf\r\nhello world, hi\r\n0\r\nt: 1\r\n\r\n");
});

Deno.test("raw of a WebSocket has its messages, that of a raw conversation both sides", () => {
  const flow = makeHttpFlow({
    request: { url: "http://a/" },
    response: { statusCode: 101 },
    websocket: {
      messages: [
        { isText: true, fromClient: true, content: "hi" },
        { isText: false, fromClient: false, content: Uint8Array.of(1) },
      ],
    },
  });
  assertStringIncludes(text(toRaw(flow)), "\r\n\r\n\n[OUTGOING] hi\n[INCOMING] \x01");
  const tcp = makeTcpFlow({
    messages: [true, false, true].map((fromClient, i) => ({
      fromClient,
      content: Uint8Array.of(65 + i),
      timestamp: i,
    })),
  });
  assertEquals([text(toRaw(tcp)), text(toRaw(tcp, "request")), text(toRaw(tcp, "response"))], [
    "ABC",
    "AC",
    "B",
  ]);
});
