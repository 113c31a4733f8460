/** Contract section 1, with the real program: options, errors at start, signals, output. @module */
import { userInfo } from "node:os";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { absolute, Client, exchange } from "./support/client.ts";
import { freePort } from "./support/free_port.ts";
import { origin, withLength } from "./support/origin.ts";
import { runWeir, startWeir, type WeirOptions } from "./support/weir.ts";
import { Gate, SOON, within } from "./support/within.ts";

/** Tells the log the values of some options when it runs. */
const TELL = `import type { AddonOptions, Context, Loader } from "weir";
export function load(loader: Loader) {
  loader.addOption("greeting", "str", "hello", "What to say.");
}
export function running(ctx: Context) {
  const names = ["stream_large_bodies", "ssl_insecure", "flow_detail", "body_size_limit", "greeting", "ignore_hosts"];
  ctx.log.info("OPTIONS " + JSON.stringify(Object.fromEntries(names.map((name) => [name, ctx.options.get(name)]))));
}
`;

async function told(options: WeirOptions): Promise<Record<string, unknown>> {
  await using weir = await startWeir({ addon: TELL, ...options });
  const [, json] = await weir.waitForLog(/OPTIONS (.*)/);
  await weir.stop();
  return JSON.parse(json);
}

const REFUSED: [string, WeirOptions, RegExp[]][] = [
  ["an unknown option", { args: ["--set", "stream_large_bodys=1"] }, [
    /stream_large_bodys/,
    /stream_large_bodies/,
  ]],
  ["an unknown flag", { args: ["--stream-large-bodys=1"] }, [/stream-large-bodys/, /stream-large-bodies/]],
  ["an unknown option in config.yaml", { config: "body_size_limt: 3m\n" }, [
    /body_size_limt/,
    /body_size_limit/,
  ]],
  ["a wrong number", { args: ["--set", "listen_port=abc"] }, [/listen_port/, /abc/]],
  ["a wrong size", { args: ["--set", "body_size_limit=3x"] }, [/body_size_limit/, /3x/]],
  ["a wrong bool", { args: ["--set", "ssl_insecure=maybe"] }, [/ssl_insecure/, /maybe/]],
  ["a wrong size for an addon's option", { args: ["--set", "stream_large_bodies=big"] }, [
    /stream_large_bodies/,
    /big/,
  ]],
  ["a wrong mode", { args: ["-m", "backwards"] }, [/backwards/]],
  ["no mode at all", { args: ["--set", "mode="] }, [/mode/]],
  ["--set without a name", { args: ["--set", "=5"] }, [/--set/]],
  ["a file of issuers that is not there", { args: ["--ssl-verify-upstream-trusted-ca", "/nowhere/ca.pem"] }, [
    /ssl_verify_upstream_trusted_ca/,
    /\/nowhere\/ca\.pem/,
  ]],
  ["a config.yaml that is no YAML", { config: "a: [\n" }, [/config\.yaml/]],
  ["an addon that is not there", { args: ["-s", "/nowhere/addon.ts"] }, [/\/nowhere\/addon\.ts/]],
  ["an addon with a syntax error", { addon: "export function request( {\n" }, [/addon\.ts/]],
  ["an addon that throws when loaded", { addon: "throw new Error('oops at load');\n" }, [
    /addon\.ts/,
    /oops at load/,
  ]],
  ["an addon whose import is not there", { addon: "import './missing.ts';\n" }, [/missing\.ts/]],
];
for (const [what, options, patterns] of REFUSED) {
  Deno.test(`${what}: one clear line that names it, exit status 1, nothing listens`, async () => {
    const { code, stderr, lines, stdout } = await runWeir(options);
    assertEquals([code, stdout], [1, ""], stderr);
    for (const pattern of patterns) assertMatch(stderr, pattern);
    assertEquals(lines.length, 1, stderr);
  });
}

Deno.test("a port in use: one line that names it, exit status 1", async () => {
  await using taken = await origin(withLength(""));
  const { code, stderr, lines } = await runWeir({ args: ["-p", `${taken.port}`] });
  assertEquals([code, lines.length], [1, 1], stderr);
  assertStringIncludes(stderr, `${taken.port}`);
});

Deno.test("without HOME, ~ is where the system says that the user is at home", async () => {
  const { stderr } = await runWeir({ args: ["-s", "~/no_such_addon.ts"], env: { HOME: "" } });
  assertStringIncludes(stderr, `No such script: ${userInfo().homedir}/no_such_addon.ts`);
});

Deno.test("defaults < config.yaml < flags and --set; sizes, bools, lists, options of addons", async () => {
  const defaults = await told({});
  assertEquals([defaults.ssl_insecure, defaults.greeting, defaults.flow_detail], [false, "hello", 1]);
  const config =
    "ssl_insecure: true\nflow_detail: 2\nbody_size_limit: 3M\nstream_large_bodies: 1k\ngreeting: from the file\n";
  const file = await told({ config });
  assertEquals([file.ssl_insecure, file.flow_detail, file.body_size_limit], [true, 2, 3145728]);
  assertEquals([file.stream_large_bodies, file.greeting], [1024, "from the file"]);
  const args =
    "--set ssl_insecure=false --flow-detail 3 --set body_size_limit=1g --greeting=a=b --stream-large-bodies 5"
      .split(" ");
  const flags = await told({ config, args: [...args, "--set", "ignore_hosts=a", "--set", "ignore_hosts=b"] });
  assertEquals(flags, {
    ssl_insecure: false,
    flow_detail: 3,
    body_size_limit: 1024 ** 3,
    stream_large_bodies: 5,
    greeting: "a=b",
    ignore_hosts: ["a", "b"],
  });
});

