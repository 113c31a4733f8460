/**
 * The types of the module `weir` as declaration files, made from weir's sources by the `deno` that runs them.
 *
 * What the module shows is all that is kept: of each file the part that other files' types need, and no code.
 * @module
 */
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { TemporaryDirectory } from "../temporary.ts";

/** Declaration files by path; `mod.d.ts` is the module itself. */
export type Declarations = Readonly<Record<string, string>>;

/** The specifier of an import or export of a file of weir's own, with what stands before it. */
const SPECIFIER = /((?:\bfrom|\bimport\(|^import)\s*)"(\.[^"]*?)(\.d)?\.ts"/gm;

/** Makes them. @throws {Error} with what `deno` said when it fails. */
export async function makeDeclarations(): Promise<Declarations> {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const source = join(root, "src");
  const { modules } = JSON.parse(await deno(root, ["info", "--json", "src/mod.ts"])) as {
    modules: readonly { specifier: string; local?: string }[];
  };
  const prefix = pathToFileURL(`${source}/`).href;
  const files = modules.filter(({ specifier }) =>
    specifier.startsWith(prefix) && !specifier.endsWith(".d.ts")
  ).map(({ specifier }) => fileURLToPath(specifier));
  const temporary = new TemporaryDirectory("types");
  const directory = temporary.path;
  try {
    await deno(root, ["transpile", "--quiet", "--declaration", "--outdir", directory, ...files]);
    return await reachable(join(directory, "src"));
  } finally {
    temporary.remove();
  }
}

/** The declaration files that `mod.d.ts` leads to, with their imports set right. */
async function reachable(directory: string): Promise<Declarations> {
  const found: Record<string, string> = {};
  const waiting = ["mod.d.ts"];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (file in found) continue;
    const text = await Deno.readTextFile(join(directory, file));
    found[file] = text.replaceAll(SPECIFIER, (_, before: string, path: string) => {
      waiting.push(
        relative(directory, join(directory, dirname(file!), `${path}.d.ts`)).replaceAll("\\", "/"),
      );
      return `${before}"${path}.d.ts"`;
    });
  }
  return found;
}

async function deno(cwd: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`deno ${args[0]} failed: ${decoder.decode(stderr).trim().split("\n", 1)[0]}`);
}
