import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import * as weir from "../../src/mod.ts";
import { WeirError } from "../../src/errors.ts";
import { AddonManager } from "../../src/hooks/loader.ts";
import { replaceStream } from "../../src/mod.ts";
import { type AddonHost, addonHost, httpFlow } from "../support/addon_host.ts";

/** A manager, and a directory for scripts outside the project; both are gone afterwards. */
class Setting implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();
  readonly host: AddonHost = addonHost();
  readonly manager = new AddonManager(this.host.ctx, this.host.options, weir);

  /** Writes as editors do: another file, renamed over the old one. */
  write(name: string, text: string): string {
    const path = `${this.directory}/${name}`;
    Deno.writeTextFileSync(`${path}~`, text);
    Deno.renameSync(`${path}~`, path);
    return path;
  }

  /** Loads, configures, runs. */
  async start(...scripts: string[]): Promise<void> {
    await this.manager.load(scripts.map((script) => ({ script })));
    await this.manager.configure(new Set(this.host.options.names()));
    await this.manager.running();
    this.host.lines.length = 0;
  }

  /** What the addons' `request` hooks have written into a header. */
  async seen(): Promise<string | null> {
    const flow = httpFlow();
    await this.manager.dispatcher.trigger("request", flow);
    return flow.request.headers.get("x-seen");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager.done();
    await this.manager.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** A script whose `request` hook says `value`. */
function saying(value: string, more = ""): string {
  return `${more}
export function request(flow) {
  flow.request.headers.append("x-seen", ${value});
}
export function running(ctx) {
  ctx.log.info("running " + ${value});
}
`;
}

Deno.test("an addon that says it is off is not called until it no longer says so", async () => {
  await using setting = new Setting();
  const script = setting.write(
    "lazy.ts",
    `let isOn = false;
    export function load(loader) { loader.addOption("lazy_on", "bool", false, "Whether."); }
    export function configure(options) { isOn = options.get("lazy_on"); }
    export function isOff() { return !isOn; }
    export function request(flow) { flow.request.headers.set("x-seen", "lazy"); }`,
  );
  await setting.start(script);
  assertEquals(setting.manager.dispatcher.has("request"), false);
  for (const [isOn, seen] of [[true, "lazy"], [false, null]] as const) {
    await setting.host.options.updateNamed([["lazy_on", isOn]]);
    await setting.manager.configure(new Set(["lazy_on"]));
    assertEquals(await setting.seen(), seen);
  }
});

Deno.test("a value that an addon refuses with an OptionError is told as it is", async () => {
  await using setting = new Setting();
  const script = setting.write(
    "picky.ts",
    `import { OptionError } from "weir";
    export function load(loader) { loader.addOption("colour", "str", "red", "Which."); }
    export function configure() { throw new OptionError("colour", "option colour: red is none"); }`,
  );
  await setting.manager.load([{ script }]);
  const error = await assertRejects(() => setting.manager.configure(new Set(["colour"])), WeirError);
  assertEquals(error.message, "option colour: red is none");
});

Deno.test("a script is loaded, and says so", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", saying(`"a" as string`));
  await setting.manager.load([{ script: path }]);
  assertEquals(setting.host.lines, [`info: Loading script ${path}`]);
  assertEquals(await setting.seen(), "a");
});

for (const name of ["a.js", "a.mjs", "name with spaces é.ts"]) {
  Deno.test(`a script may be called ${name}`, async () => {
    await using setting = new Setting();
    await setting.start(setting.write(name, saying(`"a"`)));
    assertEquals(await setting.seen(), "a");
  });
}

Deno.test("addons run in the order given", async () => {
  await using setting = new Setting();
  const builtin = (value: string) => ({
    name: value,
    builtin: true,
    addon: { request: (flow: ReturnType<typeof httpFlow>) => flow.request.headers.append("x-seen", value) },
  });
  const b = setting.write("b.ts", saying(`"b"`)), a = setting.write("a.ts", saying(`"a"`));
  await setting.manager.load([
    builtin("first"),
    { script: b },
    { script: a },
    builtin("last"),
  ]);
  assertEquals(await setting.seen(), "first, b, a, last");
});

