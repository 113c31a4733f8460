import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { gunzipSync, gzipSync } from "node:zlib";
import { Headers, type HeadersInit } from "../../src/http/headers.ts";
import { internals } from "../../src/internals.ts";
import { endContent } from "../../src/flow/message.ts";
import { Response } from "../../src/flow/response.ts";
import { MemoryBudget } from "../../src/memory_budget.ts";
import { StoredBody } from "../../src/streams/store.ts";
import { httpFlow } from "../support/addon_host.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A message with its body, and what it warns of. */
function message(
  mode: "pending" | "buffered" | "streamed",
  given: { headers?: HeadersInit; raw?: Uint8Array; addon?: string } = {},
): { message: Response; warnings: string[] } {
  const warnings: string[] = [];
  const headers = new Headers(given.headers);
  const message = new Response({ statusCode: 200, reason: "", httpVersion: "HTTP/1.1", headers });
  const state = message[internals];
  state.mode = mode;
  if (mode === "buffered") state.raw = given.raw ?? new Uint8Array();
  state.flow = {
    addon: given.addon ?? null,
    warn: (text) => void warnings.push(text),
    room: Infinity,
    hold: () => 0,
  };
  return { message, warnings };
}

function buffered(raw: string | Uint8Array, headers: HeadersInit = {}) {
  return message("buffered", { headers, raw: typeof raw === "string" ? utf8(raw) : raw });
}

Deno.test("content, text and size of a buffered body", () => {
  const { message } = buffered("grün");
  assertEquals([message.text, message.size], ["grün", 5]);
  assertStrictEquals(message.content, message.rawContent);
});

Deno.test("content is decoded, once for the same bytes; rawContent and size are as on the wire", () => {
  const raw = gzipSync("hello hello hello hello");
  const { message } = buffered(raw, { "Content-Encoding": "gzip" });
  assertEquals(message.text, "hello hello hello hello");
  assertStrictEquals(message.content, message.content);
  assertEquals([message.rawContent, message.size], [raw, raw.length]);
});

Deno.test("content that is assigned gets the coding again", () => {
  const { message } = buffered(gzipSync("old"), { "Content-Encoding": "gzip" });
  message.content = "new";
  assertEquals(new TextDecoder().decode(gunzipSync(message.rawContent!)), "new");
  assertEquals([message.text, message.headers.get("content-encoding")], ["new", "gzip"]);
  message.rawContent = gzipSync("raw");
  assertEquals(message.text, "raw");
});

Deno.test("a coding that cannot be undone: content is raw, with a warning; assigned, it goes plain and says so", () => {
  const { message, warnings } = buffered("no gzip", { "Content-Encoding": "gzip" });
  assertEquals(message.text, "no gzip");
  assertMatch(warnings[0], /^Content-Encoding gzip could not be decoded/);
  const unknown = buffered("x", { "Content-Encoding": "rot13" }).message;
  unknown.content = "plain";
  assertEquals([unknown.text, unknown.headers.has("content-encoding")], ["plain", false]);
});

Deno.test("an empty body is empty in any coding", () => {
  const { message, warnings } = buffered("", { "Content-Encoding": "gzip" });
  assertEquals([message.text, message.content?.length, warnings], ["", 0, []]);
});

Deno.test("null empties the body; a content-length that is there goes along", () => {
  const { message } = buffered("abc", { "Content-Length": "3" });
  message.content = null;
  assertEquals([message.size, message.headers.get("content-length")], [0, "0"]);
  message.text = "grün";
  assertEquals(message.headers.get("content-length"), "5");
  const without = buffered("abc").message;
  without.text = "abcd";
  assertEquals(without.headers.has("content-length"), false);
});

Deno.test("what is no bytes is refused, and changes nothing", () => {
  const { message } = buffered("abc", { "Content-Encoding": "gzip" });
  // deno-lint-ignore no-explicit-any -- what an addon in plain JavaScript may try
  const wrong: any[] = [5, {}, [1], undefined];
  for (const value of wrong) {
    assertThrows(() => message.content = value, TypeError, "content of a message");
    assertThrows(() => message.rawContent = value, TypeError, "content of a message");
  }
  assertEquals([message.rawContent, message.headers.get("content-encoding")], [utf8("abc"), "gzip"]);
});

