/** The script at the front of an unpacking executable, with a stand-in for `deno` that tells what it was started with. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { type Target, TARGETS } from "../../../scripts/compile/targets.ts";
import { writeUnpacking } from "../../../scripts/compile/unpacking.ts";

const PROGRAM = "export const program = 1;\n";
const STAND_IN = `#!/bin/sh
printf '%s\\n' "pid $$" "dir $0" "unset $WEIR_UNSET" "DENO_DIR $DENO_DIR" "umask $(umask)"
for arg; do printf 'arg %s\\n' "$arg"; done
exit 7
`;
const isUnix = Deno.build.os !== "windows";
const bytes = (text: string) => new TextEncoder().encode(text);
const host = TARGETS.find(({ triple }) => triple === Deno.build.target)!;

interface Result {
  code: number;
  pid: number;
  stdout: string;
  stderr: string;
}

/** An executable in a directory of its own, gone afterwards. */
class Setting implements AsyncDisposable {
  readonly dir = Deno.makeTempDirSync();
  readonly file = `${this.dir}/weir`;
  readonly home = `${this.dir}/home`;

  static async make(deno = STAND_IN, target = host): Promise<Setting> {
    const setting = new Setting();
    await Deno.mkdir(setting.home);
    await writeUnpacking(target, { program: bytes(PROGRAM), deno: bytes(deno) }, setting.file, 9);
    return setting;
  }

  get root(): string {
    return `${this.home}/${host.cache}/weir`;
  }

  /** What is in the directory that it unpacks into, hidden names too. */
  names(root = this.root): string[] {
    return [...Deno.readDirSync(root)].map(({ name }) => name).sort();
  }

