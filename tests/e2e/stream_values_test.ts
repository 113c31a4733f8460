/** Contract section 2, `message.stream`: every kind of value, on every kind of framing, both ways. @module */
import { assert, assertEquals } from "@std/assert";
import type { Addon, StreamValue } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { origin, type Script, sends, untilClose, withChunks, withLength } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { bytesOf, textOf } from "./support/wire.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

/** Sets `response.stream`. */
function responses(make: () => StreamValue): Addon {
  return { responseheaders: (flow) => void (flow.response!.stream = make()) };
}

/** Replaces `from` where a chunk holds it whole. */
function swap(chunk: Uint8Array, from: string, to: string): Uint8Array {
  return bytesOf(textOf(chunk).replaceAll(from, to));
}

class Swap extends TransformStream<Uint8Array, Uint8Array> {
  constructor(from: string, to: string) {
    super({ transform: (chunk, controller) => controller.enqueue(swap(chunk, from, to)) });
  }
}

const pair = (from: string, to: string) => {
  const { readable, writable } = new Swap(from, to);
  return { readable, writable };
};

type Make = (from: string, to: string) => StreamValue;
const KINDS: [string, Make][] = [
  ["async function*", (from, to) =>
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield swap(chunk, from, to);
    }],
  ["a per-chunk function", (from, to) => (chunk: Uint8Array) => swap(chunk, from, to)],
  [
    "an async per-chunk function",
    (from, to) => async (chunk: Uint8Array) => (await 0, swap(chunk, from, to)),
  ],
  [
    "a per-chunk function giving strings",
    (from, to) => (chunk: Uint8Array) => textOf(chunk).replaceAll(from, to),
  ],
  [
    "a per-chunk function giving null for the end",
    (from, to) => (chunk: Uint8Array) => chunk.length === 0 ? null : swap(chunk, from, to),
  ],
  [
    "a per-chunk function giving an array",
    (from, to) => (chunk: Uint8Array) => [...textOf(swap(chunk, from, to))].map(bytesOf),
  ],
  ["a per-chunk function giving an async iterable", (from, to) => (chunk: Uint8Array) =>
    (async function* () {
      yield new Uint8Array();
      yield await swap(chunk, from, to);
    })()],
  ["a TransformStream", (from, to) => new Swap(from, to)],
  ["{ readable, writable }", pair],
  ["an array, in order", (from, to) => [
    (chunk: Uint8Array) => swap(chunk, from, "~"),
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield swap(chunk, "~", "^");
    },
    new Swap("^", to),
  ]],
];

const ORIGINS: [string, (parts: string[]) => Script][] = [
  ["content-length", (parts) => withLength(parts.join(""))],
  ["chunked", (parts) => withChunks(parts)],
  ["until close", (parts) => untilClose(parts.join(""))],
];
const CLIENTS = ["HTTP/1.1", "HTTP/1.0"] as const;
const PARTS = ["a foo, ", "a foo", " and no more"];
const BODY = PARTS.join("");
const CHANGES: [string, string][] = [["grows", "barbar"], ["shrinks", "b"], ["vanishes", ""]];

