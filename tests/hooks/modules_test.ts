import { assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { buildKind, setBuildKind } from "../../src/build_kind.ts";
import { importModule, nextGeneration } from "../../src/hooks/modules.ts";
import * as weir from "../../src/mod.ts";

/** Imports a module of this text from outside the project. */
async function imported(text: string): Promise<Record<string, unknown>> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/addon.ts`, text);
    return await importModule(`${directory}/addon.ts`, nextGeneration(), weir);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("all that an addon finds in weir is the proxy's own", async () => {
  const { all } = await imported(`export * as all from "weir";`) as { all: Record<string, unknown> };
  for (const [name, value] of Object.entries(weir)) assertStrictEquals(all[name], value, name);
});

Deno.test("an import that weir does not have is named", async () => {
  const error = await assertRejects(() =>
    imported(`import { replaceStreams } from "weir"; replaceStreams();`)
  );
  assertMatch((error as Error).message, /'weir'.*replaceStreams/);
});

Deno.test("a compiled weir says that it cannot download modules; others do not", async () => {
  // Nothing listens there.
  const text = `import "https://127.0.0.1:1/x.ts";`;
  const before = buildKind();
  try {
    for (const [kind, says] of [["compiled", true], ["unpacked", false], ["sources", false]] as const) {
      setBuildKind(kind);
      const error = await assertRejects(() => imported(text)) as Error;
      assertStrictEquals(
        /a compiled weir cannot download modules/.test(error.message.split("\n")[0]),
        says,
        kind,
      );
    }
  } finally {
    setBuildKind(before);
  }
});