  async start(args: string[] = [], env: Record<string, string> = {}): Promise<Result> {
    const child = new Deno.Command(this.file, {
      args,
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", HOME: this.home, TMPDIR: this.dir, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, pid: child.pid, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** A test of the shell script, where there is a shell. */
function unix(name: string, fn: () => Promise<void>): void {
  if (isUnix) Deno.test(name, fn);
}

unix("arguments, process id and exit status are the program's", async () => {
  await using setting = await Setting.make();
  const args = ["-p", "0", "", "two words", "--", "--help", "$HOME*", "é'\""];
  const { code, pid, stdout, stderr } = await setting.start(args);
  assertEquals([code, stderr], [7, ""]);
  assertStringIncludes(stdout, `pid ${pid}\n`);
  const lines = stdout.split("\n").filter((line) => line.startsWith("arg ")).map((line) => line.slice(4));
  const program = lines.findIndex((line) => line.endsWith("/weir.mjs"));
  assertEquals(lines.slice(program + 1), args);
  assertEquals(lines[0], "run");
  assert(lines.slice(0, program).includes("--no-config"), "a deno.json above the cache would be used");
  assertEquals(await Deno.readTextFile(lines[program]), PROGRAM);
});

unix("it unpacks once, for this user alone", async () => {
  await using setting = await Setting.make();
  await setting.start();
  const [name] = setting.names();
  assertMatch(name, /^\d+\.\d+\.\d+-[0-9a-f]{16}$/);
  const dir = `${setting.root}/${name}`;
  const modes = [setting.root, dir, `${dir}/deno`, `${dir}/weir.mjs`].map((path) =>
    Deno.statSync(path).mode! & 0o777
  );
  assertEquals(modes, [0o700, 0o700, 0o700, 0o600]);
  const before = Deno.statSync(`${dir}/deno`).ino;
  const { stdout } = await setting.start();
  assertEquals(Deno.statSync(`${dir}/deno`).ino, before);
  assertEquals(setting.names(), [name]);
  assertStringIncludes(
    stdout,
    `umask ${
      new TextDecoder().decode((await new Deno.Command("sh", { args: ["-c", "umask"] }).output()).stdout)
    }`,
  );
});

unix("many may start at once", async () => {
  await using setting = await Setting.make();
  const results = await Promise.all(Array.from({ length: 8 }, () => setting.start()));
  for (const { code, stderr } of results) assertEquals([code, stderr], [7, ""]);
  assertEquals(setting.names().length, 1);
});

unix("a part that is missing is unpacked again", async () => {
  await using setting = await Setting.make();
  await setting.start();
  const [name] = setting.names();
  for (const part of ["deno", "weir.mjs"]) {
    await Deno.remove(`${setting.root}/${name}/${part}`);
    assertEquals((await setting.start()).code, 7, part);
  }
});

unix("a damaged file says so, and leaves nothing behind", async () => {
  await using setting = await Setting.make();
  const whole = await Deno.readFile(setting.file);
  const changed = whole.slice();
  changed[whole.length - 20] ^= 1;
  for (const damaged of [changed, whole.slice(0, -100)]) {
    await Deno.writeFile(setting.file, damaged);
    const { code, stdout, stderr } = await setting.start();
    assertEquals([code, stdout], [1, ""]);
    assertEquals(stderr, `weir: error: ${setting.file} is damaged: download it again\n`);
    assertEquals(setting.names(), []);
  }
});

unix("XDG_CACHE_HOME is used when it is absolute", async () => {
  await using setting = await Setting.make();
  await setting.start([], { XDG_CACHE_HOME: `${setting.dir}/cache dir` });
  assertEquals(setting.names(`${setting.dir}/cache dir/weir`).length, 1);
  await setting.start([], { XDG_CACHE_HOME: "relative" });
  assertEquals(setting.names().length, 1);
});

unix("without a home it unpacks into a directory of this user's below TMPDIR", async () => {
  await using setting = await Setting.make();
  for (const home of ["", "/nonexistent/home", "/dev/null"]) {
    const { code, stderr } = await setting.start([], { HOME: home });
    assertEquals([code, stderr], [7, ""], home);
  }
  const root = `${setting.dir}/weir-${Deno.uid()}`;
  assertEquals(setting.names(root).length, 1);
  assertEquals(Deno.statSync(root).mode! & 0o777, 0o700);
});

unix("a cache that belongs to somebody else is not used", async () => {
  await using setting = await Setting.make();
  await setting.start();
  const root = `${setting.dir}/weir-${Deno.uid()}`;
  if (Deno.uid() === 0) {
    await Deno.chown(setting.root, 65534, 65534);
    assertEquals((await setting.start()).code, 7);
    assertEquals(setting.names(root).length, 1);
    await Deno.remove(root, { recursive: true });
  }
  // Somebody else's plan for where a program without a home goes.
  await Deno.mkdir(`${setting.dir}/trap`);
  await Deno.symlink(`${setting.dir}/trap`, root);
  const { code, stderr } = await setting.start([], { HOME: "" });
  assertEquals(code, 1);
  assertMatch(stderr, /^weir: error: \S+ belongs to somebody else; set XDG_CACHE_HOME/);
});

unix("what is set for the program alone is named to it; what the user has set stays", async () => {
  await using setting = await Setting.make();
  const own = await setting.start();
  assertStringIncludes(own.stdout, `DENO_DIR ${setting.root}/deno\n`);
  assertStringIncludes(own.stdout, "unset WEIR_UNSET,DENO_DIR,DENO_NO_UPDATE_CHECK\n");
  const users = await setting.start([], { DENO_DIR: "/mine", DENO_NO_UPDATE_CHECK: "1" });
  assertStringIncludes(users.stdout, "DENO_DIR /mine\n");
  assertStringIncludes(users.stdout, "unset WEIR_UNSET\n");
});

/** The parts that a script of ours for Windows would unpack. */
function windowsParts(file: Uint8Array, script: string): string[] {
  const parts = [...script.matchAll(/@\('(.+?)', (\d+), (\d+)\)/g)];
  assertEquals(parts.map(([, name]) => name), ["weir.mjs", "deno.exe"]);
  return parts.map(([, , at, size]) =>
    new TextDecoder().decode(gunzipSync(file.subarray(Number(at) - 1, Number(at) - 1 + Number(size))))
  );
}

for (const target of TARGETS.filter(({ cache }) => cache === null)) {
  Deno.test(`for ${target.triple} it is a command script, with the parts where it looks for them`, async () => {
    await using setting = await Setting.make(STAND_IN, target as Target);
    const file = await Deno.readFile(setting.file);
    const text = new TextDecoder("latin1").decode(file);
    const head = text.slice(0, text.indexOf("exit /b %errorlevel%"));
    assertEquals(head.split("\n").filter((line) => line !== "" && !line.endsWith("\r")), []);
    const limit = 8191;
    assert(head.split("\r\n").every((line) => line.length < limit), "cmd.exe cuts longer lines");
    const encoded = /-EncodedCommand (\S+)/.exec(head)![1];
    const script = new TextDecoder("utf-16le").decode(
      Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)),
    );
    assertEquals(windowsParts(file, script), [PROGRAM, STAND_IN]);
    assert(!/@[A-Z0-9_]+@/.test(head + script), "a name was not replaced");
  });
}
