import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { OptionError, OptionRegistry, type Options } from "../../src/options/mod.ts";

/** Compiles only when both types are the same. */
function sameType<A, B>(
  _: (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false,
) {}

Deno.test("inside weir the names and types of options are checked by the compiler", () => {
  sameType<Options["listen_port"], number>(true);
  sameType<Options["body_size_limit"], number | null>(true);
  sameType<Options["ignore_hosts"], readonly string[]>(true);
  sameType<Options["termlog_verbosity"], "error" | "warn" | "info" | "debug">(true);
  sameType<Options["ssl_verify_upstream_trusted_ca"], string | null>(true);
  const { values } = new OptionRegistry();
  // @ts-expect-error -- no such option
  assertEquals(values.listen_prot, undefined);
  // @ts-expect-error -- a number is no text
  const port: string = values.listen_port;
  assertEquals(port as unknown, 8080);
  // @ts-expect-error -- read only
  assertThrows(() => values.listen_port = 1, TypeError);
  // @ts-expect-error -- no such option to change
  void ((registry: OptionRegistry) => registry.update({ listen_prot: 1 }));
});

Deno.test("defaults are parsed: sizes are bytes, ~ is the home directory", () => {
  const { values } = new OptionRegistry();
  assertEquals(values.body_buffer_limit, 256 * 1024 ** 2);
  assertEquals(values.memory_limit, 1024 ** 3);
  assertEquals(values.body_size_limit, null);
  assertEquals(values.listen_host, "127.0.0.1");
  assertEquals(values.mode, ["regular"]);
  assertEquals(values.upstream_cert, true);
  assertEquals(values.confdir, `${Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE")}/.weir`);
  assertEquals(values.get<number>("listen_port"), 8080);
});

Deno.test("values that code gives are checked, all before any is set", async () => {
  const registry = new OptionRegistry();
  const { values } = registry;
  await registry.update({
    listen_port: 0,
    body_size_limit: "3M",
    memory_limit: null,
    ignore_hosts: ["a", "b"],
  });
  assertEquals([values.listen_port, values.body_size_limit, values.memory_limit], [0, 3145728, null]);
  assertEquals(values.ignore_hosts, ["a", "b"]);
  const bad: [string, unknown, string][] = [
    ["listen_port", "80", 'option listen_port: "80" is not an integer'],
    ["listen_port", 1.5, "option listen_port: 1.5 is not an integer"],
    ["listen_port", 65536, "option listen_port: 65536 is more than 65535"],
    ["listen_port", -1, "option listen_port: -1 is less than 0"],
    ["listen_port", null, "option listen_port: null is not an integer"],
    ["flow_detail", 5, "option flow_detail: 5 is more than 4"],
    ["listen_host", 5, "option listen_host: 5 is not text"],
    ["listen_host", null, "option listen_host: needs a value"],
    ["confdir", "", "option confdir: needs a value"],
    ["via", "true", 'option via: "true" is neither true nor false'],
    [
      "body_size_limit",
      "3x",
      'option body_size_limit: "3x" is not a size (an integer with an optional b, k, m, g or t)',
    ],
    [
      "body_size_limit",
      -1,
      "option body_size_limit: -1 is not a size (an integer with an optional b, k, m, g or t)",
    ],
    ["mode", "regular", 'option mode: "regular" is not a list'],
    ["mode", ["regular", 1], "option mode: 1 is not text"],
    ["mode", [], "option mode: needs a value"],
    ["termlog_verbosity", "loud", 'option termlog_verbosity: "loud" is none of error, warn, info, debug'],
    ["listen_prot", 1, "unknown option listen_prot (did you mean listen_port?)"],
    ["constructor", 1, "unknown option constructor"],
  ];
  for (const [name, value, message] of bad) {
    const error = await assertRejects(
      () => registry.updateNamed([["via", true], [name, value]]),
      OptionError,
    );
    assertEquals([error.message, error.option], [message, name]);
    assertEquals(values.via, false, "nothing is set when anything is refused");
  }
  const error = await assertRejects(() => registry.update({ ignore_hosts: ["("] }), OptionError);
  assert(error.message.startsWith('option ignore_hosts: "(" is not a regular expression'), error.message);
});

Deno.test("texts are read by the option's kind", () => {
  const registry = new OptionRegistry();
  registry.addOption("limit", "int", null, "An int that may be unset.");
  registry.addOption("word", "str", null, "A str that may be unset.");
  registry.addOption("colour", "str", "red", "A choice.", { choices: ["red", "green"] });
  const good: [string, (string | null)[], unknown][] = [
    ["listen_port", ["80"], 80],
    ["listen_port", ["80", "81"], 81],
    ["via", [null], true],
    ["via", [""], true],
    ["via", ["true"], true],
    ["via", ["false"], false],
    ["via", ["toggle"], true],
    ["upstream_cert", ["toggle"], false],
    ["upstream_cert", ["toggle", "toggle"], true],
    ["body_size_limit", ["3m"], 3145728],
    ["body_size_limit", ["0"], 0],
    ["memory_limit", [""], null],
    ["memory_limit", [null], null],
    ["ignore_hosts", ["a", "b=c"], ["a", "b=c"]],
    ["ignore_hosts", ["a", null, "b"], ["b"]],
    ["ignore_hosts", [null], []],
    ["limit", [""], null],
    ["limit", ["-5"], -5],
    ["word", [null], null],
    ["word", ["x"], "x"],
    ["colour", ["green"], "green"],
  ];
  for (const [name, texts, value] of good) {
    assertEquals(registry.read(name, texts), value, `${name} ${texts}`);
  }
  const bad: [string, (string | null)[], string][] = [
    ["listen_port", ["abc"], 'option listen_port: "abc" is not an integer'],
    ["listen_port", ["8e1"], 'option listen_port: "8e1" is not an integer'],
    ["listen_port", [" 80"], 'option listen_port: " 80" is not an integer'],
    ["listen_port", ["-1"], "option listen_port: -1 is less than 0"],
    ["listen_port", [null], "option listen_port: needs a value"],
    ["listen_port", [""], "option listen_port: needs a value"],
    ["listen_host", [null], "option listen_host: needs a value"],
    ["via", ["yes"], 'option via: "yes" is none of true, false and toggle'],
    ["colour", ["blue"], 'option colour: "blue" is none of red, green'],
    ["unheard_of", ["x"], "unknown option unheard_of"],
  ];
  for (const [name, texts, message] of bad) {
    assertEquals(assertThrows(() => registry.read(name, texts), OptionError).message, message);
  }
});

Deno.test("options that addons register are known from then on, and can be read as properties", async () => {
  const registry = new OptionRegistry();
  registry.addOption("stream_large_bodies", "size", null, "Help.");
  const view = registry.values as unknown as Record<string, unknown>;
  assertEquals([view.stream_large_bodies, registry.values.get("stream_large_bodies")], [null, null]);
  await registry.updateNamed([["stream_large_bodies", "3m"]]);
  assertEquals([view.stream_large_bodies, registry.values.get("stream_large_bodies")], [3145728, 3145728]);
  assertEquals(Object.keys(view).at(-1), "stream_large_bodies");
  registry.removeOption("stream_large_bodies");
  assertEquals("stream_large_bodies" in view, false);
  assertThrows(
    () => registry.values.get("stream_large_bodies"),
    OptionError,
    "unknown option stream_large_bodies",
  );
});

Deno.test("a registration that makes no sense is refused, and names the option", () => {
  const registry = new OptionRegistry();
  registry.addOption("mine", "bool", false, "Help.", { owner: "a.ts" });
  const bad: [() => void, string][] = [
    [() => registry.addOption("Bad-Name", "bool", false, ""), '"Bad-Name" cannot be the name of an option'],
    [() => registry.addOption("get", "bool", false, ""), '"get" cannot be the name of an option'],
    [() => registry.addOption("version", "bool", false, ""), '"version" cannot be the name of an option'],
    [() => registry.addOption("via", "bool", false, ""), "option via exists already, registered by weir"],
    [
      () => registry.addOption("mine", "bool", false, "", { owner: "b.ts" }),
      "option mine exists already, registered by a.ts",
    ],
    [() => registry.addOption("x", "int", "five", ""), 'option x: "five" is not an integer'],
    [() => registry.addOption("x", "size", "five", ""), 'option x: "five" is not a size'],
    // Plain JavaScript addons are not held back by types.
    [
      () => registry.addOption("x", "float" as "int", 1, ""),
      'option x: "float" is none of bool, int, size, str, list',
    ],
  ];
  for (const [register, message] of bad) assertThrows(register, OptionError, message);
  assertEquals(registry.has("x"), false);
});

Deno.test("an addon that is loaded again keeps what the user has set, and gets its new default otherwise", async () => {
  const registry = new OptionRegistry();
  const register = (type: "int" | "str", first: number | string, second: number) => {
    registry.addOption("first", type, first, "", { owner: "a.ts" });
    registry.addOption("second", "int", second, "", { owner: "a.ts" });
  };
  register("int", 1, 1);
  await registry.updateNamed([["first", 5]]);
  register("int", 2, 2);
  assertEquals([registry.values.get("first"), registry.values.get("second")], [5, 2]);
  register("str", "text", 3);
  assertEquals([registry.values.get("first"), registry.isSet("first")], ["text", false]);
});

Deno.test("listeners hear the names of options whose values are new", async () => {
  const registry = new OptionRegistry();
  const heard: string[][] = [];
  const stop = registry.subscribe((changed) => heard.push([...changed]));
  const changed = await registry.update({ via: true, listen_port: 8080, mode: ["regular"], flow_detail: 2 });
  assertEquals(changed, new Set(["via", "flow_detail"]));
  await registry.update({ via: true });
  stop();
  await registry.update({ via: false });
  assertEquals(heard, [["via", "flow_detail"]]);
});

Deno.test("a listener that refuses has everything undone, and the others hear of that", async () => {
  const registry = new OptionRegistry();
  const seen: boolean[] = [];
  registry.subscribe(() => seen.push(registry.values.via));
  registry.subscribe(async () => {
    await Promise.resolve();
    if (registry.values.via) throw new OptionError("via", "not with me");
  });
  const error = await assertRejects(() => registry.update({ flow_detail: 3, via: true }));
  assertInstanceOf(error, OptionError);
  assertEquals(error.message, "not with me");
  assertEquals([registry.values.via, registry.values.flow_detail, registry.isSet("via")], [false, 1, false]);
  assertEquals(seen, [true, false]);
});
