/**
 * A user's first start, and the checkout afterwards: only what weir itself needs is asked for, and nothing is changed.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { runWeir, startWeir } from "./support/weir.ts";

/** Nothing listens there: what would be downloaded is missing. */
const NO_NETWORK = { HTTPS_PROXY: "http://127.0.0.1:1", https_proxy: "http://127.0.0.1:1" };
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Names of the import map's npm packages that nothing but tests imports. */
async function testOnly(): Promise<string[]> {
  const sources = await Promise.all(["main.ts", "src", "addons"].map((path) => textOf(ROOT + path)));
  const named = Object.entries(project.imports).filter(([, target]) => target.startsWith("npm:"));
  return named.filter(([name]) => !sources.join("").includes(`"${name}"`)).map(([, target]) =>
    /^npm:(@[^/]+\/[^@]+|[^@]+)/.exec(target)![1]
  );
}

async function textOf(path: string): Promise<string> {
  if (!(await Deno.stat(path)).isDirectory) return await Deno.readTextFile(path);
  let text = "";
  for await (const { name } of Deno.readDir(path)) text += await textOf(`${path}/${name}`);
  return text;
}

async function copy(from: string, to: string, without: readonly string[], name = ""): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    const inner = name === "" ? entry.name : `${name}/${entry.name}`;
    if (without.includes(inner)) continue;
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (entry.isDirectory) await copy(source, target, without, inner);
    else await Deno.link(source, target);
  }
}

async function deno(args: string[], env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("a user's first start does without the packages of the tests", async () => {
  const { npmCache } = JSON.parse(
    new TextDecoder().decode(
      (await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()).stdout,
    ),
  );
  const names = await testOnly();
  assert(names.includes("fast-check") && names.includes("@grpc/grpc-js"), String(names));
  const dir = await Deno.makeTempDir({ dir: npmCache, prefix: ".weir-first-start-" });
  try {
    // Beside the cache, as links do not go from one file system to another.
    await copy(`${npmCache}/registry.npmjs.org`, `${dir}/npm/registry.npmjs.org`, names);
    const env = { DENO_DIR: dir, ...NO_NETWORK };
    for (const args of [["cache", "main.ts"], ["run", "-A", "main.ts", "--options"]]) {
      const { code, stderr } = await deno(args, env);
      const said = stderr.replace(/\nDependencies:\n(\+ .*\n)+\n?/, "");
      assertEquals({ code, said }, { code: 0, said: "" });
    }
    const { code, stderr } = await deno(["eval", 'import "fast-check";'], env);
    assertEquals(code, 1, "the tests find their packages where there should be none");
    assertMatch(stderr, /fast-check/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("what addons import from npm does not get into weir's deno.lock", async () => {
  const before = await Deno.readTextFile(`${ROOT}deno.lock`);
  // In the cache because asn1js needs it, but nowhere imported by this name.
  const specifier = "npm:pvutils@1.2.0";
  assert(!before.includes(specifier));
  const addon = `import * as first from "${specifier}";
import type { Context } from "weir";
export async function running(ctx: Context) {
  const name = ["npm:pvutils", "1"].join("@^");
  const second = await import(name);
  ctx.log.info("imported " + (Object.keys(first).length > 0 && Object.keys(second).length > 0));
}
`;
  await using weir = await startWeir({ addon });
  await weir.waitForLog(/imported true/);
  await weir.stop();
  assertEquals(await Deno.readTextFile(`${ROOT}deno.lock`), before);
  const broken = await runWeir({
    addon: `import "${specifier}"; import "npm:weir-has-no-such-package@0.0.1";`,
  });
  assertEquals(broken.code, 1);
  assertEquals(await Deno.readTextFile(`${ROOT}deno.lock`), before);
});
