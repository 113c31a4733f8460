import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { makeDeclarations } from "../../src/cli/declarations.ts";
import { writeTypes } from "../../src/cli/types.ts";
import { WeirError } from "../../src/errors.ts";

async function temporary<T>(test: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir({ prefix: "weir types " });
  try {
    return await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const few = () => Promise.resolve({ "mod.d.ts": "export {};\n", "flow/flow.d.ts": "export {};\n" });

/** Checks addons in a directory; the text of its complaints. */
async function check(directory: string, addon: string): Promise<{ code: number; text: string }> {
  await Deno.writeTextFile(`${directory}/addon.ts`, addon);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "addon.ts"],
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, text: new TextDecoder().decode(stderr) };
}

Deno.test("an addon in a folder of its own is checked against the types of weir, docs and all", async () => {
  await temporary(async (directory) => {
    const declarations = await makeDeclarations();
    await writeTypes(directory, () => Promise.resolve(declarations));
    const good = await check(
      directory,
      `import { type Context, decoded, Headers, type HttpFlow, type Loader, replaceStream } from "weir";
export const failClosed = true;
export function load(loader: Loader) {
  loader.addOption("word", "str", "hello", "What to say.");
}
export function request(flow: HttpFlow, ctx: Context) {
  ctx.log.info(\`\${ctx.options.get("word")} \${flow.request.headers instanceof Headers} \${ctx.options.flow_detail + 1}\`);
  flow.response = new Response("no", { status: 403 });
}
export function responseheaders(flow: HttpFlow) {
  flow.response!.stream = decoded(flow.response!, replaceStream("a", "b"));
}
`,
    );
    assertEquals(good.code, 0, good.text);
    const bad = await check(
      directory,
      `import type { HttpFlow } from "weir";
export function request(flow: HttpFlow) {
  flow.request.port = "80";
  flow.request.contents;
}
`,
    );
    assertEquals(bad.code, 1);
    assertStringIncludes(bad.text, "Type 'string' is not assignable to type 'number'");
    assertStringIncludes(bad.text, "Did you mean 'content'?");
    assertMatch(declarations["mod.d.ts"], /The module `weir` for addons/);
    for (const [file, text] of Object.entries(declarations)) {
      assert(!/from "(npm:|@)/.test(text), `${file} needs a package`);
      for (const [, path] of text.matchAll(/from "(\.[^"]*)"/g)) {
        assert(path.endsWith(".d.ts"), `${file}: ${path}`);
      }
    }
  });
});

Deno.test("a deno.json is written where there is none, and one that is there is left alone", async () => {
  await temporary(async (directory) => {
    const said = await writeTypes(`${directory}/new/deep`, few);
    assertMatch(said, /^Wrote the types of weir \S+ to .*types\/weir, and .*deno\.json, which leads there/);
    assertEquals(JSON.parse(await Deno.readTextFile(`${directory}/new/deep/deno.json`)), {
      imports: { weir: "./types/weir/mod.d.ts" },
    });
    for (const name of ["deno.json", "deno.jsonc"]) {
      const place = `${directory}/${name} dir`;
      await Deno.mkdir(place);
      await Deno.writeTextFile(`${place}/${name}`, "{ /* mine */ }");
      assertStringIncludes(await writeTypes(place, few), `"weir": "./types/weir/mod.d.ts"`);
      assertEquals(await Deno.readTextFile(`${place}/${name}`), "{ /* mine */ }");
      assertEquals([...Deno.readDirSync(place)].map(({ name }) => name).sort(), [name, "types"]);
    }
  });
});

Deno.test("types of another version are replaced, and nothing else is", async () => {
  await temporary(async (directory) => {
    await Deno.mkdir(`${directory}/types/mine`, { recursive: true });
    await writeTypes(directory, few);
    await Deno.writeTextFile(`${directory}/types/weir/gone.d.ts`, "");
    await writeTypes(directory, few);
    assertEquals([...Deno.readDirSync(`${directory}/types/weir`)].map(({ name }) => name).sort(), [
      "flow",
      "mod.d.ts",
    ]);
    assertEquals([...Deno.readDirSync(`${directory}/types`)].map(({ name }) => name).sort(), [
      "mine",
      "weir",
    ]);
  });
});

Deno.test("a directory that cannot be written to is named", async () => {
  await temporary(async (directory) => {
    await Deno.writeTextFile(`${directory}/file`, "");
    const error = await assertRejects(() => writeTypes(`${directory}/file`, few), WeirError);
    assertMatch(error.message, /^--types cannot write to .*\/file: /);
  });
});
