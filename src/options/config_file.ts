/**
 * `config.yaml` in `confdir`: a mapping from options to values.
 * @module
 */
import { messageOf } from "../errors.ts";
import { shortened } from "../shown.ts";
import { OptionError } from "./error.ts";
import { OPTIONS } from "./table.ts";
import type { OptionRegistry } from "./registry.ts";
import { whyNotHere } from "./unknown.ts";
import { expandHome } from "./values.ts";

/** What a `config.yaml` says. */
export interface ConfigFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, unknown>;
}

/** Name of the file in `confdir`. */
const CONFIG_FILE = "config.yaml";

/**
 * Reads `config.yaml` in `confdir`; null when there is none.
 * @throws {OptionError} when it cannot be read, is not YAML, or is no mapping.
 */
export async function readConfigFile(confdir: string): Promise<ConfigFile | null> {
  const path = `${confdir.replace(/[/\\]+$/, "")}/${CONFIG_FILE}`;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new OptionError("confdir", `${path} cannot be read: ${messageOf(error)}`, error);
  }
  // Imported here because most starts have no such file, and parsing YAML is a good part of weir's code.
  const { parse } = await import("@std/yaml");
  let data: unknown;
  try {
    data = parse(text);
  } catch (error) {
    // The rest of the message is a picture of the line; a complaint of ours is one line.
    const [reason] = messageOf(error).split("\n");
    const [, what, place] = /^(.*?)((?: at line \d+, column \d+)?):?$/.exec(reason)!;
    throw new OptionError("confdir", `${path} is not YAML: ${shortened(what)}${place}`, error);
  }
  if (data === null || data === undefined) return { path, entries: new Map() };
  if (typeof data !== "object" || Array.isArray(data)) {
    throw new OptionError("confdir", `${path} must be a mapping from options to values`);
  }
  return { path, entries: new Map(Object.entries(data)) };
}

/**
 * Applies the entries whose options exist and returns the others, which addons may yet register.
 *
 * `confdir` is left alone: flags have said where the file is. `warn` hears of it when that makes a difference.
 * @throws {OptionError} that names the file, for a value of the wrong type.
 */
export async function applyKnown(
  file: ConfigFile,
  registry: OptionRegistry,
  warn: (text: string) => void = () => {},
): Promise<ConfigFile> {
  const known = new Map<string, unknown>(), rest = new Map<string, unknown>();
  for (const [name, value] of file.entries) {
    if (name === "confdir") {
      const harmless = [registry.values.confdir, expandHome(String(OPTIONS.confdir.default))];
      if (!harmless.includes(expandHome(typeof value === "string" ? value : ""))) {
        warn(`${file.path}: confdir has no effect here, give it as a flag`);
      }
    } else (registry.has(name) ? known : rest).set(name, value);
  }
  await named(file, registry.updateNamed(known));
  return { path: file.path, entries: rest };
}

/** Applies all entries. @throws {OptionError} that names the file, also for an option that does not exist. */
export async function applyAll(file: ConfigFile, registry: OptionRegistry): Promise<void> {
  for (const name of file.entries.keys()) {
    const why = registry.has(name) ? null : await whyNotHere(name);
    if (why !== null) throw new OptionError(name, `${file.path}: option ${name} is not here: ${why}`);
  }
  await named(file, registry.updateNamed(file.entries));
}

async function named(file: ConfigFile, update: Promise<unknown>): Promise<void> {
  try {
    await update;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(error.option, `${file.path}: ${error.message}`, error);
  }
}