Deno.test("the life of an addon: load, configure, running, done, with what each is given", async () => {
  const host = addonHost();
  const manager = new AddonManager(host.ctx, host.options, weir);
  const seen: string[] = [];
  class Life {
    load(loader: object, ctx: unknown) {
      seen.push(`load ${"addOption" in loader} ${ctx === host.ctx}`);
    }
    async configure(options: { flow_detail: number }, changed: ReadonlySet<string>, ctx: unknown) {
      await Promise.resolve();
      seen.push(`configure ${options.flow_detail} ${changed.has("flow_detail")} ${ctx === host.ctx}`);
    }
    running(_: unknown, ctx: unknown) {
      seen.push(`running ${ctx === host.ctx}`);
    }
    done(_: unknown, ctx: unknown) {
      seen.push(`done ${ctx === host.ctx}`);
    }
  }
  await manager.load([{ name: "life", addon: Life, builtin: false }]);
  await manager.configure(new Set(host.options.names()));
  await manager.running();
  await manager.done();
  await manager.close();
  assertEquals(seen, ["load true true", "configure 1 true true", "running true", "done true"]);
});

Deno.test("options of addons are options", async () => {
  await using setting = new Setting();
  const path = setting.write(
    "a.ts",
    `
import type { Loader } from "weir";
export function load(loader: Loader) {
  loader.addOption("greeting", "str", "hello", "What to say.");
}
export default class {
  greeting = "";
  configure(options) {
    this.greeting = options.greeting;
  }
  request(flow) {
    flow.request.headers.set("x-seen", this.greeting);
  }
}
`,
  );
  await setting.start(path);
  assertEquals(await setting.seen(), "hello");
  setting.host.options.subscribe((changed) => setting.manager.configure(changed));
  await setting.host.options.updateNamed([["greeting", "salut"]]);
  assertEquals(await setting.seen(), "salut");
});

Deno.test("an addon outside the project gets the proxy's own weir, in all its files", async () => {
  await using setting = new Setting();
  setting.write("below.ts", `import { replaceStream } from "weir";\nexport { replaceStream };`);
  const path = setting.write(
    "a.ts",
    `
import { replaceStream as below } from "./below.ts";
import { replaceStream, type HttpFlow } from "weir";
export function request(flow: HttpFlow) {
  flow.metadata.found = [replaceStream, below];
}
`,
  );
  await setting.start(path);
  const flow = httpFlow();
  await setting.manager.dispatcher.trigger("request", flow);
  const [direct, below] = flow.metadata.found as unknown[];
  assert(direct === replaceStream);
  assert(below === replaceStream);
});

Deno.test("an error in a hook is logged with file and line, also of a file that the script imports", async () => {
  await using setting = new Setting();
  setting.write(
    "below.ts",
    `enum Kind { A }\nexport function fail(): never {\n  throw new RangeError("too deep " + Kind.A);\n}`,
  );
  const path = setting.write(
    "a.ts",
    `
import { fail } from "./below.ts";
interface Unused {
  a: string;
}
export function request() {
  fail();
}
export async function response() {
  await null;
  null.x;
}
`,
  );
  await setting.start(path);
  await setting.manager.dispatcher.trigger("request", httpFlow());
  await setting.manager.dispatcher.trigger("response", httpFlow());
  const [request, response] = setting.host.lines;
  assertStringIncludes(
    request,
    `error: Addon ${setting.directory}/below.ts:3: RangeError: too deep 0 (in request)`,
  );
  assertStringIncludes(response, `error: Addon ${path}:11: TypeError: `);
});

const BROKEN: [what: string, text: string, message: RegExp][] = [
  [
    "has a syntax error",
    "export function request() {\n  const x = ;\n}",
    /^Addon \S+\/a\.ts:2: SyntaxError: [^\n]+$/,
  ],
  ["throws", `\n\nthrow new Error("at the top");`, /^Addon \S+\/a\.ts:3: at the top$/],
  [
    "imports what is not there",
    `import "./none.ts";`,
    /^Addon \S+\/a\.ts:1: Module not found "\S+\/none\.ts"\.$/,
  ],
  [
    "imports a name that is not there",
    `\nimport { nope } from "weir";\nnope;`,
    /^Addon \S+\/a\.ts:2: SyntaxError: .*nope'?$/,
  ],
  [
    "throws in load",
    `\nexport function load() {\n  throw new Error("no");\n}`,
    /^Addon \S+\/a\.ts:3: no \(in load\)$/,
  ],
  [
    "registers an option of weir's",
    `export function load(loader) {\n  loader.addOption("scripts", "list", [], "");\n}`,
    /^Addon \S+\/a\.ts:2: option scripts exists already.* \(in load\)$/,
  ],
  [
    "exports a plain function by default",
    "export default () => {};",
    /^Addon \S+\/a\.ts: the default export is a function/,
  ],
  [
    "throws in its constructor",
    `export default class {\n  constructor() {\n    throw new Error("no");\n  }\n}`,
    /a\.ts:3: no$/,
  ],
];

