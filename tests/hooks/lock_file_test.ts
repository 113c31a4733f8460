import { assertEquals } from "@std/assert";
import { LockFile } from "../../src/hooks/lock_file.ts";

const LOCK = {
  version: "5",
  specifiers: { "npm:a@1": "1.0.0" },
  npm: {},
  workspace: { dependencies: ["npm:a@1"] },
};
const WITH_MORE = { ...LOCK, specifiers: { ...LOCK.specifiers, "npm:left-pad@1.3.0": "1.3.0" } };
const text = (lock: unknown) => JSON.stringify(lock, null, 2) + "\n";

/** What the file holds in the end, when it was remembered and then written to. */
function kept(before: string, after: string): { content: string; names: string[] } {
  const directory = Deno.makeTempDirSync();
  try {
    const path = new URL(`file://${directory}/deno.lock`);
    Deno.writeTextFileSync(path, before);
    const lock = new LockFile(path);
    lock.remember();
    Deno.writeTextFileSync(path, after);
    lock.putBack();
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    return { content: Deno.readTextFileSync(path), names };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("what an addon's imports add to the lock file is taken out again", () => {
  assertEquals(kept(text(LOCK), text(WITH_MORE)), { content: text(LOCK), names: ["deno.lock"] });
});

for (
  const [what, changed] of [
    ["a package that deno.json asks for", {
      ...WITH_MORE,
      workspace: { dependencies: ["npm:a@1", "npm:b@1"] },
    }],
    ["another version of a package", { ...LOCK, specifiers: { "npm:a@1": "1.0.1" } }],
    ["another version of the format", { ...WITH_MORE, version: "6" }],
  ] as const
) {
  Deno.test(`a lock file with ${what} is somebody's work, and stays`, () => {
    assertEquals(kept(text(LOCK), text(changed)).content, text(changed));
  });
}

Deno.test("what is no lock file stays as it is", () => {
  assertEquals(kept(text(LOCK), "<<<<<<< HEAD").content, "<<<<<<< HEAD");
});

Deno.test("somebody's change is what is kept from then on", () => {
  const path = Deno.makeTempFileSync();
  try {
    const file = new LockFile(new URL(`file://${path}`));
    Deno.writeTextFileSync(path, text(LOCK));
    file.remember();
    const pulled = { ...LOCK, workspace: { dependencies: [] } };
    Deno.writeTextFileSync(path, text(pulled));
    file.putBack();
    Deno.writeTextFileSync(path, text({ ...pulled, specifiers: WITH_MORE.specifiers }));
    file.putBack();
    assertEquals(Deno.readTextFileSync(path), text(pulled));
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("where there is no lock file none is made", () => {
  const directory = Deno.makeTempDirSync();
  try {
    const file = new LockFile(new URL(`file://${directory}/deno.lock`));
    file.remember();
    file.putBack();
    assertEquals([...Deno.readDirSync(directory)], []);
  } finally {
    Deno.removeSync(directory);
  }
});