const CHARSETS: [contentType: string | null, bytes: number[], string][] = [
  [null, [0xc3, 0xbc], "ü"],
  ["text/plain", [0xc3, 0xbc], "ü"],
  ["text/plain; charset=ISO-8859-1", [0xfc], "ü"],
  ['text/html; x=y; Charset = "windows-1252"; z', [0x80], "€"],
  ["text/plain; charset=shift_jis", [0x83, 0x65], "テ"],
  ["text/plain; charset=no-such", [0xc3, 0xbc], "ü"],
  ["text/plain", [0xff], "\udcff"],
];
for (const [type, bytes, text] of CHARSETS) {
  Deno.test(`text of ${type ?? "no type"} is ${text}`, () => {
    const { message } = buffered(Uint8Array.from(bytes), type === null ? {} : { "Content-Type": type });
    assertEquals(message.text, text);
  });
}

const IGNORED: ["pending" | "streamed", RegExp][] = [
  ["pending", /not been read yet.*request or response/],
  ["streamed", /streamed.*set message\.stream to a function/],
];
for (const [mode, warning] of IGNORED) {
  Deno.test(`content of a ${mode} body is null, and assigning it is ignored with a warning`, () => {
    const { message: given, warnings } = message(mode, {
      headers: {
        "Content-Type": "text/plain; charset=latin1",
        "Content-Length": "3",
        "Content-Encoding": "gzip",
      },
    });
    const before = [...given.headers.raw];
    given.text = "x";
    given.content = utf8("x");
    given.rawContent = utf8("x");
    assertEquals([given.content, given.text, given.rawContent, given.headers.raw], [
      null,
      null,
      null,
      before,
    ]);
    assertEquals(warnings.map((text) => warning.test(text)), [true, true, true]);
  });
}

Deno.test("size of a streamed body is what has come so far", () => {
  const { message: given } = message("streamed");
  given[internals].received = 42;
  assertEquals(given.size, 42);
});

Deno.test("content is the copy that was kept of a streamed body, once it is complete", () => {
  const { message: given } = message("streamed", { headers: { "Content-Encoding": "gzip" } });
  using stored = given[internals].stored = new StoredBody();
  void stored.append(gzipSync("kept"));
  assertEquals(given.content, null);
  stored.end(null);
  assertEquals(given.text, "kept");
});

Deno.test("stream is remembered with the addon that set it, as long as the body is pending", () => {
  const { message: given, warnings } = message("pending", { addon: "one.ts" });
  assertEquals(given.stream, false);
  const hook = (chunk: Uint8Array) => chunk;
  given.stream = hook;
  assertStrictEquals(given.stream, hook);
  assertEquals(given[internals].streamSetBy, "one.ts");
  given.stream = false;
  assertEquals([given[internals].stream, warnings], [false, []]);
});

Deno.test("stream that is set too late has no effect, and a warning says where it belongs", () => {
  for (const mode of ["buffered", "streamed"] as const) {
    const { message: given, warnings } = message(mode);
    given.stream = mode === "buffered";
    assertEquals([given.stream, given[internals].stream], [mode === "streamed", undefined]);
    assertMatch(warnings[0], /too late.*requestheaders or responseheaders/);
  }
});

Deno.test("stream refuses what it cannot be, a sync generator with what to write instead", () => {
  const { message: given } = message("pending");
  assertThrows(() => given.stream = function* () {}, TypeError, "async function*");
  // deno-lint-ignore no-explicit-any -- what an addon in plain JavaScript may try
  assertThrows(() => given.stream = 5 as any, TypeError, "message.stream");
  assertEquals(given[internals].stream, undefined);
});

Deno.test("headers can be assigned as anything that makes some", () => {
  const { message: given } = message("pending");
  const mine = new Headers([["A", "1"]]);
  given.headers = mine;
  assertStrictEquals(given.headers, mine);
  given.headers = new Headers({ B: "2" });
  assertEquals(given.headers.raw, ["B", "2"]);
});