for (const [what, text, message] of BROKEN) {
  Deno.test(`a script that ${what} is refused at the start, in one line`, async () => {
    await using setting = new Setting();
    const path = setting.write("a.ts", text);
    const error = await assertRejects(() => setting.manager.load([{ script: path }]), WeirError);
    assertMatch(error.message, message);
  });
}

Deno.test("a syntax error in a file that the script imports is told with that file", async () => {
  await using setting = new Setting();
  setting.write("below.ts", "\nexport const x = ;");
  const path = setting.write("a.ts", `import "./below.ts";`);
  const error = await assertRejects(() => setting.manager.load([{ script: path }]), WeirError);
  assertMatch(error.message, /^Addon \S+\/below\.ts:2: SyntaxError: [^\n]+$/);
});

Deno.test("a script that is not there is refused at the start", async () => {
  await using setting = new Setting();
  await assertRejects(
    () => setting.manager.load([{ script: `${setting.directory}/none.ts` }]),
    WeirError,
    `No such script: ${setting.directory}/none.ts`,
  );
});

Deno.test("configure that throws is an error with file and line", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", `export function configure() {\n  throw new Error("bad value");\n}`);
  await setting.manager.load([{ script: path }]);
  const error = await assertRejects(() => setting.manager.configure(new Set()), WeirError);
  assertEquals(error.message, `Addon ${path}:2: bad value (in configure)`);
});

Deno.test("a misspelt hook is told", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", "export function responseHeaders() {}");
  await setting.manager.load([{ script: path }]);
  assertEquals(
    setting.host.lines[1],
    `warn: Addon ${path}: responseHeaders is no hook; did you mean responseheaders?`,
  );
});

Deno.test("a script that changes is loaded again: done of the old one, then the new one's life", async () => {
  await using setting = new Setting();
  const text = (version: number) => `
const log = [];
export function load(_, ctx) { ctx.log.info("load ${version}"); }
export function configure(_, changed, ctx) { ctx.log.info("configure ${version} " + changed.has("flow_detail")); }
export function running(ctx) { ctx.log.info("running ${version}"); }
export function done(ctx) { ctx.log.info("done ${version}"); }
export function request(flow) { flow.request.headers.set("x-seen", "${version}"); }
`;
  const path = setting.write("a.ts", text(1));
  await setting.start(path);
  assertEquals(await setting.seen(), "1");
  setting.write("a.ts", text(2));
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
  assertEquals(setting.host.lines, [
    `info: Loading script ${path}`,
    "info: done 1",
    "info: load 2",
    "info: configure 2 true",
    "info: running 2",
  ]);
});

Deno.test("a script is loaded again when a file changes that it imports through another one, in place", async () => {
  await using setting = new Setting();
  Deno.mkdirSync(`${setting.directory}/lib`);
  setting.write("lib/deep.ts", "export enum Value { One = 1 }\nexport const value = String(Value.One);");
  setting.write("lib/mid.ts", `export * from "./deep.ts";`);
  await setting.start(setting.write("a.ts", saying("value", `import { value } from "./lib/mid.ts";`)));
  assertEquals(await setting.seen(), "1");
  Deno.writeTextFileSync(`${setting.directory}/lib/deep.ts`, `export const value: string = "2";`);
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
});

Deno.test("a file that the new version imports is watched, too", async () => {
  await using setting = new Setting();
  await setting.start(setting.write("a.ts", saying(`"1"`)));
  Deno.mkdirSync(`${setting.directory}/lib`);
  setting.write("lib/b.ts", `export const value = "2";`);
  setting.write("a.ts", saying("value", `import { value } from "./lib/b.ts";`));
  await setting.host.logged(/running 2/);
  setting.write("lib/b.ts", `export const value = "3";`);
  await setting.host.logged(/running 3/);
  assertEquals(await setting.seen(), "3");
});

Deno.test("scripts share the files that they import, and those that did not change stay", async () => {
  await using setting = new Setting();
  setting.write("shared.ts", "export const shared = { count: 0 };");
  const counting = `import { shared } from "./shared.ts";`;
  const a = setting.write("a.ts", saying("String(++shared.count)", counting));
  const b = setting.write("b.ts", saying("String(++shared.count)", counting));
  const c = setting.write("c.ts", saying(`"c"`));
  await setting.start(a, b, c);
  // Each counted once in `running`.
  assertEquals(await setting.seen(), "3, 4, c");
  setting.write("shared.ts", "export const shared = { count: 10 };");
  await setting.host.logged(/running 12/);
  assertEquals(await setting.seen(), "13, 14, c");
  assertEquals(setting.host.lines.filter((line) => line.includes("Loading")), [
    `info: Loading script ${a}`,
    `info: Loading script ${b}`,
  ]);
});