Deno.test("a bool is --x, --no-x, a short letter, or empty, toggle and true for --set", async () => {
  const rows: [string[], boolean][] = [
    [["--ssl-insecure"], true],
    [["-k"], true],
    [["--set", "ssl_insecure"], true],
    [["--set", "ssl_insecure=toggle"], true],
    [["--no-ssl-insecure"], false],
  ];
  await Promise.all(rows.map(async ([args, expected]) => {
    assertEquals(
      (await told({ args, config: expected ? "" : "ssl_insecure: true\n" })).ssl_insecure,
      expected,
      args[0],
    );
  }));
});

Deno.test("--help and --options are made from the registry; --version says what runs", async () => {
  const help = await runWeir({ args: ["--help"], addon: TELL });
  assertEquals(help.code, 0, help.stderr);
  for (const flag of ["--listen-port", "--stream-large-bodies", "--greeting", "--set", "--no-ssl-insecure"]) {
    assertStringIncludes(help.stdout, flag);
  }
  for (
    const short of [
      /-w, --save-stream-file FILE/,
      /-r, --rfile FILE/,
      /-n, --server, --no-server/,
      /-s, --scripts/,
    ]
  ) {
    assertMatch(help.stdout, short);
  }
  const options = await runWeir({ args: ["--options"] });
  assertEquals(options.code, 0, options.stderr);
  const yaml = parse(options.stdout.replaceAll(/^# ?(?=\w+:(?: |$))/gm, "")) as Record<string, unknown>;
  assert("stream_content_types" in yaml && "listen_port" in yaml);
  const version = await runWeir({ args: ["--version"] });
  assertEquals(version.code, 0);
  assertStringIncludes(version.stdout, Deno.version.deno);
});

Deno.test("flows on stdout, log on stderr, control characters escaped, no colour", async () => {
  await using server = await origin(withLength("body \x1b[31mtext", "X-Evil: \xc2\x9b31mred\r\n"));
  await using weir = await startWeir({ args: ["--flow-detail", "3"], env: { NO_COLOR: "" } });
  await exchange(weir, server.url("/a\x1b[2J"));
  await exchange(weir, server.url("/path"));
  await weir.waitForOutput(/GET .*\/path/);
  await weir.stop();
  const out = weir.stdout.list.join("\n"), log = weir.stderr.list.join("\n");
  assertMatch(out, /200 OK/);
  assertMatch(out, /body \\x1b\[31mtext/);
  assertMatch(out, /X-Evil: \\x9b31mred/);
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(out + log), "control characters or colour");
  assert(!log.includes("/path") && !out.includes("listening"));
});

Deno.test("flow detail: -q prints and logs nothing, 1 lines, 2 headers, a streaming exchange is announced", async () => {
  const gate = new Gate();
  await using server = await origin(async (wire, request) => {
    await wire.send("HTTP/1.1 200 OK\r\nX-Head: 1\r\nContent-Length: 4\r\n\r\n");
    if (request.target === "/wait") await gate.opened;
    await wire.send("body");
  });
  {
    await using weir = await startWeir({ args: ["--set", "stream_large_bodies=0"] });
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url("/wait")));
    await client.head();
    await weir.waitForOutput(/GET .*\/wait/);
    gate.open();
    await weir.waitForOutput(/<< 200 OK.* 4b/);
    await weir.stop();
    assert(!weir.stdout.list.join("\n").includes("X-Head"));
  }
  {
    await using weir = await startWeir({ args: ["-v"] });
    await exchange(weir, server.url("/x"));
    await weir.waitForOutput(/X-Head: 1/);
    await weir.stop();
  }
  // Quiet: without its log line, the port must be known.
  const port = freePort();
  await using weir = await startWeir({
    args: ["-q", "-p", `${port}`],
    addon: "export function request() { console.error('listening at seen'); }\n",
    quietPort: port,
  });
  assertEquals((await exchange(weir, server.url("/x"))).text, "body");
  await weir.stop();
  assertEquals([weir.stdout.list, weir.stderr.list], [[], ["listening at seen"]]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal}: no new connections, the open stream finishes, done runs, exit 0`, async () => {
    const gate = new Gate();
    await using server = await origin(async (wire) => {
      await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nbefore,");
      await gate.opened;
      await wire.send("after");
      wire.close();
    });
    await using weir = await startWeir({
      addon: `import type { Context } from "weir";
export async function done(ctx: Context) { await 0; ctx.log.info("DONE"); }
`,
    });
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url()));
    const body = client.body(await client.head());
    assertEquals(await body.nextText(), "before,");
    weir.signal(signal);
    await within(SOON, refused(weir.port), "the listener to close");
    gate.open();
    assertEquals(await body.text(), "after");
    assertEquals(await weir.exit(), 0, weir.stderr.list.join("\n"));
    await weir.waitForLog(/DONE/);
  });
}

Deno.test("a stream that does not finish is cut when the grace time is over, and the exit status is 0", async () => {
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nbefore,");
    await wire.untilEnd();
  });
  await using weir = await startWeir({ args: ["--set", "shutdown_grace=1"] });
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url()));
  await client.head();
  await weir.stop();
  assertEquals(weir.stderr.list.filter((line) => /uncaught|unhandled/i.test(line)), []);
});

Deno.test("a second SIGINT exits at once", async () => {
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nbefore,");
    await wire.untilEnd();
  });
  await using weir = await startWeir({ args: ["--set", "shutdown_grace=3000"] });
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url()));
  await client.head();
  weir.signal("SIGINT");
  await within(SOON, refused(weir.port), "the listener to close");
  weir.signal("SIGINT");
  assert(await weir.exit() !== 0);
});

/** Resolves when connections to `port` are refused. */
async function refused(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
