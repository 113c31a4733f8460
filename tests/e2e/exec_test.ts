/** `weir exec -- COMMAND`: real clients that know nothing of weir, status, signals, output. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { originCa } from "./support/certs.ts";
import { origin, withLength } from "./support/origin.ts";
import { START, within } from "./support/within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** An empty directory with the tests' CA in it. */
async function directory(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.writeTextFile(`${path}/origin-ca.pem`, await originCa());
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Starts `weir exec`; flags and command are one list, apart at `--`. */
function spawn(dir: string, args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  const trust = `ssl_verify_upstream_trusted_ca=${dir}/origin-ca.pem`;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, "exec", "--confdir", `${dir}/conf`, "--set", trust, ...args],
    cwd: dir,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function ended(child: Deno.ChildProcess): Promise<Outcome> {
  const { code, stdout, stderr } = await within(START, child.output(), "weir exec to end");
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

async function exec(dir: string, args: string[], env?: Record<string, string>): Promise<Outcome> {
  return await ended(spawn(dir, args, env));
}

const HTTPS_GET = `import https from "node:https";
https.get(process.argv[2], (response) => response.pipe(process.stdout));`;
const FETCH = `const response = await fetch(process.argv[2]);
process.stdout.write(await response.text());`;
const URLLIB = `import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())`;

/** Each prints the body of the URL that follows. */
const CLIENTS: [name: string, files: Record<string, string>, command: string[]][] = [
  ["curl", {}, ["curl", "-sS"]],
  ["fetch in Node", { "fetch.mjs": FETCH }, ["node", "fetch.mjs"]],
  ["https in Node", { "get.mjs": HTTPS_GET }, ["node", "get.mjs"]],
  ["urllib in Python", { "get.py": URLLIB }, ["python3", "get.py"]],
  ["fetch in Deno", { "fetch.ts": FETCH }, [Deno.execPath(), "run", "--quiet", "-A", "fetch.ts"]],
];

for (const [name, files, command] of CLIENTS) {
  Deno.test(`exec: ${name} goes through weir with verified TLS and no other set-up`, async () => {
    await using server = await origin(withLength("the body"), { tls: true });
    await using dir = await directory();
    for (const [file, text] of Object.entries(files)) await Deno.writeTextFile(`${dir.path}/${file}`, text);
    const { code, stdout, stderr } = await exec(dir.path, [
      "--flow-detail",
      "1",
      "--",
      ...command,
      server.url("/asked"),
    ]);
    // Its certificate is from a CA that the client has never heard of: only weir's can have been accepted.
    assertEquals([code, stdout], [0, "the body"], stderr);
    assertMatch(stderr, new RegExp(`GET https://localhost:${server.port}/asked\\n +<< 200 OK`));
    assertEquals([server.connections, server.requests.length], [1, 1]);
  });
}

Deno.test("exec: plain HTTP from Node goes through weir as well, with agents of the program's own", async () => {
  await using server = await origin(withLength("plain"));
  await using dir = await directory();
  await Deno.writeTextFile(
    `${dir.path}/get.mjs`,
    `import http from "node:http";
const agent = new http.Agent({ keepAlive: false });
http.get(process.argv[2], { agent }, (response) => response.pipe(process.stdout));`,
  );
  const args = ["--flow-detail", "1", "--", "node", "get.mjs", server.url("/")];
  const { code, stdout, stderr } = await exec(dir.path, args);
  assertEquals([code, stdout], [0, "plain"], stderr);
  assertStringIncludes(stderr, `GET ${server.url("/")}`);
});

Deno.test("exec: the output is the command's alone, whatever config.yaml says", async () => {
  await using server = await origin(withLength("body"));
  await using dir = await directory();
  await Deno.mkdir(`${dir.path}/conf`);
  await Deno.writeTextFile(
    `${dir.path}/conf/config.yaml`,
    `flow_detail: 4\ntermlog_verbosity: debug\nlisten_port: ${server.port}\n`,
  );
  const { code, stdout, stderr } = await exec(dir.path, ["--", "curl", "-sS", server.url("/")]);
  assertEquals([code, stdout, stderr], [0, "body", ""]);
});

Deno.test("exec: addons see the command's traffic", async () => {
  await using server = await origin(withLength("body"));
  await using dir = await directory();
  await Deno.writeTextFile(
    `${dir.path}/addon.ts`,
    `import type { HttpFlow } from "weir";
export function request(flow: HttpFlow) { flow.response = new Response("from the addon"); }`,
  );
  const { stdout } = await exec(dir.path, ["-s", "addon.ts", "--", "curl", "-sS", server.url("/")]);
  assertEquals([stdout, server.connections], ["from the addon", 0]);
});

Deno.test("exec: the status is the command's", async () => {
  await using dir = await directory();
  await Deno.writeTextFile(`${dir.path}/plain.txt`, "no program");
  const rows: [string[], number, RegExp][] = [
    [["--", "sh", "-c", "exit 0"], 0, /^$/],
    [["--", "sh", "-c", "exit 7"], 7, /^$/],
    [["--", "sh", "-c", "kill -KILL $$"], 128 + 9, /^$/],
    [["--", "weir-no-such-command"], 127, /^weir: error: exec: weir-no-such-command is not found\n$/],
    [["--", "./plain.txt"], 126, /^weir: error: exec: .*plain\.txt.*\n$/],
    [["--"], 1, /^weir: error: exec needs a command: weir exec \[options\] \[--\] COMMAND\n$/],
    [[], 1, /^weir: error: exec needs a command/],
    [["--mode", "reverse:http://127.0.0.1:1", "--", "true"], 1, /exec needs a proxy to go through/],
    [["--browser", "--", "true"], 1, /choose one/],
  ];
  for (const [args, code, message] of rows) {
    const outcome = await exec(dir.path, args);
    assertEquals(outcome.code, code, args.join(" "));
    assertMatch(outcome.stderr, message);
    assertEquals(outcome.stdout, "");
  }
});

Deno.test("exec: signals are passed on, and the command decides what they mean", async () => {
  await using dir = await directory();
  for (const [signal, name] of [["SIGTERM", "TERM"], ["SIGINT", "INT"], ["SIGUSR1", "USR1"]] as const) {
    const script = `trap 'echo ${name}; kill -KILL $!; exit 9' ${name}; sleep 60 & echo ready; wait`;
    const child = spawn(dir.path, ["--", "sh", "-c", script]);
    let text = "";
    const reader = child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
    const reading = (async () => {
      for await (const piece of reader) {
        if (text === "") child.kill(signal);
        text += piece;
      }
    })();
    await within(START, Promise.all([reading, child.stderr.cancel(), child.status]), "weir to end");
    assertEquals([(await child.status).code, text], [9, `ready\n${name}\n`]);
  }
});

Deno.test("exec: an addon that ends weir ends the command", async () => {
  await using dir = await directory();
  await Deno.writeTextFile(`${dir.path}/addon.mjs`, "export function running(ctx) { ctx.proxy.shutdown(); }");
  const { code } = await exec(dir.path, ["-s", "addon.mjs", "--", "sleep", "60"]);
  assertEquals(code, 128 + 15);
});

Deno.test("exec: a done hook that never ends keeps nobody waiting", async () => {
  await using dir = await directory();
  await Deno.writeTextFile(`${dir.path}/addon.mjs`, "export const done = () => new Promise(() => {});");
  const { code } = await within(
    20_000,
    exec(dir.path, ["-s", "addon.mjs", "--", "sh", "-c", "exit 3"]),
    "exec",
  );
  assertEquals(code, 3);
});

Deno.test("exec: the proxy and the files made for the command go when it does", async () => {
  await using dir = await directory();
  const { stdout } = await exec(dir.path, [
    "--",
    "sh",
    "-c",
    'test -f "$SSL_CERT_FILE" && echo "$HTTPS_PROXY" "$SSL_CERT_FILE" "${NO_PROXY-unset}"',
  ], { NO_PROXY: "localhost,127.0.0.1" });
  const [, port, file, noProxy] = /^http:\/\/127\.0\.0\.1:(\d+) (\S+) (.*)\n$/.exec(stdout)!;
  assertEquals(noProxy, "unset");
  const left = await Deno.stat(file).then(() => true, () => false);
  assert(!left, file);
  const refused = await Deno.connect({ port: Number(port) }).then(
    (conn) => (conn.close(), false),
    () => true,
  );
  assert(refused, "the proxy still listens");
});
