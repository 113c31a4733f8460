/**
 * The executable as users get it: one file, alone in a directory, with neither Deno nor Node to be found.
 * Whichever kind can be made here (`scripts/compile.ts`) is tested, and named.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { compile, type Executable } from "../../scripts/compile.ts";
import { targetsNamed } from "../../scripts/compile/targets.ts";
import { originCa } from "./support/certs.ts";
import { curl } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { START, within } from "./support/within.ts";

const NOBODY = 65534;
/** All that the executable may find on its PATH. */
const TOOLS = "sh tail head mkdir mv mktemp chmod rm gzip id".split(" ");
const HASH_TOOLS = ["sha256sum", "shasum"];

const MAIN = `import { word } from "./lib/word.ts";
import { plain } from "./plain.mjs";
import { type Context, Headers, type HttpFlow, replaceStream } from "weir";
enum Name { Word = "x-word", Same = "x-same" }
export function running(ctx: Context) { ctx.log.info("running " + word()); }
export function responseheaders(flow: HttpFlow) {
  const { headers } = flow.response!;
  headers.set(Name.Word, word() + " " + plain);
  headers.set(Name.Same, String(headers instanceof Headers));
  flow.response!.stream = replaceStream("origin", "addon");
}
`;
const FILES = {
  "main.ts": MAIN,
  "plain.mjs": `export { other as plain } from "./other.js";\n`,
  "other.js": `export const other = "plain";\n`,
  "lib/word.ts": `export const word = (): string => "one";\n`,
};

let built: Promise<Executable> | null = null;
let out = "";

/** Made for the first test that asks. */
function executable(): Promise<Executable> {
  return built ??= (async () => {
    out = await Deno.makeTempDir({ prefix: "weir-exe-" });
    return await compile(targetsNamed(["host"])[0], { out, level: 1, log: (line) => console.error(line) });
  })();
}

Deno.test.afterAll(async () => {
  if (out !== "") await Deno.remove(out, { recursive: true });
});

/** A place for the executable alone, for one user. */
class Place implements AsyncDisposable {
  readonly path: string;
  readonly alone: string;
  readonly home: string;

  private constructor(readonly dir: string, readonly user: { uid?: number; gid?: number }) {
    [this.path, this.alone, this.home] = ["bin", "alone", "home"].map((name) => `${dir}/${name}`);
  }

  static async make(uid: number | null): Promise<Place> {
    const { file } = await executable();
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    const place = new Place(dir, uid === null ? {} : { uid, gid: uid });
    await Deno.chmod(dir, 0o755);
    for (const folder of [place.path, place.alone, place.home]) await Deno.mkdir(folder);
    const which = { args: ["-c", 'for tool; do command -v "$tool"; done', "sh", ...TOOLS, ...HASH_TOOLS] };
    const found = await new Deno.Command("sh", which).output();
    for (const tool of new TextDecoder().decode(found.stdout).trim().split("\n")) {
      await Deno.symlink(tool, `${place.path}/${tool.split("/").at(-1)}`);
    }
    await Deno.copyFile(file, `${place.alone}/weir`);
    await Deno.chmod(`${place.alone}/weir`, 0o755);
    await place.write("origin-ca.pem", await originCa());
    if (uid !== null) { for (const folder of [place.alone, place.home]) await Deno.chown(folder, uid, uid); }
    return place;
  }

