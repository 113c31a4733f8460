/** Flow files of mitmproxy: real ones, broken ones, in pieces of any size. @module */
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../src/formats/error.ts";
import { encodeFlow, readFlowFile } from "../../../src/formats/mod.ts";
import type { HttpFlow } from "../../../src/flow/flow.ts";
import { makeHttpFlow } from "../../../src/flow/make.ts";
import { internals } from "../../../src/internals.ts";
import { StoredBody } from "../../../src/streams/mod.ts";
import { cut, data, expected, facts, nameOf, readAll } from "../support.ts";

for (const [name, { flows: count, names, error_at }] of expected()) {
  if (!name.endsWith(".mitm")) continue;
  Deno.test(`${name}: ${count} flows${error_at ? ", then an error that names the place" : ""}`, async () => {
    const skipped: string[] = [];
    const read = readFlowFile(cut(data(name)), { onSkipped: (type) => skipped.push(type) });
    const { flows, error } = await readAll(read);
    const wanted = (names ?? []).filter((name) => name !== "udp" && name !== "dns");
    assertEquals(flows.length + skipped.length, count);
    if (names) assertEquals(flows.map(nameOf), wanted);
    if (error_at) {
      assertInstanceOf(error, FormatError);
      assertMatch(error.message, /^at byte \d+: /);
      assert(error.offset >= error_at[0] && error.offset <= error_at[1], error.message);
    } else assertEquals(error, null);
  });
}

Deno.test("versions 14 to 21 of the same flows are the same flows", async () => {
  const newest = await readAll(readFlowFile(cut(data("v21.mitm"))));
  const known = newest.flows.map(facts);
  for (const version of [14, 15, 16, 17, 18, 19, 20]) {
    const { flows } = await readAll(readFlowFile(cut(data(`v${version}.mitm`))));
    const seen = flows.map(facts);
    for (const [i, flow] of seen.entries()) {
      // Versions 14 and 15 do not say when a flow was made.
      if (version < 16) flow.timestampStart = known[i].timestampStart;
      assertEquals(flow, known[i], `flow ${i} of version ${version}`);
    }
  }
});

Deno.test("every flow of every file is the same when it was written and read again", async () => {
  for (const name of ["all.mitm", "v21.mitm", "mixed_versions.mitm"]) {
    const { flows } = await readAll(readFlowFile(cut(data(name))));
    const written = new Blob(flows.map((flow) => encodeFlow(flow).bytes()));
    const again = await readAll(readFlowFile(written.stream()));
    assertEquals(again.error, null);
    const known = (list: typeof flows) =>
      list.map((flow) => {
        const { metadata: { "weir.error": _, ...metadata }, ...rest } = facts(flow) as {
          metadata: Record<string, unknown>;
        };
        return { ...rest, metadata };
      });
    assertEquals(known(again.flows), known(flows));
  }
});

Deno.test("what mitmproxy notes of a flow is there", async () => {
  const { flows } = await readAll(readFlowFile(cut(data("all.mitm"))));
  const named = (path: string) => flows.find((flow) => nameOf(flow) === path)!;
  const [text, star, comment] = ["/marked-default", "/marked-star", "/commented"].map(named);
  assertEquals([text.marked, star.marked], [":default:", ":star:"]);
  assertMatch(comment.comment, /\n/);
  assertEquals(Object.keys(named("/meta").metadata).length, 3);
  assertEquals(flows.map(({ isReplay }) => isReplay).filter(Boolean), [
    "request",
    "request",
    "response",
    "response",
  ]);
  const secure = named("/plain?tls=1");
  assertEquals(secure.serverConn?.tls?.version, "TLSv1.3");
  assert(secure.serverConn!.tls!.peerCertificates.length > 0);
  const refused = named("/refused");
  assert(refused.type === "http" && refused.response === null);
  assertMatch(refused.error!.message, /refused|failed/i);
  const reset = named("/rst");
  assert(reset.type === "http" && reset.request.headers.raw[0] === "host");
  const trailers = named("/trailers");
  assertEquals(trailers.type === "http" && trailers.response?.trailers?.get("grpc-status"), "0");
  const streamed = named("/down-stream");
  assert(
    streamed.type === "http" && streamed.response!.content === null &&
      streamed.response!.headers.has("content-length"),
  );
});

