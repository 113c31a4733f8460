/**
 * `weir exec` where the user's own configuration files name another proxy and other certificates: real clients still go
 * through weir and trust it. Clients that are not installed are skipped; CI installs them.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname } from "node:path";
import { originCa } from "./support/certs.ts";
import { type Origin, origin, withLength } from "./support/origin.ts";
import { START, within } from "./support/within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:1";

/** A client with a configuration that leads nowhere, and a command that asks for `$URL`. */
interface Case {
  readonly client: string;
  /** Files below the home directory; `$DIR` is that directory, `$URL` the origin. */
  readonly files: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** A shell command that succeeds where the client is whole; by default, where its program is there. */
  readonly isThere?: string;
  /** Says in what it prints that it got the answer; without it, that the origin was asked is enough. */
  readonly prints?: RegExp;
}

const OTHER_CA = "$DIR/other.pem";
const JAVA = `public class Get {
  public static void main(String[] args) throws Exception {
    System.out.write(new java.net.URL(args[0]).openStream().readAllBytes());
    System.out.flush();
  }
}`;
const PHP =
  `$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_RETURNTRANSFER, 1); echo curl_exec($c), curl_error($c);`;

const CASES: readonly Case[] = [
  {
    client: "curl",
    files: { ".curlrc": `proxy = "${NOWHERE}"\ncacert = "${OTHER_CA}"\nsilent\n` },
    command: ["curl", "$URL"],
    prints: /^\{"the":"body"\}$/,
  },
  {
    client: "wget",
    files: {
      ".wgetrc": `https_proxy = ${NOWHERE}\nca_certificate = ${OTHER_CA}\nquiet = on\nno_proxy = localhost\n`,
    },
    command: ["wget", "-O", "-", "$URL"],
    prints: /^\{"the":"body"\}$/,
  },
  {
    client: "git",
    files: {
      ".gitconfig":
        `[http]\nproxy = ${NOWHERE}\nsslCAInfo = ${OTHER_CA}\n[http "$ORIGIN"]\nproxy = ${NOWHERE}\nsslCAInfo = ${OTHER_CA}\n`,
    },
    command: ["git", "ls-remote", "$URL"],
  },
  {
    client: "npm",
    files: { ".npmrc": `cafile=${OTHER_CA}\nhttps-proxy=${NOWHERE}\nproxy=${NOWHERE}\nnoproxy=localhost\n` },
    env: { NPM_CONFIG_CAFILE: OTHER_CA },
    command: [
      "npm",
      "view",
      "x",
      "version",
      "--registry",
      "$ORIGIN",
      "--cache",
      "$DIR/c",
      "--fetch-retries",
      "0",
    ],
  },
  {
    client: "php",
    files: { "php.ini": `curl.cainfo = "${OTHER_CA}"\nopenssl.cafile = "${OTHER_CA}"\n` },
    env: { PHPRC: "$DIR" },
    isThere: "php -m | grep -qx curl",
    command: ["php", "-r", PHP, "--", "$URL"],
    prints: /^\{"the":"body"\}$/,
  },
  {
    client: "php's own streams",
    files: {
      "php.ini": `openssl.cafile = "${OTHER_CA}"\nauto_prepend_file = "$DIR/mine.php"\n`,
      "mine.php": `<?php define("MINE", "mine: ");`,
      "get.php": `<?php declare(strict_types=1); echo MINE, file_get_contents($argv[1]);`,
    },
    env: { PHPRC: "$DIR" },
    isThere: "php -m | grep -qx openssl",
    command: ["php", "get.php", "$URL"],
    prints: /^mine: \{"the":"body"\}$/,
  },
  {
    client: "pip",
    files: { ".config/pip/pip.conf": `[global]\nproxy = ${NOWHERE}\ncert = ${OTHER_CA}\nretries = 0\n` },
    isThere: "python3 -m pip --version",
    command: ["python3", "-m", "pip", "download", "--no-deps", "--index-url", "$URL", "nothing"],
  },
  {
    client: "gem",
    files: { ".gemrc": `:http_proxy: ${NOWHERE}\n:ssl_ca_cert: "${OTHER_CA}"\n` },
    command: ["gem", "fetch", "nothing", "--clear-sources", "--source", "$ORIGIN/"],
  },
  {
    client: "java",
    files: { "Get.java": JAVA },
    env: { JDK_JAVA_OPTIONS: `-Dhttps.proxyHost=127.0.0.1 "-Dhttps.proxyPort=1" -Xmx64m` },
    isThere: "java --list-modules | grep -q jdk.compiler",
    command: ["java", "Get.java", "$URL"],
    prints: /^\{"the":"body"\}$/,
  },
];

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home directory with these files, and weir's in it. */
async function home(files: Readonly<Record<string, string>>): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.writeTextFile(`${path}/origin-ca.pem`, await originCa());
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${path}/${name}`), { recursive: true });
    await Deno.writeTextFile(`${path}/${name}`, text);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs `weir exec` with what stands behind it, in a home directory. */
async function exec(
  dir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { HTTPS_PROXY: _1, https_proxy: _2, XDG_CONFIG_HOME: _3, ...usual } = Deno.env.toObject();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "exec", "--confdir", `${dir}/conf`, ...args],
    cwd: dir,
    clearEnv: true,
    env: { ...usual, DENO_DIR: await denoDir(), HOME: dir, NO_COLOR: "1", ...env },
    stdin: "null",
  });
  const { code, stdout, stderr } = await within(START, child.output(), "weir exec to end");
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Where the runtime keeps what it has downloaded, whatever the home directory is. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

async function succeeds(test: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", test], stdout: "null", stderr: "null" })
    .output();
  return success;
}

function filled(text: string, dir: string, server: Origin): string {
  return text.replaceAll("$DIR", dir).replaceAll("$URL", server.url("/asked")).replaceAll(
    "$ORIGIN",
    server.url("/").slice(0, -1),
  );
}

for (const { client, files, env = {}, command, isThere = `command -v ${command[0]}`, prints } of CASES) {
  Deno.test(`exec: ${client} goes through weir, whatever its own configuration says`, async () => {
    if (!await succeeds(isThere)) {
      console.log(`${client} is not installed: nothing was tested.`);
      return;
    }
    await using server = await origin(withLength(`{"the":"body"}`), { tls: true });
    await using dir = await home({ "other.pem": await originCa() });
    const fill = (text: string) => filled(text, dir.path, server);
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(`${dir.path}/${name}`), { recursive: true });
      await Deno.writeTextFile(`${dir.path}/${name}`, fill(text));
    }
    const trust = `ssl_verify_upstream_trusted_ca=${dir.path}/origin-ca.pem`;
    const { stdout, stderr } = await exec(
      dir.path,
      ["--flow-detail", "1", "--set", trust, "--", ...command.map(fill)],
      Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])),
    );
    // That weir shows the request says that it went through weir, and over TLS that weir's CA was accepted.
    assertMatch(stderr, new RegExp(`GET https://localhost:${server.port}/`), stdout);
    if (prints) assertMatch(stdout, prints, stderr);
    assert(server.requests.length > 0, stderr);
  });
}

