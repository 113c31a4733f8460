/**
 * Load as a process of its own: `main.ts TASK SPEC`, both as the functions beside it have them, prints the result.
 * @module
 */
import { get } from "./get.ts";
import { events, firstByte } from "./latency.ts";
import { messagesDown, messagesUp } from "./messages.ts";
import { stalled } from "./stalled.ts";
import { download, upload } from "./transfer.ts";

const TASKS = { get, download, upload, events, firstByte, stalled, messagesDown, messagesUp };

export type Tasks = typeof TASKS;

if (import.meta.main) {
  const [name, spec] = Deno.args;
  // The bench is the only caller, and checks both with `Tasks`.
  const task = TASKS[name as keyof Tasks] as (spec: unknown) => Promise<unknown>;
  try {
    console.log(JSON.stringify(await task(JSON.parse(spec))));
    Deno.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
