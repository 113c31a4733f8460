import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Program, sourceOf } from "../../../src/streams/regexp/program.ts";
import { Simulation } from "../../../src/streams/regexp/simulation.ts";
import { TextUnitReader } from "../../../src/streams/regexp/units.ts";
import { utf8 } from "../support.ts";
import { letters, sources, staysInside } from "./generated.ts";
import { PATTERNS, TEXTS } from "./patterns.ts";

/** All matches: for each, where it and its groups begin and end (-1 for a group that has no part in it). */
function found(regexp: RegExp, text: string): number[][] {
  const program = new Program(sourceOf(regexp)), simulation = new Simulation(program);
  const bytes = utf8(text), reader = new TextUnitReader(program.unit), matches: number[][] = [];
  const collect = () => {
    for (const { start, end, captures } of simulation.decided) {
      matches.push([start, end, ...captures.slice(2)]);
    }
    simulation.decided.length = 0;
  };
  simulation.begin(0, program.startContext, true);
  for (let at = 0; at < bytes.length;) {
    collect();
    const to = at + reader.read(bytes, at, true);
    simulation.step(program.classOf(reader.unit), at, to);
    at = to;
  }
  collect();
  simulation.end(bytes.length);
  collect();
  return matches;
}

/** The same by the platform, with places as bytes. */
function expected(regexp: RegExp, text: string): number[][] {
  const places: number[] = [];
  let bytes = 0;
  for (const character of text) {
    // The second half of a character counts as two bytes behind its first.
    places.push(bytes, ...character.length === 2 ? [bytes + 2] : []);
    bytes += utf8(character).length;
  }
  places.push(bytes);
  return [...text.matchAll(new RegExp(regexp.source, regexp.flags.replace("g", "") + "gd"))].map((
    { indices },
  ) => indices!.flatMap((pair) => pair === undefined ? [-1, -1] : [places[pair[0]], places[pair[1]]]));
}

Deno.test("the simulation finds the matches and groups that matchAll finds, each decided once", () => {
  for (const regexp of PATTERNS) {
    for (const text of TEXTS) {
      assertEquals(found(regexp, text), expected(regexp, text), `${regexp} on ${JSON.stringify(text)}`);
    }
  }
});

Deno.test("the simulation: the same for any expression", () => {
  fc.assert(
    fc.property(sources, fc.constantFrom("", "i", "m", "s", "u", "iu"), letters, (source, flags, text) => {
      const regexp = new RegExp(source, flags);
      // V8 lets assertions match between the halves of a character, also with `u`; the standard does not.
      if (regexp.unicode && /[\^$]|\\b/.test(source)) text = text.replaceAll("😀", "é");
      fc.pre(staysInside(regexp, text));
      assertEquals(found(regexp, text), expected(regexp, text));
    }),
    { numRuns: 3000 },
  );
});
