import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { SecretUse } from "../../../src/egress/secrets/counts.ts";
import { type HeadText, refusalOf, substituteHead } from "../../../src/egress/secrets/request_head.ts";
import { requestBody } from "../../../src/egress/secrets/request_body.ts";
import { Secret } from "../../../src/egress/secrets/secret.ts";
import { type HostPattern, parsePattern } from "../../../src/egress/policy/pattern.ts";
import { parseHost } from "../../../src/egress/policy/host.ts";
import type { SecretPlace } from "../../../src/egress/policy/file.ts";
import { Headers } from "../../../src/http/mod.ts";

const runs = Number(Deno.env.get("WEIR_TEST_RUNS") ?? 200);
const VALUE = 'v"\\/ä +1234567';

function secretOf(
  places: readonly SecretPlace[],
  init: { value?: string; plain?: boolean; placeholder?: string } = {},
): Secret {
  const { value = VALUE, plain = false, placeholder = "the-placeholder" } = init;
  const hosts = [parsePattern("api.example") as HostPattern];
  const from = { kind: "env", name: "A" } as const;
  return new Secret({ name: "KEY", line: 7, from, hosts, places, placeholder, plain }, value, "");
}

const head = (path: string, ...fields: [string, string][]): HeadText => ({
  path,
  headers: new Headers(fields),
});
const towards = (name: string, isSecure = true) => ({ host: parseHost(name)!, port: 443, isSecure });
const ANY_HEADER: SecretPlace = { kind: "header", name: null };

function put(given: HeadText, secret: Secret): { path: string; fields: [string, string][]; use: SecretUse } {
  const use = new SecretUse();
  const { path, headers } = substituteHead(given, [secret], use);
  return { path, fields: [...headers], use };
}

Deno.test("a placeholder in a field that its secret names becomes the value; elsewhere it stays and is counted", () => {
  const secret = secretOf([{ kind: "header", name: "authorization" }], { value: "value123" });
  const given = head("/x?k=the-placeholder", ["Authorization", "Bearer the-placeholder"], [
    "X-Key",
    "the-placeholder",
  ]);
  const { path, fields, use } = put(given, secret);
  assertEquals(path, "/x?k=the-placeholder");
  assertEquals(fields, [["Authorization", "Bearer value123"], ["X-Key", "the-placeholder"]]);
  assertEquals(JSON.stringify(use), '{"injected":{"KEY":1},"scrubbed":{},"carried":{"KEY":2}}');
  // What the hooks hold is not changed.
  assertEquals(given.headers.get("authorization"), "Bearer the-placeholder");
});

Deno.test("Basic credentials are decoded, substituted and encoded again", () => {
  const secret = secretOf([ANY_HEADER], { value: "tökén123" });
  const { fields } = put(head("/", ["Authorization", `Basic ${btoa("user:the-placeholder")}`]), secret);
  const bytes = Uint8Array.from(atob(fields[0][1].slice(6)), (character) => character.charCodeAt(0));
  assertEquals(new TextDecoder().decode(bytes), "user:tökén123");
});

Deno.test("a value that is not ASCII is sent as its UTF-8 bytes", () => {
  const { fields } = put(head("/", ["x", "the-placeholder"]), secretOf([ANY_HEADER], { value: "ä1234567" }));
  assertEquals(fields[0][1], "\u00c3\u00a41234567");
});

Deno.test("a placeholder in the query's parameter and in the path becomes the value, percent-encoded", () => {
  const query = secretOf([{ kind: "query", name: "a key" }]);
  const encoded = encodeURIComponent(VALUE);
  assertEquals(
    put(head("/p?a+key=the-placeholder&b=the-placeholder"), query).path,
    `/p?a+key=${encoded}&b=the-placeholder`,
  );
  assertEquals(put(head("/p?a%20key=the%2Dplaceholder"), query).path, `/p?a%20key=${encoded}`);
  const path = secretOf([{ kind: "path" }]);
  assertEquals(
    put(head("/bot/the-placeholder/x?y=the-placeholder"), path).path,
    `/bot/${encoded}/x?y=the-placeholder`,
  );
  assertEquals(put(head("/%7e/x"), path).path, "/%7e/x");
});

