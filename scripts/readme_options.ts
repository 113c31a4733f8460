/**
 * Writes the options table of README.md from the registry: `deno run -A scripts/readme_options.ts`. A test compares both.
 * @module
 */
import { OptionRegistry } from "../src/options/mod.ts";
import { makeProxy } from "../src/cli/wiring.ts";
import { TermLog } from "../src/cli/log.ts";

const README = new URL("../README.md", import.meta.url);
const START = "<!-- options: deno run -A scripts/readme_options.ts -->\n\n";
const END = "\n<!-- /options -->";

/** The table, one row per option, those of the built-in addons included. */
export async function optionsTable(): Promise<string> {
  const options = new OptionRegistry();
  const log = new TermLog({ level: () => "error", writer: Deno.stderr });
  const proxy = makeProxy({ options, log, onShutdown: () => {} });
  await proxy.load([]);
  await proxy.stop(0);
  const rows = [...options.names()].map((name) => {
    const { default: value, help } = options.definition(name);
    const shown = Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value);
    return [`\`${name}\``, shown === "" ? "" : `\`${shown}\``, help.replaceAll("|", "\\|")];
  });
  return [["option", "default", "what it does"], ["---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** The README with the table in its place. @throws {Error} when the place is not marked. */
export function withTable(readme: string, table: string): string {
  const from = readme.indexOf(START), to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error("README.md has no place for the options table.");
  return readme.slice(0, from + START.length) + table + readme.slice(to);
}

if (import.meta.main) {
  const readme = await Deno.readTextFile(README);
  await Deno.writeTextFile(README, withTable(readme, await optionsTable()));
}