for (const [kind, make] of KINDS) {
  for (const [framing, serve] of ORIGINS) {
    for (const version of CLIENTS) {
      Deno.test(`${kind} changes the length of a ${framing} response to ${version}`, async () => {
        await using server = await origin(serve(PARTS));
        for (const [, to] of CHANGES) {
          await using proxy = await startProxy(responses(() => make("foo", to)));
          const seen = await exchange(proxy, server.url(), { version });
          assertEquals([seen.text, seen.end], [BODY.replaceAll("foo", to), "complete"]);
          assertEquals(seen.head.get("content-length"), null);
          assertEquals(seen.head.get("transfer-encoding"), version === "HTTP/1.1" ? "chunked" : null);
        }
      });
    }
  }

  Deno.test(`${kind} changes a request's body, which then is chunked`, async () => {
    const bodies: string[] = [];
    await using server = await origin(async (wire, request) => {
      assertEquals([request.get("content-length"), request.get("transfer-encoding")], [null, "chunked"]);
      bodies.push(await BodyReader.ofRequest(wire, request).text());
      await wire.send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    await using proxy = await startProxy({
      requestheaders: (flow) => void (flow.request.stream = make("foo", "barbar")),
    });
    await exchange(proxy, server.url(), { method: "POST", body: BODY });
    const chunked = `Transfer-Encoding: chunked\r\n`;
    await using client = await Client.connect(proxy);
    await client.send(
      absolute(server.url(), { method: "POST", fields: chunked }) + "5\r\na foo\r\n0\r\n\r\n",
    );
    await client.response("POST");
    assertEquals(bodies, [BODY.replaceAll("foo", "barbar"), "a barbar"]);
  });
}

for (const [framing, serve] of ORIGINS) {
  for (const version of CLIENTS) {
    for (const [name, stream] of [["true", true], ["false", false]] as const) {
      Deno.test(`stream = ${name} keeps a ${framing} body as it is for ${version}`, async () => {
        const contents: (string | null)[] = [];
        await using server = await origin(serve(PARTS));
        await using proxy = await startProxy([
          responses(() => stream),
          { response: (flow) => void contents.push(flow.response!.text) },
        ]);
        const seen = await exchange(proxy, server.url(), { version });
        assertEquals([seen.text, seen.end], [BODY, "complete"]);
        assertEquals(contents, [stream ? null : BODY]);
        if (framing === "content-length") assertEquals(seen.head.get("content-length"), String(BODY.length));
      });
    }
  }
}

Deno.test("a connection serves the next request after a hook changed the length", async () => {
  await using server = await origin(withLength("a foo"));
  await using proxy = await startProxy(responses(() => (chunk: Uint8Array) => swap(chunk, "foo", "")));
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 3; i++) {
    await client.send(absolute(server.url()));
    assertEquals((await client.response()).text, "a ");
  }
});

Deno.test("empty output in the middle writes nothing and does not end the body", async () => {
  await using server = await origin(withChunks(["1", "2", "3", "4"]));
  await using proxy = await startProxy(
    responses(() => (chunk: Uint8Array) => textOf(chunk) === "2" ? "" : textOf(chunk) === "3" ? null : chunk),
  );
  const seen = await exchange(proxy, server.url());
  assertEquals([seen.pieces, seen.end], [["1", "4"], "complete"]);
});

Deno.test("output at the end, from the empty chunk of a per-chunk function and after the loop of a generator", async () => {
  for (const [framing, serve] of ORIGINS) {
    await using server = await origin(serve(["ab", "c"]));
    for (
      const value of [
        (chunk: Uint8Array) => chunk.length > 0 ? chunk : "!",
        async function* (chunks: AsyncIterable<Uint8Array>) {
          yield* chunks;
          yield bytesOf("!");
        },
      ] satisfies StreamValue[]
    ) {
      await using proxy = await startProxy(responses(() => value));
      assertEquals((await exchange(proxy, server.url())).text, "abc!", framing);
    }
  }
});

Deno.test("a generator that stops early ends the body cleanly, and the source is let go", async () => {
  const ended = Promise.withResolvers<string>();
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst");
    ended.resolve(await wire.untilEnd());
  });
  await using proxy = await startProxy(responses(() =>
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        yield chunk;
        return;
      }
    }
  ));
  const seen = await exchange(proxy, server.url());
  assertEquals([seen.text, seen.end], ["first", "complete"]);
  await within(SOON, ended.promise, "the origin's connection to end");
});

/** A per-chunk function that notes the sizes it sees. */
function sizes(into: number[]): StreamValue {
  return (chunk: Uint8Array) => {
    into.push(chunk.length);
    return chunk;
  };
}

Deno.test("hooks see at most 4096 bytes of an unchunked body, then an empty chunk, once", async () => {
  for (const serve of [withLength("x".repeat(10_000)), untilClose("x".repeat(10_000))]) {
    const seen: number[] = [];
    await using server = await origin(serve);
    await using proxy = await startProxy(responses(() => sizes(seen)));
    assertEquals((await exchange(proxy, server.url())).text.length, 10_000);
    assertEquals(seen.reduce((a, b) => a + b), 10_000);
    assert(Math.max(...seen) <= 4096, `sizes ${seen}`);
    assertEquals([seen.at(-1), seen.filter((size) => size === 0).length], [0, 1]);
  }
});

