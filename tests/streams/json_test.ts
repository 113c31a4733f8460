import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { drop } from "../../src/streams/drop.ts";
import { jsonStream } from "../../src/streams/json.ts";
import { JsonEditor } from "../../src/streams/json/editor.ts";
import { Edits, type JsonPlace } from "../../src/streams/json/edits.ts";
import { readPath } from "../../src/streams/json/path.ts";
import { Stage } from "../../src/streams/stage.ts";
import { bodyOfPieces, next, TestBody, text, throughHook, turn, utf8, whole, wholeText } from "./support.ts";

// deno-lint-ignore no-explicit-any -- what a test's edits are is the test's business
type Given = Record<string, any>;
type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What comes out for each piece and at the end, of edits that need no waiting; and what was warned of. */
function run(
  edits: Given,
  pieces: (string | Uint8Array)[],
  hold = 1024 * 1024,
): { out: string[]; all: string; warned: string[] } {
  const warned: string[] = [];
  const editor = new JsonEditor(new Edits(edits), hold, (text) => warned.push(text));
  const out = pieces.map((piece) => {
    const mine = typeof piece === "string" ? utf8(piece) : piece.slice();
    const given = (editor.push(mine) as Uint8Array).slice();
    mine.fill(0x61);
    return given;
  });
  out.push((editor.end() as Uint8Array).slice());
  return { out: out.map(text), all: decoder.decode(concat(out)), warned };
}

const edited = (edits: Given, json: string) => run(edits, [json]).all;

function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) if (length > 0) pieces.push(bytes.subarray(at, at += length));
  return [...pieces, bytes.subarray(at)].filter((piece) => piece.length > 0);
}

/** The plain operation on a value that was read, written apart from the code under test. */
function expected(edits: Given, json: Json): Json | typeof drop {
  const all = Object.entries(edits).map(([path, by], order) => ({ steps: readPath(path), by, order }));
  const visit = (
    value: Json,
    ways: typeof all,
    place: JsonPlace,
  ): Json | typeof drop => {
    if (ways.some(({ steps, by }) => steps.length === 0 && by === drop)) return drop;
    const here = ways.filter(({ steps }) => steps.length === 0).map(({ by }) => by);
    const from = here.findLastIndex((by) => typeof by !== "function");
    let result: Json | typeof drop = value;
    if (from === -1) {
      const child = (name: string | number, inner: Json) => {
        const on = ways.flatMap((way) => {
          const [step, ...rest] = way.steps;
          if (step === undefined) return [];
          const matches = step.child === null || step.child === name;
          return [...step.isDeep ? [way] : [], ...matches ? [{ ...way, steps: rest }] : []];
        });
        return visit(inner, on.sort((a, b) => a.order - b.order), [...place, name]);
      };
      if (Array.isArray(value)) {
        result = value.map((each, i) => child(i, each)).filter((each) => each !== drop) as Json;
      } else if (typeof value === "object" && value !== null) {
        const members = Object.entries(value).map(([name, inner]) => [name, child(name, inner)]);
        result = Object.fromEntries(members.filter(([, inner]) => inner !== drop)) as Json;
      }
    }
    for (const by of from === -1 ? here : here.slice(from)) {
      if (result === drop) break;
      if (typeof by !== "function") result = by as Json | typeof drop;
      else {
        const given: unknown = by(result, place);
        if (given !== undefined) result = given as Json | typeof drop;
      }
    }
    return result;
  };
  return visit(json, all, []);
}

const names = fc.constantFrom("a", "b", "c", "token", 'q"\\', "é");
const values = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: "json" },
    fc.constantFrom<Json>(null, true, false, 0, -1.5, 1e21, "", "a", 'x"y\\', "😀\n", [], {}),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.uniqueArray(fc.tuple(names, tie("value")), { maxLength: 4, selector: ([name]) => name }).map((
      members,
    ) => Object.fromEntries(members) as Json),
  ),
})).value;

/** JSON with white space where it may be. */
function spaced(json: Json, spaces: string[]): string {
  let at = 0;
  const space = () => spaces.length === 0 ? "" : spaces[at++ % spaces.length];
  const write = (value: Json): string => {
    if (Array.isArray(value)) {
      return `[${space()}${value.map(write).join(`${space()},${space()}`)}${space()}]`;
    }
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const members = Object.entries(value).map(([name, inner]) =>
      `${JSON.stringify(name)}${space()}:${space()}${write(inner)}`
    );
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
  };
  return space() + write(json) + space();
}

