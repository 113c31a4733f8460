import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { formatHelp, formatOptions, formatVersion, wrap } from "../../src/cli/help.ts";
import { OptionRegistry } from "../../src/options/mod.ts";

function registryWithAddons(): OptionRegistry {
  const registry = new OptionRegistry();
  registry.addOption("stream_large_bodies", "size", null, "Stream bodies larger than this.");
  registry.addOption(
    "awkward",
    "str",
    'a: "b" # c\n- \u00e9',
    "A default that YAML could take for something else.",
  );
  registry.addOption("word", "str", "null", "A text that YAML could take for null.");
  registry.addOption("shade", "list", ["1", "on"], "A list of texts.");
  return registry;
}

Deno.test("help lists every option once under its heading, with its default", () => {
  const registry = registryWithAddons();
  const help = formatHelp(registry, 80);
  for (const name of registry.names()) {
    const flag = `--${name.replaceAll("_", "-")}`;
    assertEquals(help.match(new RegExp(`(?<=[ ,])${flag}(?=[ ,\n])`, "g"))?.length ?? 0, 1, flag);
  }
  assertStringIncludes(help, "  -p, --listen-port PORT      Port to listen on; 0 takes any free port.");
  assertStringIncludes(help, "  -k, --ssl-insecure, --no-ssl-insecure\n");
  assertStringIncludes(help, "--termlog-verbosity {error,warn,info,debug}");
  assertStringIncludes(help, "(default: 256m)");
  const headings = [...help.matchAll(/^(\w+):$/gm)].map(([, heading]) => heading);
  assertEquals(headings, ["General", "Exec", "Proxy", "TLS", "Bodies", "WebSocket", "Output", "Addons"]);
});

Deno.test("help shows no flag of what this version cannot do", () => {
  const help = formatHelp(new OptionRegistry(), 80);
  for (const absent of ["-C", "-S", "wireguard", "tun"]) {
    assert(!new RegExp(`(^|[ ,])${absent}\\b`, "m").test(help), absent);
  }
});

Deno.test("help fits the terminal", () => {
  const registry = registryWithAddons();
  for (const [width, widest] of [[80, 80], [100, 100], [60, 60], [300, 110]]) {
    const long = formatHelp(registry, width).split("\n").filter((line) => line.length > widest);
    assertEquals(long, [], `width ${width}`);
  }
});

Deno.test("--options is a config.yaml that sets every option to its default", async () => {
  const registry = registryWithAddons();
  const text = formatOptions(registry);
  const data = parse(text) as Record<string, unknown>;
  assertEquals(new Set(Object.keys(data)), new Set(registry.names()));
  const before = Object.fromEntries([...registry.names()].map((name) => [name, registry.values.get(name)]));
  assertEquals(await registry.updateNamed(Object.entries(data)), new Set());
  assertEquals(
    Object.fromEntries([...registry.names()].map((name) => [name, registry.values.get(name)])),
    before,
  );
  for (const block of text.trimEnd().split("\n\n")) assertMatch(block, /^(# .{1,76}\n)+[a-z_0-9]+: [^\n]+$/);
});

Deno.test("--version names weir, Deno, V8, TypeScript and the platform", () => {
  const text = formatVersion();
  for (const line of [/^weir: +\d+\.\d+\.\d+$/m, /^Deno: +\d/m, /^V8: +\d/m, /^TypeScript: +\d/m]) {
    assertMatch(text, line);
  }
  assertMatch(text, new RegExp(`^Platform: +${Deno.build.os} .*${Deno.build.arch}$`, "m"));
});

Deno.test("wrapping keeps every word, and a long one whole", () => {
  assertEquals(wrap("a bb  ccc dddddddd e", 6), ["a bb", "ccc", "dddddddd", "e"]);
  assertEquals(wrap("", 6), []);
});
