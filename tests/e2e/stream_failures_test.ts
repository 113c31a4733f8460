/** Contract section 2, `message.stream`: hooks that are refused, that throw, and that give what is no body. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { HttpFlow, StreamValue } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { recorder, startProxy } from "./support/proxy.ts";
import { textOf } from "./support/wire.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

Deno.test("a sync generator function is refused with a message that says what to write", async () => {
  const messages: string[] = [];
  await using server = await origin(withLength("fine"));
  await using proxy = await startProxy({
    responseheaders: (flow: HttpFlow) => {
      try {
        // What somebody without a type checker writes.
        flow.response!.stream = (function* (chunks: Iterable<Uint8Array>) {
          yield* chunks;
        }) as unknown as StreamValue;
      } catch (error) {
        messages.push((error as Error).message);
        throw error;
      }
    },
  });
  assertEquals((await exchange(proxy, server.url())).text, "fine");
  assertMatch(messages[0], /async function\*/);
  await proxy.logged(/error.*async function\*/);
});

const BROKEN: [string, () => StreamValue][] = [
  ["async function* that throws", () =>
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield goodOrThrow(chunk);
    }],
  ["per-chunk function that throws", () => goodOrThrow],
  ["async per-chunk function that rejects", () => async (chunk: Uint8Array) => (await 0, goodOrThrow(chunk))],
  [
    "TransformStream that throws",
    () => new TransformStream({ transform: (chunk, controller) => controller.enqueue(goodOrThrow(chunk)) }),
  ],
  ["async function* that yields no bytes", () =>
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) yield goodOr(chunk, { oops: 1 });
    }],
  ["per-chunk function that returns a number", () => (chunk: Uint8Array) => goodOr(chunk, 42)],
];

function goodOrThrow(chunk: Uint8Array): Uint8Array {
  if (textOf(chunk).includes("bad")) throw new Error("oops");
  return chunk;
}

/** What only somebody without a type checker gives. */
function goodOr(chunk: Uint8Array, other: unknown): Uint8Array {
  return textOf(chunk).includes("bad") ? other as Uint8Array : chunk;
}

for (const [what, make] of BROKEN) {
  for (const [version, fields] of [["HTTP/1.1", "Content-Length: 100\r\n"], ["HTTP/1.0", ""]] as const) {
    Deno.test(`${what}: both sides are cut, error runs, others go on (${version})`, async () => {
      const events = new Events();
      const gate = new Gate();
      const ended = Promise.withResolvers<string>();
      await using server = await origin(async (wire, request) => {
        if (request.target === "/other") return wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
        await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\ngood`);
        await gate.opened;
        await wire.send("bad");
        ended.resolve(await wire.untilEnd());
      });
      await using proxy = await startProxy(recorder(events, {
        responseheaders: (flow) => void (flow.response!.stream = make()),
      }));
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url(), { version }));
      const body = client.body(await client.head());
      assertEquals(await body.nextText(), "good");
      gate.open();
      let failure: Error | null = null;
      try {
        assertEquals(await body.next(), null);
      } catch (error) {
        failure = error as Error;
      }
      assertEquals(failure?.name, "Cut", "the body must not end cleanly");
      await within(SOON, ended.promise, "the origin's connection to end");
      await events.seen("error");
      await proxy.logged(/error/);
      assertEquals((await exchange(proxy, server.url("/other"))).text, "fine");
      assertEquals(events.count("complete"), 1);
    });
  }
}

Deno.test("a request hook that throws cuts the upload visibly and answers no 200", async () => {
  const ended = Promise.withResolvers<string>();
  const events = new Events();
  await using server = await origin(async (wire) => {
    const { text } = await wire.readToEnd();
    ended.resolve(text);
  });
  await using proxy = await startProxy(recorder(events, {
    requestheaders: (flow) => void (flow.request.stream = goodOrThrow),
  }));
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url(), { method: "POST", body: "bad body" }));
  const { text } = await client.readToEnd();
  assert(!text.startsWith("HTTP/1.1 200"), text);
  // The head may or may not have left; the last chunk must not.
  assert(!(await within(SOON, ended.promise, "the origin")).endsWith("0\r\n\r\n"));
  await events.seen("error");
});