/** Different functions, so that the oracle can tell the edits apart. */
const paths = fc.constantFrom(
  "$",
  "$.a",
  "$.b",
  '$["q\\"\\\\"]',
  "$.a.b",
  "$[0]",
  "$[1]",
  "$[*]",
  "$.*",
  "$.a[*].b",
  "$..token",
  "$..a",
  "$..[0]",
  "$..*",
  "$.*.c",
  "$['é']",
);
const acts = fc.constantFrom<() => unknown>(
  () => drop,
  () => ({ is: "put" }),
  () => null,
  () => () => undefined,
  () => (value: Json) => [value],
  () => () => null,
  () => (value: Json) => typeof value === "string" ? drop : value,
  () => (value: Json) => {
    if (Array.isArray(value)) value.push("added");
  },
);
const edits = fc.uniqueArray(fc.tuple(paths, acts), {
  minLength: 1,
  maxLength: 3,
  selector: ([path]) => path,
}).map((all) => Object.fromEntries(all.map(([path, act]) => [path, act()])));
const spaces = fc.array(fc.constantFrom("", " ", "\n", "\t\r\n "), { maxLength: 5 });

Deno.test("json: the same as on the value as a whole, at any split", () => {
  fc.assert(
    fc.property(values, edits, spaces, fc.array(fc.nat({ max: 6 })), (json, given, white, lengths) => {
      const bytes = utf8(spaced(json, white)), { all, warned } = run(given, cut(bytes, lengths));
      const want = expected(given, structuredClone(json));
      assertEquals(warned, []);
      if (want === drop) assertEquals(all.trim(), "");
      else assertEquals(JSON.parse(all), want);
      // The bytes are the same whatever the split.
      assertEquals(all, run(given, [bytes]).all);
    }),
    { numRuns: 4000 },
  );
});

Deno.test("json: what no path leads to, and what functions leave alone, passes byte for byte", () => {
  fc.assert(
    fc.property(values, spaces, fc.array(fc.nat({ max: 6 })), (json, white, lengths) => {
      const given = {
        "$..nowhere": drop,
        "$.a": () => {},
        "$..b": (value: Json) => value,
        "$..c": (value: Json) => structuredClone(value),
      };
      const written = spaced(json, white);
      assertEquals(run(given, cut(utf8(written), lengths)).all, written);
    }),
    { numRuns: 1000 },
  );
  const odd = '\ufeff {"n": 1.50e+2, "n": 12345678901234567890, "s": "\\u0061\\/", "o": {"x" :1 }}\n';
  assertEquals(edited({ "$.*": () => {}, "$.o.x": (value: number) => value }, odd), odd);
  const bytes = concat([utf8('{"a":"'), Uint8Array.of(0xff, 0xc3), utf8('","b":1}')]);
  const editor = new JsonEditor(new Edits({ "$.a": () => {}, "$.b": 2 }), 100, () => {});
  assertEquals(editor.push(bytes), concat([bytes.subarray(0, -2), utf8("2}")]));
});

