import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { replaceStream } from "../../src/streams/replace.ts";
import { Patterns, type Replacements, Replacer } from "../../src/streams/replacer.ts";
import { bodyOfPieces, next, TestBody, text, throughHook, turn, utf8, whole, wholeText } from "./support.ts";

/** Strings of few letters, so that they are full of matches and of beginnings of matches. */
const few = (options: { minLength?: number; maxLength: number }) =>
  fc.string({ ...options, unit: fc.constantFrom("a", "b", "c") });

/** Cuts at these places, and gives what comes out for each part and at the end. */
function run(replacements: Replacements, parts: string[]): string[] {
  const replacer = new Replacer(new Patterns(replacements));
  const out = parts.map((part) => text(replacer.push(utf8(part))));
  return [...out, text(replacer.end())];
}

/** What several patterns should give, by trying each at each place. */
function expected(whole: string, replacements: [string, string][]): string {
  let out = "";
  for (let at = 0; at < whole.length;) {
    const here = replacements.filter(([pattern]) => whole.startsWith(pattern, at));
    const longest = here.reduce<[string, string] | null>(
      (best, pair) => best && best[0].length >= pair[0].length ? best : pair,
      null,
    );
    out += longest === null ? whole[at] : longest[1];
    at += longest === null ? 1 : longest[0].length;
  }
  return out;
}

/**
 * The most that can be sent of `sent`: all but the longest end with which a pattern begins, if more text
 * could come.
 */
function mustBeHeld(all: string, patterns: string[]): number {
  for (let n = Math.min(all.length, Math.max(...patterns.map((p) => p.length)) - 1); n > 0; n--) {
    if (patterns.some((pattern) => pattern.length > n && pattern.startsWith(all.slice(-n)))) return n;
  }
  return 0;
}

