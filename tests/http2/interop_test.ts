import { assert, assertEquals } from "@std/assert";
import type { IncomingExchange } from "../../src/http/wire.ts";
import { Http2Connection } from "../../src/http2/client.ts";
import { serveHttp2 } from "../../src/http2/server.ts";
import { dial, listen } from "../../src/net/mod.ts";
import { pieces, requestHead, responseHead, TestBody } from "./support.ts";

/** Serves cleartext HTTP/2 while `test` runs, and leaves nothing behind. */
async function withListener(
  handler: (incoming: IncomingExchange) => Promise<void>,
  test: (port: number) => Promise<void>,
): Promise<void> {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const served: Promise<void>[] = [], shutdown = new AbortController();
  const accepting = (async () => {
    for await (const conn of listener) served.push(serveHttp2(conn, handler, { signal: shutdown.signal }));
  })();
  try {
    await test(listener.addr.port);
  } finally {
    listener.close();
    await accepting;
    shutdown.abort();
    await Promise.all(served);
  }
}

/** Echoes; /big?N gives N bytes; /head says what it saw. */
async function handler(x: IncomingExchange): Promise<void> {
  if (x.head.path.startsWith("/big?")) {
    const body = new TestBody();
    let left = Number(x.head.path.slice(5));
    body.size = left;
    for (; left > 0; left -= 65_536) body.push(new Uint8Array(Math.min(left, 65_536)).fill(left));
    body.end();
    return await x.respond(responseHead(), body);
  }
  const seen = [x.head.method, x.head.headers.get("host"), x.head.headers.get("x-in") ?? ""].join(" ");
  const got = await pieces(x.body);
  const body = TestBody.of([seen, ...got], ["x-trailer", String(got.join("").length)]);
  await x.informational(responseHead(103, [["link", "</a>"]]));
  await x.respond(responseHead(200, [["x-out", "é"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]]), body);
}

async function output(command: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" })
    .output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  return text;
}

Deno.test("curl with prior knowledge: head, body, upload, 1xx, trailers, sizes", () =>
  withListener(handler, async (port) => {
    const url = `http://127.0.0.1:${port}`;
    // deno-fmt-ignore
    const text = await output("curl", ["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", "-d", "body", "-H", "X-In: 7", `${url}/`]);
    assert(text.startsWith("HTTP/2 103"), text);
    assert(text.includes("HTTP/2 200"), text);
    assert(text.includes(`POST 127.0.0.1:${port} 7body`), text);
    assert(text.includes("x-trailer: 4"), text);
    // One process for each: curl 7.88 cannot reuse a connection that it opened with prior knowledge (nor with nginx).
    for (const size of [1, 100_000, 9_000_000]) {
      // deno-fmt-ignore
      const said = await output("curl", ["-sS", "--max-time", "60", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version} %{size_download}", `${url}/big?${size}`]);
      assertEquals(said, `2 ${size}`);
    }
  }));

/** Runs in a process of its own: `node:http2` in Deno has been seen to abort. */
const NODE_CLIENT = `
import http2 from "node:http2";
const session = http2.connect("http://127.0.0.1:" + Deno.args[0]);
const one = (i) => new Promise((resolve, reject) => {
  const stream = session.request({ ":path": "/" + i, ":method": "POST", "x-in": "n".repeat(i * 50), cookie: ["a=1", "b=2"] });
  let text = "", head, trailers;
  stream.on("response", (fields) => head = fields);
  stream.on("trailers", (fields) => trailers = fields);
  stream.setEncoding("utf8").on("data", (piece) => text += piece).on("error", reject);
  stream.on("close", () => resolve([head[":status"], head["set-cookie"].length, text.length, trailers["x-trailer"]].join()));
  stream.end("b".repeat(i * 1000));
});
const results = await Promise.all(Array.from({ length: 60 }, (_, i) => one(i)));
console.log(JSON.stringify(results));
Deno.exit(0);
`;

Deno.test("Node's client: 60 requests at a time with bodies, fields and trailers", () =>
  withListener(handler, async (port) => {
    const file = await Deno.makeTempFile({ suffix: ".mjs" });
    try {
      await Deno.writeTextFile(file, NODE_CLIENT);
      const results = JSON.parse(await output(Deno.execPath(), ["run", "-A", file, String(port)]));
      const expected = Array.from({ length: 60 }, (_, i) => {
        const seen = `POST 127.0.0.1:${port} ${"n".repeat(i * 50)}`.length;
        return `200,2,${seen + i * 1000},${i * 1000}`;
      });
      assertEquals(results, expected);
    } finally {
      await Deno.remove(file);
    }
  }));

Deno.test("both of weir's ends over a socket: 40 requests at a time, echoed piece by piece", () =>
  withListener(handler, async (port) => {
    const connection = new Http2Connection(await dial("127.0.0.1", port, { side: "server" }));
    const word = (i: number) => String.fromCharCode(97 + i % 26).repeat(1 + i * 997);
    const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const body = TestBody.of([word(i), "end"]);
      const { head, body: response } = await connection.exchange().send(requestHead("POST"), body, () => {});
      const got = await pieces(response);
      assertEquals([head.statusCode, got[0], response!.trailers], [200, "POST a.test ", [
        "x-trailer",
        String(word(i).length + 3),
      ]]);
      return got.slice(1).join("") === `${word(i)}end`;
    }));
    assert(answers.every(Boolean));
    connection.close();
    await connection.done;
  }));
