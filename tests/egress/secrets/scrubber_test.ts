import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { gunzipSync, gzipSync } from "node:zlib";
import { Counts } from "../../../src/egress/secrets/counts.ts";
import { Scrubber } from "../../../src/egress/secrets/scrubber.ts";
import { Secret } from "../../../src/egress/secrets/secret.ts";
import { Headers } from "../../../src/http/mod.ts";

const runs = Number(Deno.env.get("WEIR_TEST_RUNS") ?? 200);
const VALUE = 's/"cret+ä key\\9';
const PLACEHOLDER = "plain-holder";
const secret = new Secret(
  {
    name: "KEY",
    line: 1,
    from: { kind: "env", name: "A" },
    hosts: [],
    places: [],
    placeholder: PLACEHOLDER,
    plain: false,
  },
  VALUE,
  "",
);
const scrubber = new Scrubber([secret]);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => bytesOf(text).toBase64();

async function scrub(
  body: Uint8Array,
  split: readonly number[],
  headers = new Headers(),
): Promise<[Uint8Array, Counts]> {
  const counts = new Counts();
  const cuts = [0, ...split.map((at) => at % (body.length + 1)).sort((a, b) => a - b), body.length];
  const pieces = cuts.slice(1).map((to, i) => body.subarray(cuts[i], to)).filter((piece) => piece.length > 0);
  let stream: ReadableStream<Uint8Array> = ReadableStream.from(pieces);
  for (const stage of scrubber.body(headers, counts)) stream = stream.pipeThrough(stage);
  return [await new Response(stream).bytes(), counts];
}

/** The value in a form, and the placeholder in the same. */
const FORMS: readonly (readonly [string, string, string])[] = [
  ["plain", VALUE, PLACEHOLDER],
  ["JSON", JSON.stringify(VALUE).slice(1, -1), PLACEHOLDER],
  ["percent", encodeURIComponent(VALUE), PLACEHOLDER],
  ["form", encodeURIComponent(VALUE).replaceAll("%20", "+"), PLACEHOLDER],
];

Deno.test("a value becomes its placeholder in each of its forms, at every split in two", async () => {
  for (const [form, written, clean] of FORMS) {
    const body = bytesOf(`before ${written} after`);
    for (let at = 0; at <= body.length; at++) {
      const [bytes, counts] = await scrub(body, [at]);
      assertEquals(new TextDecoder().decode(bytes), `before ${clean} after`, `${form} at ${at}`);
      assertEquals(counts.toJSON(), { KEY: 1 });
    }
  }
});

Deno.test("Base64 of a value, alone or in something longer, becomes as many A", async () => {
  for (const around of ["", "u:", "user:"]) {
    const written = base64(around + VALUE);
    for (let at = 0; at <= written.length; at++) {
      const [bytes] = await scrub(bytesOf(written), [at]);
      const text = new TextDecoder().decode(bytes);
      assertEquals(text.length, written.length);
      const plain = new TextDecoder().decode(Uint8Array.fromBase64(text));
      assertEquals(plain.includes("cret"), false);
      assertEquals(/A{10}/.test(text), true);
    }
  }
});

Deno.test("whatever stands around values, at any splits, none is left and the rest is as it was", async () => {
  const part = fc.oneof(
    fc.constantFrom(...FORMS.map(([, written, clean]) => [written, clean] as const)),
    fc.constantFrom("x", "s/", VALUE.slice(0, 9), "\n", "ü").map((text) => [text, text] as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part), fc.array(fc.nat(500)), async (parts, split) => {
      const body = bytesOf(parts.map(([written]) => written).join("|"));
      const [bytes] = await scrub(body, split);
      assertEquals(new TextDecoder().decode(bytes), parts.map(([, clean]) => clean).join("|"));
    }),
    { numRuns: runs },
  );
});

Deno.test("content codings are taken off and put back", async () => {
  const body = gzipSync(bytesOf(`a ${VALUE} b`));
  const [bytes] = await scrub(body, [5, 9], new Headers([["content-encoding", "gzip"]]));
  assertEquals(new TextDecoder().decode(gunzipSync(bytes)), `a ${PLACEHOLDER} b`);
});

Deno.test("what a model says in pieces is scrubbed as one text, and the rest of each event stays", async () => {
  const headers = new Headers([["content-type", "text/event-stream"]]);
  const delta = (text: string) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
  const body = [...VALUE].map(delta).join("") + delta(" end") + "data: [DONE]\n\n";
  const [bytes] = await scrub(bytesOf(body), [], headers);
  const said = new TextDecoder().decode(bytes).split("\n\n").filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice(6)).choices[0].delta.content).join("");
  assertEquals(said, `${PLACEHOLDER} end`);
});

Deno.test("fields are scrubbed one by one; without a value the list is the same one", () => {
  const counts = new Counts();
  const clean = ["Server", "nginx", "Location", "/x"];
  assertEquals(scrubber.fields(clean, counts) === clean, true);
  const encoded = encodeURIComponent(VALUE);
  assertEquals(scrubber.fields(["Server", "nginx", "Location", `/x?k=${encoded}`], counts), [
    "Server",
    "nginx",
    "Location",
    `/x?k=${PLACEHOLDER}`,
  ]);
  assertEquals(counts.toJSON(), { KEY: 1 });
});

Deno.test("nothing is held back that is not the beginning of a value", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const out = readable.pipeThrough(scrubber.stage(new Counts())).getReader();
  const into = writable.getWriter();
  void into.write(bytesOf("an event\n\n"));
  assertEquals(new TextDecoder().decode((await out.read()).value), "an event\n\n");
  void into.write(bytesOf('x s/"cre'));
  assertEquals(new TextDecoder().decode((await out.read()).value), "x ");
  void into.write(bytesOf("dit"));
  assertEquals(new TextDecoder().decode((await out.read()).value), 's/"credit');
  await into.close();
  assertEquals((await out.read()).done, true);
});
