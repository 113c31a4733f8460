/**
 * Programs that some tests drive. `.ci/run` installs them; where one is missing its tests are skipped, and say so.
 * @module
 */

/** True when `tool` is on PATH; else says which test is left out for it. */
export function has(tool: string, test: string): boolean {
  for (const directory of [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin"]) {
    try {
      if (Deno.statSync(`${directory}/${tool}`).isFile) return true;
    } catch {
      // Not there.
    }
  }
  console.warn(`Skipped, as there is no ${tool} on PATH: ${test}`);
  return false;
}
