/**
 * `--types DIR`: what an editor and `deno check` need to know the module `weir` in a folder of one's own.
 *
 * Written are the declaration files, below `types/weir/`, and a `deno.json` that leads there, where there is
 * none. weir itself needs neither: addons find `weir` without.
 * @module
 */
import { dirname, join } from "node:path";
import { buildKind } from "../build_kind.ts";
import { WeirError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { type Declarations, makeDeclarations } from "./declarations.ts";

/** Where an executable has what {@linkcode makeDeclarations} made of its sources, as JSON. */
export const DECLARATIONS_FILE = "dist/declarations.json";
/** The same where all of weir is one file: a property of `globalThis`. */
export const DECLARATIONS_KEY = "weir.declarations";

/** Below the directory that is asked for. */
const TYPES = "types/weir";
const CONFIG = { imports: { weir: `./${TYPES}/mod.d.ts` } };

/**
 * Writes all of it; resolves to what to tell the user. @throws {WeirError} when it cannot be made or written.
 */
export async function writeTypes(
  directory: string,
  make: () => Promise<Declarations> = declarationsOf,
): Promise<string> {
  try {
    const declarations = await make();
    const target = join(directory, TYPES);
    // Files of another version would stay beside those of this one.
    if (await isThere(join(target, "mod.d.ts"))) await Deno.remove(target, { recursive: true });
    for (const [file, text] of Object.entries(declarations)) {
      await Deno.mkdir(dirname(join(target, file)), { recursive: true });
      await Deno.writeTextFile(join(target, file), text);
    }
    const wrote = `Wrote the types of weir ${VERSION} to ${target}`;
    for (const name of ["deno.json", "deno.jsonc"]) {
      const config = join(directory, name);
      if (!await isThere(config)) continue;
      return `${wrote}. ${config} is yours: its "imports" should have\n    "weir": "${CONFIG.imports.weir}"\n`;
    }
    const config = join(directory, "deno.json");
    await Deno.writeTextFile(config, `${JSON.stringify(CONFIG, null, 2)}\n`);
    return `${wrote}, and ${config}, which leads there.\nCheck an addon: deno check ${
      join(directory, "ADDON.ts")
    }\n`;
  } catch (error) {
    throw WeirError.from(error, "weir", "internal", `--types cannot write to ${directory}`);
  }
}

async function declarationsOf(): Promise<Declarations> {
  switch (buildKind()) {
    case "sources":
      return await makeDeclarations();
    case "compiled":
      return JSON.parse(await Deno.readTextFile(new URL(`../../${DECLARATIONS_FILE}`, import.meta.url)));
    case "unpacked":
      return JSON.parse(Reflect.get(globalThis, Symbol.for(DECLARATIONS_KEY)));
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
