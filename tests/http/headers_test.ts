import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Headers, sameName } from "../../src/http/headers.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const FIELDS: [string, string][] = [["Host", "a"], ["X-Id", "1"], ["Accept", "*/*"], ["x-id", "2"]];

Deno.test("fields keep their order and their case", () => {
  const headers = new Headers(FIELDS);
  assertEquals([...headers], FIELDS);
  assertEquals([...headers.entries()], FIELDS);
  assertEquals([...headers.keys()], ["Host", "X-Id", "Accept", "x-id"]);
  assertEquals([...headers.values()], ["a", "1", "*/*", "2"]);
  assertEquals(headers.raw, FIELDS.flat());
});

Deno.test("names are found whatever their case; several values are joined, or listed", () => {
  const headers = new Headers(FIELDS);
  assertEquals([headers.get("X-ID"), headers.get("accept"), headers.get("none")], ["1, 2", "*/*", null]);
  assertEquals([headers.getAll("X-iD"), headers.getAll("none")], [["1", "2"], []]);
  assertEquals([headers.has("hOST"), headers.has("ost")], [true, false]);
});

Deno.test("set changes the first field in its place, name and all, and takes the others away; or appends", () => {
  const headers = new Headers(FIELDS);
  headers.set("X-ID", "3");
  headers.set("New", "4");
  assertEquals([...headers], [["Host", "a"], ["X-Id", "3"], ["Accept", "*/*"], ["New", "4"]]);
});

Deno.test("delete takes all of a name away, append adds at the end", () => {
  const headers = new Headers(FIELDS);
  headers.delete("x-ID");
  headers.append("host", "b");
  assertEquals([...headers], [["Host", "a"], ["Accept", "*/*"], ["host", "b"]]);
});

Deno.test("made from pairs, a record, web Headers, or another one of which it is a copy", () => {
  const pairs = new Headers(new Map([["A", "1"]]));
  assertEquals(pairs.raw, ["A", "1"]);
  assertEquals(new Headers({ A: "1", b: "2" }).raw, ["A", "1", "b", "2"]);
  assertEquals(new Headers(new globalThis.Headers({ A: "1" })).raw, ["a", "1"]);
  assertEquals(new Headers().raw, []);
  for (const copy of [new Headers(pairs), pairs.clone()]) {
    copy.append("B", "2");
    assertEquals([copy.raw, pairs.raw], [["A", "1", "B", "2"], ["A", "1"]]);
  }
});

Deno.test("a parser's list is taken over as it is", () => {
  const raw = ["A", "1"];
  const headers = Headers.fromRaw(raw);
  headers.append("B", "2");
  assertEquals(raw, ["A", "1", "B", "2"]);
  assert(headers.clone().raw !== raw);
});

Deno.test("forEach gives value, name, and the headers, with this as asked", () => {
  const headers = new Headers([["A", "1"]]);
  const seen: unknown[] = [];
  headers.forEach(function (this: unknown, ...args) {
    seen.push(this, ...args);
  }, "this");
  assertEquals(seen, ["this", "1", "A", headers]);
});

Deno.test("a name that is no token, and a value that would break the line, are refused and change nothing", () => {
  const headers = new Headers([["A", "1"]]);
  for (const name of ["", "a b", "a:", "ä", "a\n"]) {
    assertThrows(() => headers.append(name, "1"), TypeError, "not a token");
    assertThrows(() => headers.set(name, "1"), TypeError, "not a token");
  }
  for (const value of ["a\r\nb", "a\nb", "a\rb", "a\0", "\u0100", "😀"]) {
    assertThrows(() => headers.append("B", value), TypeError, "Value of header B");
    assertThrows(() => headers.set("A", value), TypeError, "Value of header A");
  }
  assertThrows(() => new Headers({ "a b": "1" }), TypeError);
  assertEquals(headers.raw, ["A", "1"]);
});

Deno.test("values are Latin-1, one character a byte, and may be empty", () => {
  assertEquals(new Headers([["A", "\xff\x80"], ["B", ""]]).raw, ["A", "\xff\x80", "B", ""]);
});

Deno.test("sameName knows nothing but case", () => {
  assertEquals([sameName("A-b", "a-B"), sameName("ab", "abc"), sameName("a_", "a-")], [true, false, false]);
});

const name = fc.constantFrom("A", "a", "B-c", "b-C", "Set-Cookie", "set-cookie");
const value = fc.string({ unit: fc.constantFrom("x", "y", ",", ";", "="), maxLength: 4 });
const step = fc.oneof(
  fc.record({ method: fc.constantFrom("append" as const, "set" as const), name, value }),
  fc.record({ method: fc.constant("delete" as const), name }),
);

Deno.test("where the web's Headers say the same thing, they agree after any steps", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const ours = new Headers(), web = new globalThis.Headers();
    for (const step of steps) {
      for (const headers of [ours, web]) {
        if (step.method === "delete") headers.delete(step.name);
        else headers[step.method](step.name, step.value);
      }
    }
    for (const name of ["a", "B-C", "set-cookie", "none"]) {
      assertEquals([ours.get(name), ours.has(name)], [web.get(name), web.has(name)]);
    }
    assertEquals(ours.getSetCookie(), web.getSetCookie());
    const names = (keys: Iterable<string>) =>
      [...new Set([...keys].map((key) => key.toLowerCase()))].toSorted();
    assertEquals(names(ours.keys()), names(web.keys()));
    assertEquals([...new globalThis.Headers([...ours])], [...web]);
  }));
});