Deno.test("one pattern: the same as replaceAll, at every split", () => {
  fc.assert(
    fc.property(
      fc.array(few({ maxLength: 12 })),
      few({ minLength: 1, maxLength: 5 }),
      fc.string({ maxLength: 6 }),
      (parts, pattern, by) => {
        assertEquals(run([[pattern, by]], parts).join(""), parts.join("").replaceAll(pattern, () => by));
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("one pattern in large pieces: the same as replaceAll, at every split", () => {
  // Mostly one letter, so that the pattern's rarest byte is now its first, now one in its middle.
  const letters = fc.array(fc.constantFrom("a", "b", "ab", "abcab", "é", "x".repeat(700)), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(letters.map((parts) => parts.join("")), { maxLength: 4 }),
      few({ minLength: 1, maxLength: 9 }),
      (parts, pattern) => {
        const out = run([[pattern, "-"]], parts);
        assertEquals(out.join(""), parts.join("").replaceAll(pattern, "-"));
        let before = "", sent = "";
        parts.forEach((part, i) => {
          before += part, sent += out[i];
          const held = mustBeHeld(before.slice(before.lastIndexOf(pattern) + 1), [pattern]);
          assert(before.replaceAll(pattern, "-").length - sent.length <= held, "more is held than may be");
        });
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("one pattern: any Unicode text, cut anywhere between and inside characters", () => {
  fc.assert(fc.property(
    fc.array(fc.string({ unit: fc.constantFrom("ä", "é", "€", "x", "😀"), maxLength: 8 })),
    fc.string({ unit: fc.constantFrom("ä", "é", "€", "x", "😀"), minLength: 1, maxLength: 3 }),
    fc.integer({ min: 1, max: 5 }),
    (parts, pattern, step) => {
      const bytes = utf8(parts.join(""));
      const replacer = new Replacer(new Patterns([[pattern, "-"]]));
      const out: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        out.push(replacer.push(bytes.subarray(at, at + step)).slice());
      }
      out.push(replacer.end());
      assertEquals(text(concat(out)), parts.join("").replaceAll(pattern, "-"));
    },
  ));
});

Deno.test("several patterns: leftmost, then longest, at every split", () => {
  fc.assert(
    fc.property(
      fc.array(few({ maxLength: 12 })),
      fc.array(fc.tuple(few({ minLength: 1, maxLength: 6 }), fc.string({ maxLength: 4 })), {
        minLength: 1,
        maxLength: 5,
      }),
      (parts, replacements) => {
        assertEquals(run(replacements, parts).join(""), expected(parts.join(""), replacements));
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("after every chunk, all is out but what could still become a match", () => {
  fc.assert(
    fc.property(
      fc.array(few({ maxLength: 8 })),
      fc.array(few({ minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      (parts, patterns) => {
        // Each pattern is replaced by as many bytes as it has, so that lengths can be compared.
        const replacements = patterns.map((
          pattern,
        ): [string, string] => [pattern, "-".repeat(pattern.length)]);
        const out = run(replacements, parts);
        let read = "", sent = 0;
        parts.forEach((part, i) => {
          read += part;
          sent += out[i].length;
          const held = read.length - sent;
          // Text inside a match that is already settled can begin no other one: never more than that is held.
          assertEquals(held <= mustBeHeld(read, patterns), true, `${held} bytes of ${read} are held back`);
        });
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("text that cannot begin a match is never delayed, and a match goes out with its last byte", () => {
  assertEquals(run({ secret: "***" }, ["hello ", "se", "e ", "secre", "t", "s"]), [
    "hello ",
    "",
    "see ",
    "",
    "***",
    "",
    "s",
  ]);
  assertEquals(run({ secret: "***" }, ["sesecret"]), ["se***", ""]);
  assertEquals(run({ secret: "***" }, ["secre"]), ["", "secre"]);
});

Deno.test("a match that could be the beginning of a longer one waits for it; then the longest is taken", () => {
  const keys = { "sk-1": "A", "sk-1234": "B" };
  assertEquals(run(keys, ["sk-1", "2", "34"]), ["", "", "B", ""]);
  assertEquals(run(keys, ["sk-1", "2", "x"]), ["", "", "A2x", ""]);
  assertEquals(run(keys, ["sk-12"]), ["", "A2"]);
});

Deno.test("replacements are literal and not searched again; functions get the match", () => {
  assertEquals(run({ a: "$&aa" }, ["bab"]).join(""), "b$&aab");
  assertEquals(
    run({ abc: (match) => text(match).toUpperCase(), b: (match) => match }, ["xabcb"]).join(""),
    "xABCb",
  );
  assertEquals(run([["a", ""], [utf8("b"), utf8("B")]], ["aabb"]).join(""), "BB");
});

Deno.test("many matches and near misses take time in proportion to the text", () => {
  const replacer = new Replacer(new Patterns([["a".repeat(1000) + "b", "x"]]));
  const started = performance.now();
  let sent = 0;
  for (let i = 0; i < 500; i++) sent += replacer.push(utf8("a".repeat(4096))).length;
  sent += replacer.end().length;
  assertEquals(sent, 500 * 4096);
  // 2 million bytes; comparing the pattern anew at each of them would take a thousand times as long.
  assertEquals(performance.now() - started < 2000, true);
});

Deno.test("replaceStream works as a hook, an event at a time", async () => {
  const source = new TestBody();
  const body = throughHook(source, replaceStream({ "sk-live": "***", "pass word": "***" }));
  source.push("data: sk-live\n\n");
  assertEquals(text((await next(body))!), "data: ***\n\n");
  source.push("data: pa");
  assertEquals(text((await next(body))!), "data: ");
  source.push("ss word\n\n").end();
  assertEquals(await wholeText(body), "***\n\n");
});

Deno.test("replaceStream works as a web stream", async () => {
  const stream = replaceStream("foo", "longer");
  const out = await Array.fromAsync(
    ReadableStream.from(["xf", "o", "", "oy f"].map(utf8)).pipeThrough(stream),
  );
  assertEquals(out.map(text), ["x", "longery ", "f"]);
});

Deno.test("replaceStream takes an expression: an event at a time, in the same turn", async () => {
  const source = new TestBody();
  const body = throughHook(source, replaceStream(/(sk|pk)-[a-z0-9]{4,}/, "$1-***"));
  source.push("data: sk-abc123\n\n");
  assertEquals(text(body.take()!), "data: sk-***\n\n");
  source.push("data: pk-ab");
  assertEquals(text(body.take()!), "data: ");
  source.push("cdef\n\n").end();
  assertEquals(await wholeText(body), "pk-***\n\n");
});

Deno.test("replaceStream cuts the body where more would have to be held, and says what to do", async () => {
  const body = throughHook(bodyOfPieces(["a<b", "cdef", "ghij>"]), replaceStream(/<.*>/, "", { hold: 8 }));
  const error = await assertRejects(() => whole(body), WeirError, "replaceStream(/<.*>/, …)");
  assertEquals([error.side, error.code], ["weir", "limit"]);
});

Deno.test("replaceStream serves one message: another one does not get what the first held back", async () => {
  const stream = replaceStream("secret", "***");
  const first = throughHook(bodyOfPieces(["secre"]), stream);
  await assertRejects(
    () => whole(throughHook(bodyOfPieces(["t"]), stream)),
    WeirError,
    "make a new one for each body",
  );
  assertEquals(await wholeText(first), "secre");
});

Deno.test("a replacement function that throws, or gives no bytes, fails the body", async () => {
  const throwing = replaceStream("a", () => {
    throw new Error("no idea");
  });
  await assertRejects(() => whole(throughHook(bodyOfPieces(["bab"]), throwing)), WeirError, "no idea");
  for (const pattern of ["a", /a/]) {
    assertEquals(await wholeText(throughHook(bodyOfPieces(["bab"]), replaceStream(pattern, "-"))), "b-b");
    const wrong = replaceStream(pattern as string, (() => 7) as unknown as () => string);
    await assertRejects(() => whole(throughHook(bodyOfPieces(["bab"]), wrong)), WeirError, "the number 7");
  }
  await turn();
});

Deno.test("patterns that cannot work are refused when they are given", () => {
  assertThrows(() => replaceStream("", "x"), TypeError, "empty");
  assertThrows(() => replaceStream([[/x/ as unknown as string, "x"]]), TypeError, "regular expression");
  assertThrows(() => replaceStream(/x(?=y)/, "x"), TypeError, "a lookahead");
  assertThrows(() => replaceStream(/x/, "$'"), TypeError, "$'");
  assertThrows(() => replaceStream("abc", "x", { hold: 2 }), TypeError, "3 bytes");
  assertThrows(() => replaceStream(/x/, "x", { hold: 0 }), TypeError, "at least 1");
  assertThrows(
    () => replaceStream(/x/, "x", 7 as unknown as { hold: number }),
    TypeError,
    "{ hold: 1048576 }",
  );
  assertThrows(() => replaceStream("a", undefined as unknown as string), TypeError, "undefined");
  assertThrows(() => replaceStream([["a".repeat(70_000), "x"]]), RangeError, "70000");
});
