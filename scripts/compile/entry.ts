/**
 * Where the program of an unpacking executable begins: `main.ts`, but for what the launcher tells it, and that the same
 * file is what workers run.
 * @module
 */
import { setBuildKind } from "../../src/build_kind.ts";
import { run } from "../../src/cli/run.ts";

setBuildKind("unpacked");
if ("WorkerGlobalScope" in globalThis) {
  await import("../../src/cli/worker.ts");
} else {
  // What the launcher set for this process is not for the commands that it starts.
  for (const name of Deno.env.get("WEIR_UNSET")?.split(",") ?? []) Deno.env.delete(name);
  Deno.exit(await run(Deno.args));
}