Deno.test("a placeholder in a head towards another host is refused with the name of its secret", () => {
  const secret = secretOf([ANY_HEADER]);
  const text = "the request carries the placeholder of KEY, which is not for evil.example (hosts in line 7)";
  const refusal = (given: HeadText) => refusalOf(given, towards("evil.example"), [secret]);
  assertEquals(refusal(head("/", ["x-api-key", "a the-placeholder b"])), text);
  assertEquals(refusal(head("/?q=the-placeholder")), text);
  assertEquals(refusal(head("/%74he-placeholder")), text);
  assertEquals(refusal(head("/", ["authorization", `Basic ${btoa("u:the-placeholder")}`])), text);
  assertEquals(refusal(head("/", ["x", "nothing"])), null);
});

Deno.test("towards its own host a secret is not sent without verified TLS, unless it is plain", () => {
  const given = head("/", ["x", "the-placeholder"]);
  const refusal = (plain: boolean, isSecure: boolean, places: SecretPlace[] = [ANY_HEADER]) =>
    refusalOf(given, towards("api.example", isSecure), [secretOf(places, { plain })]);
  assertEquals(
    refusal(false, false)?.includes("KEY is sent over TLS with a verified certificate only"),
    true,
  );
  assertEquals(refusal(true, false), null);
  assertEquals(refusal(false, true), null);
  assertEquals(refusal(false, false, [{ kind: "body" }]), null);
});

async function through(
  body: string,
  type: string | null,
  secret: Secret,
  split: number[],
  isMeant = true,
): Promise<[string, SecretUse, boolean]> {
  const use = new SecretUse();
  const headers = new Headers(type === null ? [] : [["content-type", type]]);
  const change = requestBody(headers, isMeant ? [secret] : [], [secret], use)!;
  const bytes = new TextEncoder().encode(body);
  const cuts = [0, ...split.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const pieces = cuts.slice(1).map((to, i) => bytes.subarray(cuts[i], to)).filter((piece) =>
    piece.length > 0
  );
  let stream: ReadableStream<Uint8Array> = ReadableStream.from(pieces);
  for (const stage of change.stages) stream = stream.pipeThrough(stage);
  return [await new Response(stream).text(), use, change.keepsLength];
}

Deno.test("a body is substituted at every split: JSON with the value escaped, forms percent-encoded, else as it is", async () => {
  const secret = secretOf([{ kind: "body" }]);
  const KINDS: readonly (readonly [string | null, string])[] = [
    ["application/json; charset=utf-8", JSON.stringify(VALUE).slice(1, -1)],
    ["application/vnd.api+json", JSON.stringify(VALUE).slice(1, -1)],
    ["application/x-www-form-urlencoded", encodeURIComponent(VALUE)],
    ["text/plain", VALUE],
    [null, VALUE],
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...KINDS),
      fc.array(fc.constantFrom("the-placeholder", "the-place", "x", "the-", "ü")),
      fc.array(fc.nat(200)),
      async ([type, written], parts, split) => {
        const [text, use] = await through(parts.join(""), type, secret, split);
        assertEquals(text, parts.join("").replaceAll("the-placeholder", () => written));
        const count = parts.join("").split("the-placeholder").length - 1;
        assertEquals(use.injected.toJSON(), count === 0 ? {} : { KEY: count });
      },
    ),
    { numRuns: runs },
  );
});

Deno.test("a placeholder in a body for which it is not meant stays and is counted, at every split", async () => {
  const secret = secretOf([ANY_HEADER]);
  const body = "a the-placeholder b the-placeholder c";
  for (let at = 0; at <= body.length; at++) {
    const [text, use, keepsLength] = await through(body, "text/plain", secret, [at], false);
    assertEquals([text, use.carried.toJSON(), keepsLength], [body, { KEY: 2 }, true]);
  }
});

Deno.test("the length of a body is kept where value and placeholder have the same", async () => {
  const same = secretOf([{ kind: "body" }], { value: "exactly15bytes!", placeholder: "the-placeholder" });
  assertEquals((await through("the-placeholder", "text/plain", same, []))[2], true);
  assertEquals(
    (await through(
      "the-placeholder",
      "text/plain",
      secretOf([{ kind: "body" }], { value: "longer than a placeholder" }),
      [],
    ))[2],
    false,
  );
});
