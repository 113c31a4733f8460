import { assert, assertEquals } from "@std/assert";
import project from "../../deno.json" with { type: "json" };
import { allOptions, mitmproxyTable, optionsTable } from "../../scripts/readme_options.ts";
import { listFlags } from "../../src/cli/flag_list.ts";

const ROOT = new URL("../../", import.meta.url);
const readme = await Deno.readTextFile(new URL("README.md", ROOT));

/** Rows without the padding that the formatter adds. */
function rows(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("|") && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) => line.replaceAll(/\s*\|\s*/g, "|"));
}

/** The rows between the marks of a table. */
function rowsOf(name: string): string[] {
  return rows(readme.slice(readme.indexOf(`<!-- ${name}`), readme.indexOf(`<!-- /${name}`)));
}

Deno.test("README's tables of options are what the registry says, and what is said of mitmproxy's", async () => {
  const options = await allOptions();
  assertEquals(rowsOf("options"), rows(optionsTable(options)));
  assertEquals(rowsOf("mitmproxy"), rows(mitmproxyTable(options)));
});

Deno.test("README's examples in TypeScript are right", async () => {
  const examples = [...readme.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, text]) => text);
  assert(examples.length > 3);
  const dir = await Deno.makeTempDir({ prefix: "weir-readme-" });
  try {
    const files = examples.map((_, i) => `${dir}/example${i}.ts`);
    await Promise.all(files.map((file, i) => Deno.writeTextFile(file, `${examples[i]}\nexport {};\n`)));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--config", new URL("deno.json", ROOT).pathname, ...files],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("README names flags, tasks and files that there are", async () => {
  const options = await allOptions();
  const flags = new Set(listFlags(options).flatMap(({ names }) => names));
  // What stands behind weir's own name, in commands and in the text.
  const commands = readme.matchAll(/(?:\bmain\.ts|`weir|^ +(?:\$ )?weir) ([^`\n]*)/gm);
  for (const [, rest] of commands) {
    const [own] = rest.split(/ -- | \| /);
    for (const [flag] of own.matchAll(/(?<=^|\s)--?[a-z][a-z-]*/g)) {
      assert(flags.has(flag) || /^-[a-z]{2,}$/.test(flag), `${flag} in: ${rest}`);
    }
  }
  for (const [, task] of readme.matchAll(/(?:deno|deno@[\d.]+) task ([a-z]+)/g)) {
    assert(task in project.tasks, task);
  }
  for (const [, path] of readme.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)) await Deno.stat(new URL(path, ROOT));
  for (const [, place] of readme.matchAll(/\]\(#([^)]+)\)/g)) {
    const headings = [...readme.matchAll(/^#+ (.*)$/gm)].map(([, text]) =>
      text.toLowerCase().replaceAll(/[^\w\s-]/g, "").replaceAll(" ", "-")
    );
    assert(headings.includes(place), place);
  }
});