Deno.test("a file gives the same flows byte by byte and at random cuts", async () => {
  const bytes = data("v17.mitm");
  const known = (await readAll(readFlowFile(cut(bytes)))).flows.map(facts);
  assertEquals((await readAll(readFlowFile(cut(bytes, [1])))).flows.map(facts), known);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
      async (lengths) => {
        assertEquals((await readAll(readFlowFile(cut(bytes, lengths)))).flows.map(facts), known);
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("a file that is cut anywhere gives the flows before the cut, and says how much is dropped", async () => {
  const bytes = data("v17.mitm");
  const ends: number[] = [0];
  for (const flow of (await readAll(readFlowFile(cut(bytes)))).flows) {
    // Records of the same flow have the same length whoever wrote them only by chance: found by reading prefixes.
    void flow;
    const start = ends.at(-1)!;
    const prefix = /^\d+:/.exec(new TextDecoder("latin1").decode(bytes.subarray(start, start + 13)))![0];
    ends.push(start + prefix.length + parseInt(prefix) + 1);
  }
  assertEquals(ends.at(-1), bytes.length);
  for (let at = 1; at < bytes.length; at += 397) {
    const { flows, error } = await readAll(readFlowFile(cut(bytes.subarray(0, at), [1000])));
    const whole = ends.filter((end) => end <= at);
    assertEquals(flows.length, whole.length - 1);
    if (whole.at(-1) === at) assertEquals(error, null);
    else {
      assertInstanceOf(error, FormatError);
      assertEquals(error.offset, whole.at(-1));
      assertMatch(error.message, new RegExp(` ${at - whole.at(-1)!} bytes are dropped`));
    }
  }
});

Deno.test("any damage is flows, or a FormatError within the file", async () => {
  const bytes = data("v21.mitm");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      async (damage) => {
        const broken = bytes.slice();
        for (const [at, byte] of damage) broken[at] = byte;
        const { error } = await readAll(readFlowFile(cut(broken, [4096])));
        if (error === null) return;
        assertInstanceOf(error, FormatError);
        assert(error.offset >= 0 && error.offset <= bytes.length, error.message);
      },
    ),
    { numRuns: 300 },
  );
});

/** A record that is `length` bytes long, or says so. */
const claims = (length: number, text: string) => new TextEncoder().encode(`${length}:${text}`);
/** A flow with 5 MiB of content, in which the tag of the whole or of the content is another. */
function wrongTag(tag: string): Uint8Array {
  const content = "x".repeat(5 * 1024 * 1024);
  const request = `7:content;${content.length}:${content}${tag === "," ? ";" : ","}`;
  const record = `7:request;${request.length}:${request}}`;
  return claims(record.length, `${record}${tag === "}" ? "]" : "}"}`);
}

const HOSTILE: [string, Uint8Array, RegExp][] = [
  ["a length that nobody has", claims(999_999_999_999, "7:version;2:17#"), /ends in the middle of a flow/],
  [
    "a long comment",
    claims(99_999_999, `7:comment;77777777:${"x".repeat(100)}`),
    /comment has 77777777 bytes/,
  ],
  ["a long key", claims(99_999_999, "77777777:xxxx"), /a key is no text/],
  ["a body that is longer than its record", claims(9_999_999, "7:request;9999999:"), /runs over the end/],
  ["a long record with the wrong tag", wrongTag("}"), /the tag "}" was expected, there is "]"/],
  ["a long body with the wrong tag", wrongTag(","), /the tag "," was expected, there is ";"/],
  ["a list in place of a flow", claims(0, "]"), /a record is a list, not a dict/],
  ["an empty dict", claims(0, "}"), /version of a flow is missing/],
];
for (const [what, bytes, message] of HOSTILE) {
  Deno.test(`${what} is an error, and takes no memory`, async () => {
    const before = Deno.memoryUsage().external;
    const { flows, error } = await readAll(readFlowFile(cut(bytes)));
    assertEquals(flows, []);
    assertInstanceOf(error, FormatError);
    assertMatch(error.message, message);
    assert(Deno.memoryUsage().external - before < 32 * 1024 * 1024);
  });
}

Deno.test("lists that are 10 000 deep in the metadata are an error", async () => {
  let deep = "0:]";
  for (let i = 0; i < 10_000; i++) deep = `${deep.length}:${deep}]`;
  const record = `8:metadata;${`4:deep;${deep}`.length}:4:deep;${deep}}`;
  const { error } = await readAll(readFlowFile(cut(claims(record.length, `${record}}`))));
  assertInstanceOf(error, FormatError);
  assertMatch(error.message, /levels deep/);
});

Deno.test("a reader that stops early frees its source", async () => {
  let freed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* cut(data("all.mitm"), [100]);
    } finally {
      freed = true;
    }
  }
  for await (const _ of readFlowFile(source())) break;
  assert(freed);
});

Deno.test("long bodies may go once the next flow was asked for, unless they are to be kept", async () => {
  const body = new StoredBody();
  await body.append(new Uint8Array(5 * 1024 * 1024));
  body.end(null);
  const record = encodeFlow(makeHttpFlow({ request: { url: "http://a/" }, response: { body } }));
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < 2; i++) for await (const chunk of record.chunks()) pieces.push(chunk.slice());
  body.dispose();
  for (const keepsBodies of [false, true]) {
    const events: string[] = [];
    const flows = readFlowFile(new Blob(pieces as BlobPart[]).stream(), { keepsBodies });
    const bodies: StoredBody[] = [];
    for await (const flow of flows) {
      const { stored } = (flow as HttpFlow).response![internals];
      events.push("flow");
      stored!.retire = () => void events.push("retired");
      bodies.push(stored!);
    }
    assertEquals(events, keepsBodies ? ["flow", "flow"] : ["flow", "retired", "flow", "retired"]);
    for (const one of bodies) one.dispose();
  }
});
