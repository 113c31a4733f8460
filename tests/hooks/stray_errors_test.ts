import { assert, assertEquals, assertMatch } from "@std/assert";
import * as weir from "../../src/mod.ts";
import { WeirError } from "../../src/errors.ts";
import { AddonManager } from "../../src/hooks/loader.ts";
import { catchStrayErrors } from "../../src/hooks/stray_errors.ts";
import { addonHost, httpFlow } from "../support/addon_host.ts";

Deno.test("what an addon throws in a timer or a promise that it does not await is logged with file and line, and ends nothing", async () => {
  const directory = Deno.makeTempDirSync();
  const host = addonHost();
  const manager = new AddonManager(host.ctx, host.options, weir);
  const script = `${directory}/a.ts`;
  Deno.writeTextFileSync(
    script,
    `export function request(flow) {
  Promise.reject(new Error("floating"));
  setTimeout(() => { throw new Error("in a timer"); }, 0);
}
`,
  );
  try {
    await manager.load([{ script }]);
    await manager.dispatcher.trigger("request", httpFlow());
    assertMatch(
      await host.logged(/floating/),
      /^error: Addon \S+\/a\.ts:2: floating \(not awaited by any hook\)$/,
    );
    assertMatch(await host.logged(/in a timer/), /^error: Addon \S+\/a\.ts:3: in a timer /);
  } finally {
    await manager.close();
    Deno.removeSync(directory, { recursive: true });
  }
});

/** What becomes of an error that nobody waits for: whether it was taken, and what was logged. */
function stray(thrown: unknown, scripts: string[]): { taken: boolean; lines: string[] } {
  const lines: string[] = [];
  const stop = catchStrayErrors({ log: (text) => lines.push(text), scripts: () => scripts });
  try {
    const promise = Promise.reject(thrown);
    promise.catch(() => {});
    const event = new PromiseRejectionEvent("unhandledrejection", {
      promise,
      reason: thrown,
      cancelable: true,
    });
    return { taken: !globalThis.dispatchEvent(event), lines };
  } finally {
    stop();
  }
}

Deno.test("an error whose stack tells nothing is taken for the scripts'", () => {
  assertEquals(stray("no stack", ["/a.ts", "/b.ts"]), {
    taken: true,
    lines: ["Addon /a.ts or /b.ts: no stack (not awaited by any hook)"],
  });
});

Deno.test("weir's own stray errors, and all when there is no script, are left to the runtime", () => {
  assert(!stray(new WeirError("weir", "internal", "a bug"), ["/a.ts"]).taken);
  assert(!stray("no stack", []).taken);
});
