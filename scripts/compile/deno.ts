/**
 * Running the `deno` that runs this script, on the project.
 * @module
 */
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };

/** The directory that holds `deno.json`. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
/** weir's version. */
export const VERSION: string = project.version;
/** Flags under which the program runs wherever its `deno.json` is not beside it. */
export const RUN_FLAGS: readonly string[] = [
  "-A",
  ...project.unstable.map((feature) => `--unstable-${feature}`),
];

/**
 * Runs `deno` in the project's directory, without the environment variables in `without`, and resolves to what it prints.
 * @throws {Error} with what it said when it fails.
 */
export async function deno(args: readonly string[], without: readonly string[] = []): Promise<string> {
  const env: Record<string, string> = { ...Deno.env.toObject(), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  for (const name of without) delete env[name];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const said = new TextDecoder().decode(stderr).split("\n\nStack backtrace")[0].trim();
  throw new Error(`deno ${args[0]} failed: ${said.replaceAll(/\s*\n\s*/g, " ")}`);
}

/** Where `deno` keeps what it downloads. */
export async function denoDirs(): Promise<{ readonly denoDir: string; readonly npmCache: string }> {
  return JSON.parse(await deno(["info", "--json"]));
}