Deno.test("a version that is broken is told in one line, and the old one goes on, until it is put right", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", saying(`"1"`));
  await setting.start(path);
  setting.write("a.ts", "export function request() {\n  const x = ;\n}");
  const line = await setting.host.logged(/^error/);
  assertMatch(line, /^error: Addon \S+\/a\.ts:2: SyntaxError: [^\n]+$/);
  assertEquals(await setting.seen(), "1");
  setting.write("a.ts", saying(`"2"`));
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
  assertEquals(setting.host.lines.filter((line) => line.startsWith("error")).length, 1);
});

Deno.test("a broken version is put right in the file that broke it", async () => {
  await using setting = new Setting();
  await setting.start(setting.write("a.ts", saying(`"1"`)));
  Deno.mkdirSync(`${setting.directory}/lib`);
  setting.write("lib/new.ts", "export const value = ;");
  setting.write("a.ts", saying("value", `import { value } from "./lib/new.ts";`));
  await setting.host.logged(/^error: Addon \S+new\.ts:1/);
  setting.write("lib/new.ts", `export const value = "2";`);
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
});

Deno.test("a file that is missing is waited for", async () => {
  await using setting = new Setting();
  await setting.start(setting.write("a.ts", saying(`"1"`)));
  setting.write("a.ts", saying("value", `import { value } from "./late.ts";`));
  await setting.host.logged(/^error: Addon .*Module not found/);
  setting.write("late.ts", `export const value = "2";`);
  await setting.host.logged(/running 2/);
});

Deno.test("options of the old version go away, and values that were set stay", async () => {
  await using setting = new Setting();
  const text = (version: number, names: string[]) => `
export function load(loader) {
  for (const name of ${JSON.stringify(names)}) loader.addOption(name, "int", ${version}, "");
}
export function running(ctx) { ctx.log.info("running ${version}"); }
`;
  const { options } = setting.host;
  await setting.start(setting.write("a.ts", text(1, ["kept", "fresh", "gone"])));
  await options.updateNamed([["kept", 7], ["gone", 7]]);
  setting.write("a.ts", text(2, ["kept", "fresh"]));
  await setting.host.logged(/running 2/);
  assertEquals(options.values.get("kept"), 7);
  assertEquals(options.values.get("fresh"), 2);
  assertEquals(options.has("gone"), false);
  assertEquals("gone" in options.values, false);
});

Deno.test("what is thrown by a new version's load is logged, and weir goes on with it", async () => {
  await using setting = new Setting();
  await setting.start(setting.write("a.ts", saying(`"1"`)));
  setting.write("a.ts", saying(`"2"`, `export function load() { throw new Error("not now"); }`));
  await setting.host.logged(/running 2/);
  assertMatch(setting.host.lines[1], /^error: Addon \S+\/a\.ts:1: not now \(in load\)$/);
  assertEquals(await setting.seen(), "2");
});

Deno.test("a file that is saved without a change is not loaded again", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", saying(`"1"`));
  const other = setting.write("b.ts", saying(`"1"`));
  await setting.start(path, other);
  setting.write("a.ts", saying(`"1"`));
  setting.write("b.ts", saying(`"2"`));
  await setting.host.logged(/running 2/);
  assertEquals(setting.host.lines.filter((line) => line.includes("Loading")), [
    `info: Loading script ${other}`,
  ]);
});

Deno.test("what changed between loading and running is not missed", async () => {
  await using setting = new Setting();
  const path = setting.write("a.ts", saying(`"1"`));
  await setting.manager.load([{ script: path }]);
  await setting.manager.configure(new Set());
  setting.write("a.ts", saying(`"2"`));
  await setting.manager.running();
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
});

Deno.test("a file that is imported later, by import(), is watched from the next change on", async () => {
  await using setting = new Setting();
  setting.write("late.ts", `export const value = "1";`);
  const text = (version: number) => `
export async function request(flow) {
  flow.request.headers.set("x-seen", (await import("./late.ts")).value);
}
export function running(ctx) { ctx.log.info("running ${version}"); }
`;
  await setting.start(setting.write("a.ts", text(1)));
  assertEquals(await setting.seen(), "1");
  setting.write("late.ts", `export const value = "2";`);
  setting.write("a.ts", text(2));
  await setting.host.logged(/running 2/);
  assertEquals(await setting.seen(), "2");
});
