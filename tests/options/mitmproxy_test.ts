import { assert, assertEquals } from "@std/assert";
import { allOptions } from "../../scripts/readme_options.ts";
import { MITMPROXY_OPTIONS, NOT_YET, whyNotHere } from "../../src/options/mitmproxy.ts";

Deno.test("every option of weir's with mitmproxy's name is said to be here; the same ones have its type and default", async () => {
  const options = await allOptions();
  for (const { name, type, weir, note, default: value } of MITMPROXY_OPTIONS) {
    assertEquals(note === "", weir === "same", `${name}: ${note}`);
    if (!options.has(name)) continue;
    assert(weir !== "not here", `weir has ${name}: src/options/mitmproxy.ts says that it has not`);
    if (weir === "different") continue;
    const { kind, default: own } = options.definition(name);
    // Sizes are text in mitmproxy.
    const ownType = kind.type === "size" ? "optional str" : `${kind.optional ? "optional " : ""}${kind.type}`;
    assertEquals([name, ownType, own], [name, type, value]);
  }
});

Deno.test("names are those of mitmproxy, each once", () => {
  const names = MITMPROXY_OPTIONS.map(({ name }) => name);
  assertEquals(names, [...new Set(names)].toSorted());
  assertEquals(names.length, 116);
});

Deno.test("what is not here has a reason; other names have none", () => {
  for (const { name, weir, note } of MITMPROXY_OPTIONS) {
    assertEquals(whyNotHere(name), weir === "not here" ? note : NOT_YET, name);
  }
  assertEquals(whyNotHere("no_console_mouse"), whyNotHere("console_mouse"));
  for (const name of ["no_listen_port", "entirely_else", "constructor", ""]) {
    assertEquals(whyNotHere(name), null, name);
  }
});
