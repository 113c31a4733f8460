/**
 * Writes two tables of README.md: all options, from the registry, and beside them those of mitmproxy:
 * `deno run -A scripts/readme_options.ts`. A test compares both.
 * @module
 */
import { MITMPROXY_FLAGS, MITMPROXY_OPTIONS, NOT_YET } from "../src/options/mitmproxy.ts";
import { OptionRegistry } from "../src/options/mod.ts";
import { makeProxy } from "../src/cli/wiring.ts";
import { TermLog } from "../src/cli/log.ts";

const README = new URL("../README.md", import.meta.url);
const MARKS = {
  options: ["<!-- options: deno run -A scripts/readme_options.ts -->\n\n", "\n<!-- /options -->"],
  mitmproxy: ["<!-- mitmproxy: deno run -A scripts/readme_options.ts -->\n\n", "\n<!-- /mitmproxy -->"],
} as const;

/** All options, those of the built-in addons included. */
export async function allOptions(): Promise<OptionRegistry> {
  const options = new OptionRegistry();
  const log = new TermLog({ level: () => "error", writer: Deno.stderr });
  const proxy = makeProxy({ options, log, onShutdown: () => {} });
  await proxy.load([]);
  await proxy.stop(0);
  return options;
}

function table(rows: readonly (readonly string[])[]): string {
  return rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`).join(
    "",
  );
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

/** The table of all options, one row each. */
export function optionsTable(options: OptionRegistry): string {
  const rows = [...options.names()].map((name) => {
    const { default: value, help } = options.definition(name);
    const shown = Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value);
    return [code(name), code(shown), help];
  });
  return table([["option", "default", "what it does"], ["---", "---", "---"], ...rows]);
}

/** The table of mitmproxy's options and flags, and what weir makes of each. */
export function mitmproxyTable(options: OptionRegistry): string {
  const rows = MITMPROXY_OPTIONS.map(({ name, weir, note }) =>
    weir === "not here" || options.has(name) ? [code(name), weir, note] : [code(name), "not here", NOT_YET]
  );
  const flags = MITMPROXY_FLAGS.map(({ flag, weir, note }) => [code(flag), weir, note]);
  return table([["mitmproxy", "weir", "how, or why not"], ["---", "---", "---"], ...flags, ...rows]);
}

/** The README with both tables in their places. @throws {Error} when a place is not marked. */
export async function withTables(readme: string): Promise<string> {
  const options = await allOptions();
  const texts = { options: optionsTable(options), mitmproxy: mitmproxyTable(options) };
  for (const [name, text] of Object.entries(texts)) {
    const [start, end] = MARKS[name as keyof typeof MARKS];
    const from = readme.indexOf(start), to = readme.indexOf(end);
    if (from < 0 || to < from) throw new Error(`README.md has no place for the table of ${name}.`);
    readme = readme.slice(0, from + start.length) + text + readme.slice(to);
  }
  return readme;
}

if (import.meta.main) await Deno.writeTextFile(README, await withTables(await Deno.readTextFile(README)));