const MIB = 1024 * 1024;

Deno.test("hooks see wire chunks whole up to 1 MiB, larger ones in pieces, and boundaries are kept", async () => {
  const lengths = [1, 10, 5000, 70_000, 2, MIB, MIB + 10, 3];
  const seen: number[] = [];
  await using server = await origin(withChunks(lengths.map((length) => "x".repeat(length))));
  await using proxy = await startProxy(responses(() => sizes(seen)));
  const response = await exchange(proxy, server.url());
  assertEquals(seen.slice(0, 6), lengths.slice(0, 6));
  const large = seen.slice(6, -2);
  assert(large.length >= 2 && Math.max(...large) <= MIB);
  assertEquals([large.reduce((a, b) => a + b), ...seen.slice(-2)], [MIB + 10, 3, 0]);
  assertEquals(response.pieces.slice(0, 6).map((piece) => piece.length), lengths.slice(0, 6));
});

Deno.test("without a hook the same chunk boundaries go out, both ways", async () => {
  const lengths = [1, 10, 5000, 1, 1, 300_000, 3, MIB + 10, 3];
  const parts = lengths.map((length) => "x".repeat(length));
  const got: number[] = [];
  await using server = await origin(async (wire, request) => {
    const pieces = await BodyReader.ofRequest(wire, request).pieces();
    got.push(...pieces.map((piece) => piece.length));
    await withChunks(parts)(wire, request);
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", fields: "Transfer-Encoding: chunked\r\n" }));
  await client.send(parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("") + "0\r\n\r\n");
  assertEquals((await client.response("POST")).pieces.map((piece) => piece.length), lengths);
  assertEquals(got, lengths);
});

Deno.test("what a hook was given is passed on as it arrives, never held back to fill up", async () => {
  for (const fields of ["Content-Length: 6\r\n", "Transfer-Encoding: chunked\r\n", ""]) {
    const wrap = (text: string) => fields.startsWith("T") ? `3\r\n${text}\r\n` : text;
    for (const [, make] of [KINDS[0], KINDS[1], KINDS[7]]) {
      const gate = new Gate();
      await using server = await origin(async (wire) => {
        await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${wrap("abc")}`);
        await gate.opened;
        await wire.send(wrap("def") + (fields.startsWith("T") ? "0\r\n\r\n" : ""));
        if (fields === "") wire.close();
      });
      await using proxy = await startProxy(responses(() => make("a", "A")));
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url()));
      const body = client.body(await client.head());
      assertEquals(await body.nextText(), "Abc");
      gate.open();
      assertEquals(await body.text(), "def");
    }
  }
});

const BODILESS: [string, string, string][] = [
  ["HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n"],
  ["204", "GET", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"],
  ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n"],
  ["content-length 0", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: b\r\n\r\n"],
];
for (const [what, method, response] of BODILESS) {
  Deno.test(`${what} has no body: no stream hook is called, and the fields stay`, async () => {
    const events = new Events();
    let calls = 0;
    const count: StreamValue = (chunk: Uint8Array) => (calls++, chunk);
    await using server = await origin(sends(response));
    await using proxy = await startProxy(recorder(events, {
      requestheaders: (flow) => void (flow.request.stream = count),
      responseheaders: (flow) => void (flow.response!.stream = count),
    }));
    await using client = await Client.connect(proxy);
    for (let i = 1; i <= 2; i++) {
      await client.send(absolute(server.url(), { method }));
      const seen = await client.response(method);
      assertEquals([seen.text, seen.head.get("x-a")], ["", "b"]);
      assertEquals(seen.head.get("transfer-encoding"), null);
      const length = /Content-Length: (\d+)/.exec(response)?.[1] ?? null;
      assertEquals(seen.head.get("content-length"), length);
      assertEquals(server.requests.at(-1)!.get("transfer-encoding"), null);
      await events.seen("complete", i);
    }
    assertEquals(calls, 0);
  });
}