Deno.test("json: only the values are written anew; drop takes one comma along", () => {
  const cases: [Given, string, string][] = [
    [{ "$.a": 2 }, '{ "a" : 1 , "b" : 1 }', '{ "a" : 2 , "b" : 1 }'],
    [{ "$.a": drop }, '{"a":1,"b":2,"c":3}', '{"b":2,"c":3}'],
    [{ "$.b": drop }, '{"a":1,"b":2,"c":3}', '{"a":1,"c":3}'],
    [{ "$.c": drop }, '{"a":1,"b":2,"c":3}', '{"a":1,"b":2}'],
    [{ "$.a": drop }, '{\n  "a": 1,\n  "b": 2\n}', '{\n  "b": 2\n}'],
    [{ "$.b": drop }, '{\n  "a": 1,\n  "b": 2\n}', '{\n  "a": 1\n}'],
    [{ "$.a": drop, "$.b": drop }, '{"a":1,"b":2,"c":3}', '{"c":3}'],
    [{ "$.*": drop }, '{"a":1,"b":[2],"c":{"d":3}}', "{}"],
    [{ "$[0]": drop }, "[1,2,3]", "[2,3]"],
    [{ "$[0]": drop, "$[1]": drop }, "[1, 2, 3, 4]", "[3, 4]"],
    [{ "$[1]": drop }, "[1, [2], 3]", "[1, 3]"],
    [{ "$[2]": drop }, "[1, 2, 3]", "[1, 2]"],
    [{ "$[*]": drop }, "[1, 2, 3]", "[]"],
    [{ "$[0]": drop }, "[]", "[]"],
    [{ "$[*]": (value: number) => value % 2 === 0 ? drop : value * 10 }, "[1, 2, 3, 4]", "[10, 30]"],
    [{ "$..token": drop }, '{"token":1,"x":[{"token":{"token":2}},{"a":1,"token":3}]}', '{"x":[{},{"a":1}]}'],
    [{ "$.a": 1 }, '{"a":"x","a":{"b":[]},"b":"a"}', '{"a":1,"a":1,"b":"a"}'],
    [{ '$["\\u0061"]': 1 }, '{"\\u0061":2}', '{"\\u0061":1}'],
    [{ "$.a": () => null }, '{"a":1}', '{"a":null}'],
    [{ "$.a": null }, '{"a":1}', '{"a":null}'],
    [{ "$": (value: number) => value + 1 }, "1 ", "2 "],
    [{ "$": 1 }, ' "x" ', " 1 "],
    [{ "$": drop }, "[1]", ""],
    [{ "$.n": (n: number) => n }, '{"n":1.0}', '{"n":1.0}'],
    [{ "$.a": (value: Json[]) => void value.push(3) }, '{"a":[1, 2]}', '{"a":[1,2,3]}'],
    [
      { "$.u": (u: Given) => ({ ...u, is: true }), "$..token": drop },
      '{"u":{"token":1,"n":2}}',
      '{"u":{"n":2,"is":true}}',
    ],
    [{ "$.a": (n: number) => n + 1, "$..a": (n: number) => n * 2 }, '{"a":1}', '{"a":4}'],
    [{ "$.a": 5, "$..a": (n: number) => n * 2 }, '{"a":{"a":7}}', '{"a":10}'],
  ];
  for (const [given, json, want] of cases) {
    assertEquals(edited(given, json), want, `${Object.keys(given)} on ${json}`);
    assertEquals(run(given, [...json]).all, want, `${Object.keys(given)} on ${json}, byte by byte`);
  }
});

Deno.test("json: functions get the value and its place", () => {
  const calls: unknown[] = [];
  edited(
    { "$..x": (value: Json, place: JsonPlace) => void calls.push([value, place]) },
    '{"a":[0,{"x":1}],"x":[{"x":2}]}',
  );
  assertEquals(calls, [[1, ["a", 1, "x"]], [2, ["x", 0, "x"]], [[{ x: 2 }], ["x"]]]);
});

Deno.test("json: nothing waits that is decided: constants and drop hold no value, a name waits while it may be dropped", () => {
  const steps = (given: Given, ...pieces: string[]) => run(given, pieces).out;
  assertEquals(steps({ "$.a": 1 }, '{"a":', '"long', ' one"', ',"b":2}'), ['{"a":', "1", "", ',"b":2}', ""]);
  assertEquals(steps({ "$.a": drop }, '{"a":"lo', 'ng"', ',"b":2}'), ["{", "", '"b":2}', ""]);
  assertEquals(steps({ "$.abc": drop }, '{"x":1', ',"', "ab", 'd":2}'), ['{"x":1', "", "", ',"abd":2}', ""]);
  assertEquals(steps({ "$.abc": drop }, '{"x":1,"a', "x", 'y":2}'), ['{"x":1', ',"ax', 'y":2}', ""]);
  assertEquals(steps({ "$.abc": drop }, '{"x":1,"abcd"', ":2}"), ['{"x":1,"abcd"', ":2}", ""]);
  assertEquals(steps({ "$[1]": drop }, "[1", ",", "2,", "3", "]"), ["[1", "", ",", "3", "]", ""]);
  assertEquals(steps({ "$[5]": drop }, "[1", ",", "2"), ["[1", ",", "2", ""]);
  assertEquals(steps({ "$.a": (n: number) => n + 1 }, '{"a"', ":1", "2", "}"), ["{", "", "", '"a":13}', ""]);
  assertEquals(steps({ "$.a": "x" }, '{"a"', ":1", "2", "}"), ['{"a"', ':"x"', "", "}", ""]);
  assertEquals(steps({ "$..a": 1 }, '{"b":[{"c":"', 'xyz"', "}]"), ['{"b":[{"c":"', 'xyz"', "}]", ""]);
});

