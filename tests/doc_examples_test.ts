/** The examples in docstrings run as they stand there: `deno test --doc`. @module */
import { assertEquals, assertMatch } from "@std/assert";

const ROOT = new URL("..", import.meta.url).pathname;

/** All source files that have an example. */
async function* withExamples(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* withExamples(path);
    else if (name.endsWith(".ts") && (await Deno.readTextFile(path)).includes("* ```ts\n")) yield path;
  }
}

Deno.test("every example in the docs of the sources runs", async () => {
  const files = await Array.fromAsync(withExamples(`${ROOT}src`));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Deno imports all that a file exports into its examples, which the strict types of this project do not allow.
    args: ["test", "--doc", "--no-check", "-A", ...files],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  // Each file has one at least.
  assertMatch(text, /ok \| \d+ passed/);
  const [, passed] = /ok \| (\d+) passed/.exec(text)!;
  assertEquals(Number(passed) >= files.length, true);
});
