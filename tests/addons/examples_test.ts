/** The hooks of the examples, without a proxy; through the real one they run in `tests/e2e/`. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import * as answerStream from "../../addons/examples/answer_stream.ts";
import * as replaceChunks from "../../addons/examples/replace_chunks.ts";
import * as replaceGenerator from "../../addons/examples/replace_generator.ts";
import * as replaceTransform from "../../addons/examples/replace_transform.ts";
import * as streamByType from "../../addons/examples/stream_by_type.ts";
import * as streamEverything from "../../addons/examples/stream_everything.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import { bodyOf, readableOf } from "../../src/streams/mod.ts";
import { throughHook } from "../streams/support.ts";
import { httpFlow, respond } from "../support/addon_host.ts";

/** What comes out of the response's hook when these pieces go in. */
async function through(
  addon: { responseheaders(flow: HttpFlow): void },
  pieces: Uint8Array[],
  headers: Record<string, string> = {},
): Promise<Uint8Array> {
  const flow = httpFlow();
  const response = respond(flow, { headers });
  addon.responseheaders(flow);
  const body = throughHook(bodyOf(ReadableStream.from(pieces)), response.stream);
  return new Uint8Array(await new Response(readableOf(body)).arrayBuffer());
}

/** Bytes as Latin-1 text, and the other way round. */
const toBytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const toText = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

const REPLACERS = { replaceGenerator, replaceChunks, replaceTransform };

for (const [name, addon] of Object.entries(REPLACERS)) {
  Deno.test(`${name} replaces every foo, wherever chunks are cut, and leaves other bytes as they are`, async () => {
    const letters = fc.constantFrom("f", "o", "fo", "foo", " ", "\0", "\x80", "\xe9", "\xff");
    const text = fc.array(letters, { maxLength: 12 }).map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 8 }), async (pieces) => {
        const result = await through(addon, pieces.filter((piece) => piece !== "").map(toBytes));
        assertEquals(toText(result), pieces.join("").replaceAll("foo", "bar"));
      }),
      { numRuns: 200 },
    );
  });
}

Deno.test("replace_transform looks into compressed bodies", async () => {
  const result = await through(replaceTransform, [gzipSync("a foo in gzip")], { "content-encoding": "gzip" });
  assertEquals(gunzipSync(result).toString(), "a bar in gzip");
});

for (const [name, addon] of Object.entries({ replaceGenerator, replaceChunks })) {
  Deno.test(`${name} leaves compressed bodies alone`, () => {
    const flow = httpFlow();
    respond(flow, { headers: { "content-encoding": "gzip" } });
    addon.responseheaders(flow);
    assertEquals(flow.response!.stream, false);
  });
}

Deno.test("stream_everything streams both ways", () => {
  const flow = httpFlow();
  respond(flow);
  streamEverything.requestheaders(flow);
  streamEverything.responseheaders(flow);
  assertEquals([flow.request.stream, flow.response!.stream], [true, true]);
});

const TYPES: [headers: Record<string, string>, streamed: boolean][] = [
  [{ "content-type": "video/mp4" }, true],
  [{ "content-type": "application/octet-stream" }, true],
  [{ "content-type": "text/html", "content-disposition": "attachment; filename=a" }, true],
  [{ "content-type": "text/html" }, false],
  [{}, false],
];

for (const [headers, streamed] of TYPES) {
  Deno.test(`stream_by_type: ${JSON.stringify(headers)} is ${streamed ? "streamed" : "buffered"}`, () => {
    const flow = httpFlow();
    respond(flow, { headers });
    streamByType.responseheaders(flow);
    assertEquals(flow.response!.stream, streamed);
  });
}

Deno.test("answer_stream answers its host with as many events as were asked for, and no other host", async () => {
  const flow = httpFlow({ host: "clock.example", path: "/?events=2" });
  answerStream.requestheaders(flow);
  assertEquals(flow.response!.headers.get("content-type"), "text/event-stream");
  const text = await new Response(flow.response!.takeWebBody()).text();
  assertEquals(text.match(/^id: \d$/gm), ["id: 1", "id: 2"]);
  const other = httpFlow();
  answerStream.requestheaders(other);
  assertEquals(other.response, null);
});
