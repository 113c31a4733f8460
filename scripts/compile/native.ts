/**
 * The compiled kind of executable: `deno compile`, whose output is Deno's runtime with the program appended.
 * @module
 */
import { dirname } from "node:path";
import { makeDeclarations } from "../../src/cli/declarations.ts";
import { DECLARATIONS_FILE } from "../../src/cli/types.ts";
import { deno, denoDirs, ROOT, RUN_FLAGS } from "./deno.ts";
import { isHost, type Target } from "./targets.ts";

/** Where `deno compile` downloads its runtime from. */
const RUNTIME_HOST = "https://dl.deno.land";
/** Milliseconds for an answer from there: plenty on any working line, short enough to wait for where there is none. */
const PATIENCE = 5000;

/** Why `deno compile` cannot get a runtime for a target, in one sentence; null when it can. */
export async function missingRuntime(target: Target): Promise<string | null> {
  if (denortFor(target) !== undefined) return null;
  const path = `release/v${Deno.version.deno}/denort-${target.triple}.zip`;
  const { denoDir } = await denoDirs();
  if (await exists(`${denoDir}/dl/${path}`)) return null;
  try {
    const response = await fetch(`${RUNTIME_HOST}/${path}`, {
      method: "HEAD",
      signal: AbortSignal.timeout(PATIENCE),
    });
    await response.body?.cancel();
    return response.ok ? null : `${RUNTIME_HOST}/${path} answers ${response.status}`;
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    return `${RUNTIME_HOST} ${isLate ? `does not answer within ${PATIENCE} ms` : "cannot be reached"}`;
  }
}

/** Compiles `main.ts` with all of `addons/` to `file`. */
export async function compileNative(target: Target, file: string): Promise<void> {
  const declarations = `${ROOT}${DECLARATIONS_FILE}`;
  await Deno.mkdir(dirname(declarations), { recursive: true });
  await Deno.writeTextFile(declarations, JSON.stringify(await makeDeclarations()));
  await deno(
    [
      "compile",
      ...RUN_FLAGS,
      "--no-check",
      "--frozen",
      // Else everything in the lock file is in the executable, what only tests need included.
      "--exclude-unused-npm",
      "--target",
      target.triple,
      "--include",
      "addons",
      "--include",
      "src/cli/worker.ts",
      "--include",
      DECLARATIONS_FILE,
      "--app-name",
      "weir",
      "--output",
      file,
      "main.ts",
    ],
    denortFor(target) === undefined ? ["DENORT_BIN"] : [],
  );
  if (isHost(target)) await checkRuns(file);
}

/** A runtime that is given is for the machine at hand. */
function denortFor(target: Target): string | undefined {
  return isHost(target) ? Deno.env.get("DENORT_BIN") || undefined : undefined;
}

/** A plain `deno` as runtime makes a file that starts, but as `deno`. */
async function checkRuns(file: string): Promise<void> {
  const { stdout } = await new Deno.Command(file, { args: ["--version"], stdin: "null" }).output();
  if (!/^weir:/m.test(new TextDecoder().decode(stdout))) {
    await Deno.remove(file);
    throw new Error(
      `${file} does not run weir: DENORT_BIN must name a denort, not ${Deno.env.get("DENORT_BIN")}.`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