Deno.test("exec: git's proxies for one URL and one remote are set aside, and other settings of the environment are kept", async () => {
  await using dir = await home({
    ".gitconfig": `[http "https://a.test"]\nproxy = ${NOWHERE}\n[remote "up"]\nproxy =\n[user]\nname = Me\n`,
  });
  const { stdout } = await exec(
    dir.path,
    [
      "--",
      "sh",
      "-c",
      "git config http.proxy; git config --get-urlmatch http.proxy https://a.test/x; " +
      "git config remote.up.proxy; git config user.name; git config given.key; echo $HTTPS_PROXY",
    ],
    { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "given.key", GIT_CONFIG_VALUE_0: "given" },
  );
  const lines = stdout.trimEnd().split("\n");
  const proxy = lines.at(-1)!;
  assertMatch(proxy, /^http:\/\/127\.0\.0\.1:\d+$/);
  assertEquals(lines, [proxy, proxy, proxy, "Me", "given", proxy]);
});

Deno.test("exec: a client whose configuration is stronger than any variable is named, in one line", async () => {
  const files = {
    ".m2/settings.xml": "<settings><proxies><proxy><host>x</host></proxy></proxies></settings>",
  };
  await using dir = await home(files);
  const { stderr } = await exec(dir.path, [
    "--",
    "sh",
    "-c",
    "true && mvn --version >/dev/null 2>&1; exit 0",
  ]);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
  assertStringIncludes(
    stderr,
    `${dir.path}/.m2/settings.xml sets a proxy or certificates, which mvn puts before`,
  );
  assertEquals(
    (await exec(dir.path, ["--", "sh", "-c", "true"])).stderr,
    "",
    "said of a command that is not mvn",
  );
});

Deno.test("exec: the command begins at the first argument that is no flag; -- is needed behind an addon's flag alone", async () => {
  await using dir = await home({
    "a.mjs": `export function load(loader) { loader.addOption("loud", "bool", false, ""); }`,
  });
  const rows: [string[], number, string, RegExp][] = [
    [["echo", "-n", "--", "x"], 0, "-- x", /^$/],
    [["-q", "--set", "flow_detail=0", "--shutdown-grace", "1", "--no-http2", "echo", "x"], 0, "x\n", /^$/],
    [["-s", "a.mjs", "--loud", "--", "echo", "x"], 0, "x\n", /^$/],
    [
      ["-s", "a.mjs", "--loud", "echo", "x"],
      1,
      "",
      /where the command begins behind --loud: put -- in front/,
    ],
    [["-p", "--", "echo", "x"], 1, "", /-p needs a value/],
  ];
  for (const [args, code, stdout, stderr] of rows) {
    const outcome = await exec(dir.path, args);
    assertEquals([outcome.code, outcome.stdout], [code, stdout], args.join(" ") + outcome.stderr);
    assertMatch(outcome.stderr, stderr);
  }
});
