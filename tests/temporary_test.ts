import { assert, assertEquals, assertThrows } from "@std/assert";
import { removeAbandoned, TemporaryDirectory } from "../src/temporary.ts";

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

/** A place of its own, which is removed at the end. */
async function inPlace(use: (place: string) => Promise<void>): Promise<void> {
  const place = await Deno.makeTempDir({ prefix: "weir-place-" });
  try {
    await use(place);
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

Deno.test("a temporary directory is its user's alone, and gone when it is removed, with all that is in it", () =>
  inPlace(async (place) => {
    const directory = new TemporaryDirectory("what", place);
    assert(directory.path.startsWith(`${place}/weir-what-`));
    assertEquals(Deno.statSync(directory.path).mode! & 0o777, 0o700);
    await Deno.writeTextFile(`${directory.path}/file`, "x");
    directory.remove();
    directory.remove();
    assertEquals(namesIn(place), []);
    const other = new TemporaryDirectory("", place);
    await other.removeWithin(1_000);
    assertEquals(namesIn(place), []);
    assertThrows(() => new TemporaryDirectory("", `${place}/nowhere`));
  }));

Deno.test("what a killed process left is removed; what is in use, is being made or is not weir's stays", () =>
  inPlace(async (place) => {
    const module = new URL("../src/temporary.ts", import.meta.url).href;
    const program = `const { TemporaryDirectory } = await import(${JSON.stringify(module)});
      const { path } = new TemporaryDirectory();
      await Deno.writeTextFile(path + "/body", "left behind");
      console.log("made");
      setInterval(() => {}, 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
      env: { TMPDIR: place },
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const { TMPDIR } = Deno.env.toObject();
    Deno.env.set("TMPDIR", place);
    const used = new TemporaryDirectory();
    if (TMPDIR === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", TMPDIR);
    Deno.mkdirSync(`${place}/weir-being-made`);
    Deno.mkdirSync(`${place}/other`);
    Deno.writeTextFileSync(`${place}/other/.weir-lock`, "");
    Deno.writeTextFileSync(`${place}/weir-file`, "");
    Deno.symlinkSync(`${place}/other`, `${place}/weir-link`);
    await removeAbandoned(place);
    assertEquals(namesIn(place).length, 6);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await removeAbandoned(place);
    const kept = ["other", "weir-being-made", "weir-file", "weir-link", used.path.split("/").at(-1)!].sort();
    assertEquals(namesIn(place), kept);
    used.remove();
    await removeAbandoned(`${place}/nowhere`);
  }));
