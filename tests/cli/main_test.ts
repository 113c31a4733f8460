import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Runs main.ts to its end, in an empty home. */
async function weir(
  ...argv: string[]
): Promise<{ code: number; stdout: string; stderr: string; made: string[] }> {
  const home = await Deno.makeTempDir({ prefix: "weir-main-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", MAIN, ...argv],
      env: { HOME: home, DENO_DIR: await denoDir(), NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return {
      code,
      stdout: text(stdout),
      stderr: text(stderr),
      made: [...Deno.readDirSync(home)].map(({ name }) => name),
    };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** Where Deno keeps its cache: beside the real home, which the child does not have. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("main.ts --version", async () => {
  const { code, stdout, stderr, made } = await weir("--version");
  assertEquals([code, stderr, made], [0, "", []]);
  assertMatch(stdout, /^weir: +\d+\.\d+\.\d+\nBuild: .+\nDeno: /);
});

Deno.test("main.ts --help shows the flags of built-in addons, and starts nothing", async () => {
  const { code, stdout, stderr, made } = await weir("--help");
  assertEquals([code, stderr, made], [0, "", []]);
  assertStringIncludes(stdout, "-p, --listen-port PORT");
  assertStringIncludes(stdout, "--stream-large-bodies SIZE");
});

Deno.test("main.ts --options is YAML with the options of built-in addons", async () => {
  const { code, stdout, stderr, made } = await weir("--options");
  assertEquals([code, stderr, made], [0, "", []]);
  const data = parse(stdout) as Record<string, unknown>;
  assertEquals([data.listen_port, data.body_buffer_limit, data.stream_large_bodies], [8080, "256m", null]);
});

Deno.test("main.ts with a mistake says so in one line, with status 1, and makes no files", async () => {
  const mistakes: [string[], string][] = [
    [
      ["--set", "stream_larg_bodies=1"],
      "unknown option stream_larg_bodies (did you mean stream_large_bodies?)",
    ],
    [["--listen-prot", "80"], "unknown flag --listen-prot (did you mean --listen-port?)"],
    [["--set", "listen_port=abc"], 'option listen_port: "abc" is not an integer'],
  ];
  for (const [argv, message] of mistakes) {
    assertEquals(await weir(...argv), { code: 1, stdout: "", stderr: `weir: error: ${message}\n`, made: [] });
  }
});
