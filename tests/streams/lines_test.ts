import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { drop } from "../../src/streams/drop.ts";
import { linesStream } from "../../src/streams/lines.ts";
import { bodyOfPieces, next, TestBody, text, throughHook, turn, utf8, whole, wholeText } from "./support.ts";

// deno-lint-ignore no-explicit-any -- what a test's function gives is the test's business
type Fn = (line: string, index: number) => any;

/** What the plain operation on the whole text gives. */
async function expected(all: string, fn: Fn): Promise<string> {
  let out = "", index = 0;
  for (const [whole, line] of all.matchAll(/([^\r\n]*)(?:\r\n|\r|\n)|[^\r\n]+$/g)) {
    const content = line ?? whole, end = whole.slice(content.length);
    const given = await fn(content, index++);
    if (given === null || given === drop) continue;
    if (given === undefined || typeof given === "string") out += (given ?? content) + end;
    else {
      const lines: string[] = [];
      for await (const each of given) lines.push(each);
      out += end === "" ? lines.join("\n") : lines.map((each) => each + end).join("");
    }
  }
  return out;
}

/** Ways to answer, by what the line says. */
const FUNCTIONS: Record<string, Fn> = {
  nothing: () => {},
  same: (line) => line,
  numbered: (line, index) => `${index}:${line}`,
  less: (line) => line.includes("a") ? null : line,
  dropped: (line) => line === "" ? drop : undefined,
  later: async (line) => {
    if (line.length > 2) await turn();
    return line.length % 2 === 0 ? line.toUpperCase() : undefined;
  },
  several: (line) => line.includes("b") ? [line, "+", line].values() : undefined,
  generated: function (line) {
    return (function* () {
      for (const letter of line) yield letter;
    })();
  },
  generatedLater: (line) =>
    line.includes("a")
      ? (async function* () {
        yield line;
        await Promise.resolve();
        yield "x";
      })()
      : line,
};

const texts = fc.array(fc.constantFrom("a", "b", "ab", "é", "😀", "\n", "\r", "\r\n", "\n\n"), {
  maxLength: 14,
}).map(
  (parts) => parts.join(""),
);

Deno.test("lines: the same as on the whole text, at any split", async () => {
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.constantFrom(...Object.values(FUNCTIONS)),
      fc.array(fc.nat({ max: 4 })),
      async (all, fn, lengths) => {
        const bytes = utf8(all), pieces: Uint8Array[] = [];
        let at = 0;
        for (const length of lengths) if (length > 0) pieces.push(bytes.subarray(at, at += length));
        if (at < bytes.length) pieces.push(bytes.subarray(at));
        const body = throughHook(bodyOfPieces(pieces.filter((piece) => piece.length > 0)), linesStream(fn));
        assertEquals(await wholeText(body), await expected(all, fn));
      },
    ),
    { numRuns: 1500 },
  );
});

Deno.test("lines: byte by byte as well", async () => {
  const all = "one\r\ntwo\rthree\n\r\n\n\rä€😀\r\nab";
  for (const [name, fn] of Object.entries(FUNCTIONS)) {
    const body = throughHook(
      bodyOfPieces(Array.from(utf8(all), (byte) => Uint8Array.of(byte))),
      linesStream(fn),
    );
    assertEquals(await wholeText(body), await expected(all, fn), name);
  }
});

Deno.test("lines: what was not changed goes out byte for byte, invalid UTF-8 and a byte order mark too", async () => {
  const bytes = Uint8Array.from([
    0xef,
    0xbb,
    0xbf,
    0x61,
    0xff,
    0x0a,
    0xc3,
    0x0d,
    0x80,
    0x0d,
    0x0a,
    0xe2,
    0x82,
  ]);
  for (
    const fn of [(line: string) => line, () => undefined, async (line: string) => await Promise.resolve(line)]
  ) {
    for (const pieces of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
      assertEquals(await whole(throughHook(bodyOfPieces(pieces), linesStream(fn))), bytes);
    }
  }
});