Deno.test("json: what is no JSON, or stops being it, passes from there on, with one warning", () => {
  const given = { "$..a": drop, "$..b": (value: Json) => [value] };
  const broken: [string, string, string][] = [
    ["hello", "hello", "byte 0 (h)"],
    ['{"a":1,x:2,"a":3}', '{x:2,"a":3}', "byte 7 (x)"],
    ['{"b":[1,2},"a":3}', '{"b":[1,2},"a":3}', "byte 9 (})"],
    ['{"c":1,"b":{"b":01}}', '{"c":1,"b":{"b":01}}', "byte 17 (1)"],
    ['{"c":1}{"a":2}', '{"c":1}{"a":2}', "byte 7 ({)"],
    ['{"c":"\n","a":2}', '{"c":"\n","a":2}', "byte 6 (0x0a)"],
    ['{"c":"\\x","a":2}', '{"c":"\\x","a":2}', "byte 7 (x)"],
    ['{"c":"\\u00g0","a":2}', '{"c":"\\u00g0","a":2}', "byte 10 (g)"],
    ['{"c":nul,"a":2}', '{"c":nul,"a":2}', "byte 8 (,)"],
    ['{"c":-,"a":2}', '{"c":-,"a":2}', "byte 6 (,)"],
    ['{"c":1.,"a":2}', '{"c":1.,"a":2}', "byte 7 (,)"],
    ['{"c":1e,"a":2}', '{"c":1e,"a":2}', "byte 7 (,)"],
    ['{"c":1,}', '{"c":1,}', "byte 7 (})"],
    ["[1,]", "[1,]", "byte 3 (])"],
    ["[1 2]", "[1 2]", "byte 3 (2)"],
    ['{"c" 1}', '{"c" 1}', "byte 5 (1)"],
    ['{"c":1', '{"c":1', "ends in the middle"],
    ['{"b":[1,', '{"b":[1,', "ends in the middle"],
    ['{"c":1,"a', '{"c":1,"a', "ends in the middle"],
  ];
  for (const [json, want, why] of broken) {
    for (const pieces of [[json], [...json]]) {
      const { out, warned } = run(given, pieces);
      assertEquals(
        [out.join(""), warned.length, warned[0].includes(why)],
        [want, 1, true],
        `${json}: ${warned}`,
      );
    }
  }
  for (const json of ["", " \n", '"x"', "12", "-0.5e-7", "[]", "{}", "[[],{}]", "true", "null"]) {
    for (const pieces of [[json], [...json]]) {
      assertEquals(run(given, pieces), { out: [...pieces, ""], all: json, warned: [] });
    }
  }
});