  async write(name: string, text: string): Promise<void> {
    const file = `${this.dir}/${name}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
  }

  spawn(...args: string[]): Running {
    const child = new Deno.Command("./weir", {
      args,
      cwd: this.alone,
      clearEnv: true,
      env: { PATH: this.path, HOME: this.home, TMPDIR: this.home, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...this.user,
    }).spawn();
    return new Running(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** The executable, started. */
class Running implements AsyncDisposable {
  /** Lines so far. */
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #piping: Promise<unknown>;
  #ended = false;
  #wake = () => {};

  constructor(readonly child: Deno.ChildProcess) {
    this.#piping = Promise.all([
      this.#read(child.stdout, this.stdout),
      this.#read(child.stderr, this.stderr),
    ]);
    child.status.then(() => this.#ended = true);
  }

  /** The match in the first line of the log that matches (or in a later one that does), so far or to come. */
  async log(pattern: RegExp, number = 1): Promise<RegExpExecArray> {
    const find = () =>
      this.stderr.map((line) => pattern.exec(line)).filter((match) => match !== null).at(number - 1);
    const seen = new Promise<RegExpExecArray>((resolve) => {
      this.#wake = () => void (find() && resolve(find()!));
      this.#wake();
    });
    const ended = this.#piping.then(() => {
      throw new Error(`weir ended: ${this.stderr.join("\n")}`);
    });
    return await within(START, Promise.race([seen, ended]), `${pattern}; log: ${this.stderr.join("\n")}`);
  }

  async exit(): Promise<number> {
    const { code } = await within(START, this.child.status, "weir to exit");
    await this.#piping;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.child.kill("SIGKILL");
    await this.child.status;
    await this.#piping;
  }

  async #read(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
    const text = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
    for await (const line of text.pipeThrough(new TextLineStream())) {
      lines.push(line);
      this.#wake();
    }
  }
}

/** One response's head and body, by curl. */
async function get(...args: string[]): Promise<{ head: string; body: string }> {
  const { code, stdout, stderr } = await curl("-i", ...args);
  assertEquals([code, stderr], [0, ""]);
  const [head, body] = new TextDecoder().decode(stdout).split(/\r\n\r\n(?!HTTP)/);
  return { head, body };
}

async function test(t: Deno.TestContext, uid: number | null): Promise<void> {
  const { kind } = await executable();
  await using place = await Place.make(uid);
  await t.step(`${kind}: it says what it is, with nothing beside it`, async () => {
    assertEquals([...Deno.readDirSync(place.alone)].map(({ name }) => name), ["weir"]);
    await using weir = place.spawn("--version");
    assertEquals([await weir.exit(), weir.stderr], [0, []]);
    assertMatch(weir.stdout.join("\n"), /^weir: +\d/);
    assert(weir.stdout.includes(`Build:      ${kind === "compiled" ? "compiled" : "one file, unpacked"}`));
  });

  for (const [name, text] of Object.entries(FILES)) await place.write(`addon/${name}`, text);
  await using plain = await origin(withLength("from the origin"));
  await using secure = await origin(withLength("from the origin"), { tls: true });
  await using weir = place.spawn(
    ...[
      "-p",
      "0",
      "-s",
      "../addon/main.ts",
      "--set",
      `ssl_verify_upstream_trusted_ca=${place.dir}/origin-ca.pem`,
    ],
  );
  const [, port] = await weir.log(/proxy listening at (?:http:\/\/)?127\.0\.0\.1:(\d+)/i);
  await weir.log(/running one/);
  const via = ["-x", `http://127.0.0.1:${port}`, "--cacert", `${place.home}/.weir/weir-ca-cert.pem`];

  for (const server of [plain, secure]) {
    await t.step(
      `${kind}: ${server.scheme}, through a TypeScript addon with imports of its own`,
      async () => {
        const { head, body } = await get(...via, server.url());
        assertEquals(body, "from the addon");
        assertStringIncludes(head.toLowerCase(), "x-word: one plain");
        assertStringIncludes(head.toLowerCase(), "x-same: true");
      },
    );
  }
  await t.step(`${kind}: what the addon imports is changed, then the addon itself`, async () => {
    await place.write("addon/lib/word.ts", FILES["lib/word.ts"].replace("one", "two"));
    await weir.log(/running two/);
    assertStringIncludes((await get(...via, secure.url())).head.toLowerCase(), "x-word: two plain");
    await place.write(
      "addon/main.ts",
      MAIN.replace('"addon"', '"changed addon"').replace("running ", "changed "),
    );
    await weir.log(/changed two/);
    assertEquals((await get(...via, secure.url())).body, "from the changed addon");
  });
  await t.step(`${kind}: SIGINT ends it with status 0`, async () => {
    weir.child.kill("SIGINT");
    assertEquals(await weir.exit(), 0, weir.stderr.join("\n"));
  });
  await t.step(`${kind}: more isolates on one port`, async () => {
    await using several = place.spawn("-p", "0", "--workers", "2", "-s", "../addon/main.ts");
    await several.log(/changed two/, 2);
    several.child.kill("SIGINT");
    assertEquals(await several.exit(), 0, several.stderr.join("\n"));
  });
  await t.step(`${kind}: it writes the types of the module weir`, async () => {
    const cwd = `${place.home}/typed`;
    await using writing = place.spawn("--types", cwd);
    assertEquals(await writing.exit(), 0, writing.stderr.join("\n"));
    await Deno.writeTextFile(
      `${cwd}/a.ts`,
      `import { replaceStream } from "weir"; replaceStream("a", "b");\n`,
    );
    const check = new Deno.Command(Deno.execPath(), { args: ["check", "a.ts"], cwd });
    const { code, stderr } = await check.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  });
  await t.step(`${kind}: an addon that cannot be loaded is one line and status 1`, async () => {
    await place.write("addon/main.ts", `import { x } from "./missing.ts"; x();`);
    await using broken = place.spawn("-p", "0", "-s", "../addon/main.ts");
    assertEquals(await broken.exit(), 1);
    assertMatch(broken.stderr.at(-1)!, /^weir: error: Addon .*missing\.ts/);
  });
}

// Windows has neither this shell nor these signals; there the workflow starts the executable by hand.
if (Deno.build.os !== "windows") {
  Deno.test("the executable, alone, with no Deno and no Node", (t) => test(t, null));
  if (Deno.uid() === 0) Deno.test("the executable, alone, as another user", (t) => test(t, NOBODY));
}