Deno.test("lines: a line is out in the turn in which its end came; a lone CR is an end at once", () => {
  const source = new TestBody(), seen: string[] = [];
  const body = throughHook(
    source,
    linesStream((line) => {
      seen.push(line);
      return line === "drop" ? null : undefined;
    }),
  );
  const push = (piece: string) => {
    source.push(piece);
    const out: string[] = [];
    for (let taken = body.take(); taken; taken = body.take()) out.push(text(taken));
    return out.join("|");
  };
  // Asked once, the body waits for its source until more is there.
  assertEquals(push("one\ntwo"), "one\n");
  source.push("\r");
  return (async () => {
    assertEquals(text((await next(body))!), "two\r");
    source.push("\nthree\n");
    assertEquals(text((await next(body))!), "\nthree\n");
    source.push("drop\r");
    source.push("\n\r");
    assertEquals(text((await next(body))!), "\r");
    source.end();
    assertEquals(await next(body), null);
    assertEquals(seen, ["one", "two", "three", "drop", ""]);
  })();
});

Deno.test("lines: several are sent one by one as they are made, and the next line waits", async () => {
  const source = new TestBody(), seen: string[] = [];
  let goOn = () => {};
  const body = throughHook(
    source,
    linesStream(async function* (line) {
      seen.push(line);
      yield line;
      await new Promise<void>((resolve) => goOn = resolve);
      yield "more";
    }),
  );
  source.push("one\ntwo\n").end();
  assertEquals(text((await next(body))!), "one\n");
  const second = next(body);
  await turn();
  assertEquals(seen, ["one"]);
  goOn();
  assertEquals(text((await second)!), "more\n");
  const rest = wholeText(body);
  await turn();
  goOn();
  assertEquals(await rest, "two\nmore\n");
});

Deno.test("lines: more than hold is never held, whether a line comes whole or not; what is before it goes out", async () => {
  for (const pieces of [["one\nabcdefgh\n"], ["one\nabc", "def", "gh"], [..."one\nabcdefgh\n"]]) {
    const body = throughHook(bodyOfPieces(pieces), linesStream(() => {}, { hold: 7 }));
    let out = "";
    const error = await assertRejects(
      async () => {
        for (let piece = await next(body); piece !== null; piece = await next(body)) out += text(piece);
      },
      WeirError,
      "linesStream",
    );
    assertEquals([error.code, out], ["limit", "one\n"]);
  }
  const fits = throughHook(bodyOfPieces(["abcdefg\n"]), linesStream(() => {}, { hold: 7 }));
  assertEquals(await wholeText(fits), "abcdefg\n");
  const several = linesStream(() => ["a", "bbbb", "cccc"].values(), { hold: 7 });
  await assertRejects(() => whole(throughHook(bodyOfPieces(["x\r"]), several)), WeirError, "hold");
});

Deno.test("lines: a function that throws or gives no line fails the stage; wrong arguments are refused", async () => {
  const fails = (fn: Fn) =>
    assertRejects(() => whole(throughHook(bodyOfPieces(["a\nb\n"]), linesStream(fn))), WeirError);
  const threw = await fails(() => {
    throw new Error("no idea");
  });
  assertEquals([threw.code, threw.message], ["addon", "The function of linesStream threw: no idea"]);
  assertEquals((await fails(() => Promise.reject(new Error("no idea")))).code, "addon");
  for (const fn of [() => 7, () => Promise.resolve(7), () => [7].values(), () => ({})]) {
    const error = await fails(fn);
    assertEquals([error.code, error.message.includes("a line must be a string")], ["addon", true]);
  }
  assertThrows(
    () => linesStream(7 as unknown as Fn),
    TypeError,
    "linesStream takes a function, not the number 7",
  );
  assertThrows(() => linesStream(() => {}, { hold: -1 }), TypeError, "hold");
});

Deno.test("lines: whoever cancels the body ends the function's generator", async () => {
  let isClosed = false;
  const source = new TestBody();
  const body = throughHook(
    source,
    linesStream(async function* (line) {
      try {
        for (;;) yield line;
      } finally {
        isClosed = true;
      }
    }),
  );
  source.push("x\n");
  await next(body);
  body.cancel(new WeirError("client", "closed", "gone"));
  await turn();
  assertEquals([isClosed, source.cancelled?.message], [true, "gone"]);
});

Deno.test("lines: long lines in small pieces take time in proportion to them", async () => {
  const body = throughHook(
    bodyOfPieces(Array.from({ length: 20_000 }, () => "x".repeat(50))),
    linesStream((line) => `${line.length}`),
  );
  const started = performance.now();
  assertEquals(concat([await whole(body)]), utf8("1000000"));
  assertEquals(performance.now() - started < 3000, true);
});
