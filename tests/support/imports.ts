/**
 * Who imports whom in weir's own sources, read from their texts: imports and exports of values and types, and import() of a
 * literal name. Names of libraries are left out; `weir` and `weir/proxy` are the files that they stand for.
 * @module
 */

/** The files of a program, by their paths from the root, each with the paths that it imports. */
export type Imports = ReadonlyMap<string, readonly string[]>;

const OWN_NAMES: Readonly<Record<string, string>> = {
  "weir": "src/mod.ts",
  "weir/proxy": "src/embed/mod.ts",
};

/** A declaration starts its line, as `deno fmt` has it; what stands in comments and in most texts does not. */
const DECLARATION =
  /^(?:import|export)(?:\s+type)?(?:\s+[\w$]+\s*,?)?(?:\s*\*(?:\s+as\s+[\w$]+)?|\s*\{[^}]*\})?(?:\s*from)?\s*"([^"]+)"/gm;
const CALL = /\bimport\(\s*"([^"]+)"/g;

/** The names that a module's text imports from, each once. */
export function importedNames(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  return [...new Set([...code.matchAll(DECLARATION), ...code.matchAll(CALL)].map(([, name]) => name))];
}

/** All files of these directories and single files, with what they import. `root` is a URL that ends with a slash. */
export async function readImports(root: URL, places: readonly string[]): Promise<Imports> {
  const imports = new Map<string, string[]>();
  for (const place of places) {
    for await (const path of filesIn(root, place)) {
      if (!path.endsWith(".ts") || path.endsWith(".d.ts")) continue;
      const names = importedNames(await Deno.readTextFile(new URL(path, root)));
      imports.set(path, names.flatMap((name) => resolved(path, name)));
    }
  }
  return imports;
}

function resolved(path: string, name: string): string[] {
  if (name.startsWith(".")) return [new URL(name, `file:///${path}`).pathname.slice(1)];
  const own = OWN_NAMES[name];
  return own === undefined ? [] : [own];
}

/** The paths of the files below `place`, or `place` itself where it is a file; none where it is not there. */
async function* filesIn(root: URL, place: string): AsyncGenerator<string> {
  const info = await Deno.stat(new URL(place, root)).catch(() => null);
  if (info?.isFile) yield place;
  if (!info?.isDirectory) return;
  for await (const entry of Deno.readDir(new URL(place, root))) {
    yield* filesIn(root, `${place}/${entry.name}`);
  }
}
