import { assertEquals, assertThrows } from "@std/assert";
import { parseFlags } from "../../../scripts/bench/flags.ts";

const NAMES = ["weir", "mitmdump", "no proxy"];

Deno.test("without flags everything is measured in three rounds", () => {
  const { only, rounds, quick, peers } = parseFlags([], NAMES);
  assertEquals([only.test("anything"), rounds, quick, peers], [true, 3, false, null]);
});

Deno.test("quick means one round unless another number is given", () => {
  assertEquals(parseFlags(["--quick"], NAMES).rounds, 1);
  assertEquals(parseFlags(["--quick", "--rounds", "2"], NAMES).rounds, 2);
});

Deno.test("only is a pattern in any case, peers are a list of names", () => {
  const { only, peers } = parseFlags(["--only", "^upload", "--peers=mitmdump, no proxy"], NAMES);
  assertEquals([only.test("Upload, TLS"), only.test("an upload")], [true, false]);
  assertEquals(peers, ["mitmdump", "no proxy"]);
});

Deno.test("wrong flags are refused by name", () => {
  assertThrows(() => parseFlags(["--fast"], NAMES), Error, "--fast");
  assertThrows(() => parseFlags(["--rounds", "0"], NAMES), Error, "--rounds 0");
  assertThrows(() => parseFlags(["--rounds", "x"], NAMES), Error, "--rounds x");
  assertThrows(() => parseFlags(["--peers", "squid"], NAMES), Error, "squid");
  assertThrows(() => parseFlags(["more"], NAMES), Error, "more");
});
