/**
 * Runs one load task in a process of its own.
 * @module
 */
import type { Tasks } from "./main.ts";
import { output } from "../process.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
/** Nothing that is measured takes longer unless it hangs. */
const LIMIT_SECONDS = 120;

/** Runs `task` and resolves to its result. */
export async function load<K extends keyof Tasks>(
  task: K,
  spec: Parameters<Tasks[K]>[0],
): Promise<Awaited<ReturnType<Tasks[K]>>> {
  // Every proxy has a CA of its own, and the client is not what is tested.
  const args = ["run", "-A", "--no-check", "--quiet", "--unsafely-ignore-certificate-errors", MAIN];
  const text = await output(Deno.execPath(), [...args, task, JSON.stringify(spec)], {
    timeoutSeconds: LIMIT_SECONDS,
  });
  return JSON.parse(text);
}