/** A response of a flow whose memory is bounded. */
function inFlow(raw: Uint8Array, coding: string, limit: number) {
  const budget = new MemoryBudget(() => limit);
  const flow = httpFlow();
  const warnings: string[] = [];
  flow[internals].memory = budget;
  flow[internals].log = { warn: (text) => void warnings.push(text) };
  const headers = new Headers({ "Content-Encoding": coding });
  const response = new Response({ statusCode: 200, reason: "", httpVersion: "HTTP/1.1", headers });
  flow.response = response;
  response[internals].mode = "buffered";
  response[internals].raw = raw;
  return { flow, response, budget, warnings };
}

Deno.test("decoded content is counted while the flow runs, and given back when it ends or is replaced", () => {
  const { flow, response, budget } = inFlow(gzipSync(new Uint8Array(1000)), "gzip", 5000);
  assertEquals([response.content!.length, response.content!.length, budget.used], [1000, 1000, 1000]);
  response.rawContent = gzipSync(new Uint8Array(300));
  assertEquals([response.content!.length, budget.used], [300, 300]);
  endContent(response);
  flow[internals].release();
  assertEquals([budget.used, response.content!.length, budget.used], [0, 300, 0]);
});

Deno.test("what unfolds beyond memory_limit stays as it came, and is not unfolded again", () => {
  const raw = gzipSync(new Uint8Array(50_000_000));
  const { response, budget, warnings } = inFlow(raw, "gzip", 1_000_000);
  assertStrictEquals(response.content, response.rawContent);
  const start = performance.now();
  for (let i = 0; i < 10_000; i++) assertStrictEquals(response.content, response.rawContent);
  assert(performance.now() - start < 500, "it was unfolded again");
  assertEquals([budget.used, warnings.length], [0, 1]);
  assertMatch(warnings[0], /unfolds to more than 1000000 bytes/);
  // Another coding, or other bytes, are another matter.
  response.rawContent = gzipSync(new Uint8Array(10));
  assertEquals(response.content!.length, 10);
});

Deno.test("a stored copy that has no room in memory is no content, but can be read", async () => {
  const { response, budget, warnings } = inFlow(new Uint8Array(), "identity", 1000);
  const stored = new StoredBody();
  stored.append(new Uint8Array(2000));
  stored.end(null);
  Object.assign(response[internals], { raw: null, mode: "streamed", stored });
  assertEquals([response.content, budget.used, warnings.length], [null, 0, 1]);
  assertMatch(warnings[0], /memory_limit.*readStored/);
  assertEquals((await new globalThis.Response(response.readStored()).bytes()).length, 2000);
  stored.dispose();
});

Deno.test("contentStart gives the start of the content, and unfolds no more; what cannot be decoded is its own", () => {
  const coded = buffered(gzipSync("x".repeat(100_000)), { "Content-Encoding": "gzip" }).message;
  assertEquals(coded.contentStart(3), { bytes: utf8("xxx"), isWhole: false });
  assertEquals(coded.contentStart(100_000)!.isWhole, true);
  assertEquals(buffered("abc").message.contentStart(2), { bytes: utf8("ab"), isWhole: false });
  const wrong = buffered("abc", { "Content-Encoding": "gzip" });
  assertEquals([wrong.message.contentStart(9), wrong.warnings], [{ bytes: utf8("abc"), isWhole: true }, []]);
  assertEquals(message("streamed").message.contentStart(9), null);
});

Deno.test("contentStart reads the start of a stored copy", async () => {
  const { message: given } = message("streamed");
  const stored = new StoredBody();
  for (let i = 0; i < 30; i++) await stored.append(new Uint8Array(100_000).fill(i));
  given[internals].stored = stored;
  assertEquals(given.contentStart(5), null);
  stored.end(null);
  assertEquals(given.contentStart(5), { bytes: new Uint8Array(5), isWhole: false });
  assertEquals(given.contentStart(3_000_000)!.isWhole, true);
  assertEquals(given.contentStart(2_999_999)!.bytes.at(-1), 29);
  stored.dispose();
});