Deno.test("json: what is read is what JSON.parse reads, and nothing else", () => {
  const signs = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    '"a"',
    "1",
    "0",
    "-",
    ".",
    "e",
    "+",
    "true",
    "nul",
    "l",
    "\\",
    " ",
  );
  fc.assert(
    fc.property(fc.array(signs, { maxLength: 8 }), (parts) => {
      const json = parts.join(""), { out, warned } = run({ "$..nowhere": 1 }, [...json]);
      let isJson = true;
      try {
        JSON.parse(json);
      } catch {
        isJson = json.trim() === "";
      }
      assertEquals([out.join(""), warned.length === 0], [json, isJson]);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("json: functions may be async; what is before goes out, and what follows waits", async () => {
  const source = new TestBody(), calls: unknown[] = [];
  let goOn = () => {};
  const stage = jsonStream({
    "$[*]": async (value: number) => {
      calls.push(value);
      await new Promise<void>((resolve) => goOn = resolve);
      return value === 2 ? drop : value * 2;
    },
  });
  const body = throughHook(source, stage);
  source.push("[1, 2,").push(" 3]").end();
  assertEquals(text((await next(body))!), "[");
  const second = next(body);
  await turn();
  assertEquals(calls, [1]);
  goOn();
  assertEquals(text((await second)!), "2");
  const rest = wholeText(body);
  for (let i = 0; i < 2; i++) {
    await turn();
    goOn();
  }
  assertEquals([await rest, calls], [", 6]", [1, 2, 3]]);
  const chained = jsonStream({ "$.a": (n: number) => Promise.resolve(n + 1), "$..a": (n: number) => n * 10 });
  assertEquals(await wholeText(throughHook(bodyOfPieces(['{"a":1}']), chained)), '{"a":20}');
});

Deno.test("json: more than hold is never held; constants and drop hold nothing; what is before it goes out", async () => {
  const long = `{"x":1,"a":"${"y".repeat(100)}"}`;
  for (const pieces of [[long], [...long]]) {
    const body = throughHook(bodyOfPieces(pieces), jsonStream({ "$.a": () => {} }, { hold: 50 }));
    let out = "";
    const error = await assertRejects(
      async () => {
        for (let piece = await next(body); piece !== null; piece = await next(body)) out += text(piece);
      },
      WeirError,
      "jsonStream",
    );
    assertEquals([error.code, out], ["limit", '{"x":1']);
    assertEquals(run({ "$.a": 1 }, pieces, 50).all, '{"x":1,"a":1}');
    assertEquals(run({ "$.a": drop }, pieces, 50).all, '{"x":1}');
    assertEquals(run({ "$.b": () => {} }, pieces, 50).all, long);
  }
  for (const pieces of [['["12345678"]'], [...'["12345678"]']]) {
    assertEquals(run({ "$[*]": () => {} }, pieces, 10).all, '["12345678"]');
    assertThrows(() => run({ "$[*]": () => {} }, pieces, 9), WeirError, "9 bytes");
  }
  // What was held for one value is free for the next.
  const many = `["12345678${'","12345678'.repeat(50)}"]`;
  assertEquals(run({ "$[*]": () => {} }, [many], 50).all, many);
  const deep = jsonStream({ "$..a": 1 });
  await assertRejects(
    () => whole(throughHook(bodyOfPieces(["[".repeat(20_000)]), deep)),
    WeirError,
    "10000 levels",
  );
});

Deno.test("json: a function that throws, or gives no JSON, fails the stage", async () => {
  const fails = (fn: (value: number) => unknown) =>
    assertRejects(() => whole(throughHook(bodyOfPieces(['{"a":1}']), jsonStream({ "$.a": fn }))), WeirError);
  const threw = await fails(() => {
    throw new Error("no idea");
  });
  assertEquals([threw.code, threw.message], ["addon", "The function of jsonStream threw: no idea"]);
  assertEquals((await fails(() => Promise.reject(new Error("no idea")))).message, threw.message);
  assertEquals((await fails(() => () => {})).message.includes("JSON can say, not a function"), true);
  assertEquals((await fails(() => Promise.resolve(Symbol("x")))).code, "addon");
  assertEquals((await fails(() => [1].values())).message.includes("one value only"), true);
  assertEquals((await fails(() => 1n)).code, "addon");
});

Deno.test("json: wrong arguments are refused when the stage is made", () => {
  const paths = [
    "",
    "a",
    "$a",
    "$.",
    "$..",
    "$[",
    "$[]",
    "$[-1]",
    "$[a]",
    "$.a b",
    "$.[0]",
    "$.['a']",
    '$["a]',
    "$['\\x']",
    "$.a.",
    "$*",
  ];
  for (const path of paths) assertThrows(() => jsonStream({ [path]: 1 }), TypeError, "The path", path);
  assertThrows(() => jsonStream({ "$.a": undefined as unknown as null }), TypeError, "The value for $.a");
  assertThrows(() => jsonStream({ "$.a": Symbol("x") as unknown as null }), TypeError, "The value for $.a");
  assertThrows(() => jsonStream(7 as unknown as Given), TypeError, "the number 7");
  assertThrows(() => jsonStream([] as unknown as Given), TypeError, "{ path: value or function, … }");
  assertThrows(() => jsonStream({}, { hold: 0 }), TypeError, "hold");
  assertEquals(readPath(`$.a["b.c"]['d"\\'']..e[*].*..[3]..*`), [
    { child: "a", isDeep: false },
    { child: "b.c", isDeep: false },
    { child: `d"'`, isDeep: false },
    { child: "e", isDeep: true },
    { child: null, isDeep: false },
    { child: null, isDeep: false },
    { child: 3, isDeep: true },
    { child: null, isDeep: true },
  ]);
});

Deno.test("json: the warning goes where the body's warnings go", () => {
  const warned: string[] = [];
  const stage = jsonStream({ "$.a": 1 });
  const body = (stage as Stage).through(bodyOfPieces(["<html>"]), () => {}, (text) => warned.push(text));
  assertEquals(text(body.take()!), "<html>");
  assertEquals(warned, [
    "jsonStream: the body is no JSON: byte 0 (<) does not belong there; from there on it passes as it is.",
  ]);
});
