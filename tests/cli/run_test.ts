import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Environment } from "../../src/cli/environment.ts";
import { run } from "../../src/cli/run.ts";
import { WeirError } from "../../src/errors.ts";
import type { OptionRegistry } from "../../src/options/mod.ts";
import type { ProxyServerInit } from "../../src/proxy/mod.ts";

/** A weir whose proxy only keeps a diary. `onStart` plays what happens while it runs. */
class World {
  readonly diary: string[] = [];
  stdout = "";
  stderr = "";
  options: OptionRegistry | null = null;
  readonly signals = new Map<string, () => void>();
  onLoad: (init: ProxyServerInit) => void = () => {};
  onStart: (init: ProxyServerInit) => void = ({ onShutdown }) => onShutdown?.();

  readonly #environment: Environment = {
    makeProxy: (init) => {
      this.options = init.options;
      return Promise.resolve({
        load: (scripts) => {
          this.diary.push(`load ${scripts}`);
          init.options.addOption("greeting", "str", "hello", "Help.");
          return Promise.resolve().then(() => this.onLoad(init));
        },
        start: () => {
          this.diary.push("start");
          return Promise.resolve().then(() => this.onStart(init)).then(() => []);
        },
        stop: (graceMs) => {
          this.diary.push(`stop ${graceMs}`);
          return Promise.resolve();
        },
      });
    },
    stdout: writer((text) => this.stdout += text),
    stderr: writer((text) => this.stderr += text),
    signals: {
      addSignalListener: (signal, listener) => this.signals.set(signal, listener),
      removeSignalListener: (signal) => this.signals.delete(signal),
      exit: () => {},
    },
    width: () => 80,
  };

  /** Never reads the config.yaml of whoever runs the tests. */
  run(...argv: string[]): Promise<number> {
    const hasConfdir = argv.some((argument) => argument.includes("confdir"));
    return run(hasConfdir ? argv : ["--confdir", "/nonexistent/weir", ...argv], this.#environment);
  }
}

function writer(write: (text: string) => void) {
  return {
    writeSync(bytes: Uint8Array) {
      write(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  };
}

Deno.test("weir loads addons, starts, waits, stops with the grace time, and exits 0", async () => {
  const world = new World();
  assertEquals(await world.run("-s", "a.ts", "--set", "greeting=hi", "--shutdown-grace", "3"), 0);
  assertEquals(world.diary, ["load a.ts", "start", "stop 3000"]);
  assertEquals(world.options!.values.get("greeting"), "hi");
  assertEquals([world.stdout, world.stderr, world.signals.size], ["", "", 0]);
});

for (const signal of ["SIGINT", Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM"]) {
  Deno.test(`${signal} ends weir with status 0`, async () => {
    const world = new World();
    world.onStart = () => world.signals.get(signal)!();
    assertEquals(await world.run(), 0);
    assertEquals(world.diary, ["load ", "start", "stop 5000"]);
    assertEquals(world.signals.size, 0);
  });
}

Deno.test("weir's own options are set before addons are loaded, theirs before anything listens", async () => {
  const world = new World();
  const seen: unknown[] = [];
  world.onLoad = ({ options }) => seen.push(options.values.listen_port, options.values.get("greeting"));
  world.onStart = ({ options, onShutdown }) => {
    seen.push(options.values.get("greeting"));
    onShutdown?.();
  };
  assertEquals(await world.run("-p0", "--greeting", "hi"), 0);
  assertEquals(seen, [0, "hello", "hi"]);
});

Deno.test("flags are stronger than config.yaml, and that is stronger than defaults", async () => {
  const confdir = await Deno.makeTempDir({ prefix: "weir-run-" });
  await Deno.writeTextFile(
    `${confdir}/config.yaml`,
    "listen_port: 9000\nvia: true\nflow_detail: 3\nscripts: [file.ts]\ngreeting: from file\nignore_hosts: [a]\n",
  );
  const world = new World();
  assertEquals(
    await world.run(
      `--set=confdir=${confdir}`,
      "-p",
      "1",
      "--set",
      "via=toggle",
      "--ignore-hosts",
      "b",
      "-q",
    ),
    0,
  );
  const { values } = world.options!;
  assertEquals([values.listen_port, values.via, values.flow_detail], [1, false, 0]);
  assertEquals([values.ignore_hosts, values.scripts], [["b"], ["file.ts"]]);
  assertEquals([values.get("greeting"), values.connect_timeout], ["from file", 10]);
  const other = new World();
  assertEquals(await other.run("--confdir", confdir, "--greeting=from flag", "-s", "flag.ts"), 0);
  assertEquals([other.options!.values.get("greeting"), other.options!.values.scripts], ["from flag", [
    "flag.ts",
  ]]);
  await Deno.remove(confdir, { recursive: true });
});

Deno.test("a toggle is read once, although flags are looked at twice", async () => {
  const world = new World();
  world.onLoad = ({ options }) => options.addOption("loud", "bool", false, "Help.");
  await world.run("--set", "via=toggle", "--set", "loud=toggle");
  assertEquals([world.options!.values.via, world.options!.values.get("loud")], [true, true]);
});

Deno.test("a bad option is one line and status 1, before anything is loaded or listens", async () => {
  const early: [string[], string][] = [
    [["-p", "abc"], 'option listen_port: "abc" is not an integer'],
    [["-Z"], "unknown flag -Z"],
    [
      ["--set", "listen_host=a\x1b[2J", "-p", "\x1b[2J"],
      'option listen_port: "\\u001b[2J" is not an integer',
    ],
  ];
  for (const [argv, message] of early) {
    const world = new World();
    assertEquals(await world.run(...argv), 1);
    assertEquals([world.stderr, world.stdout, world.diary], [`weir: error: ${message}\n`, "", []]);
  }
  const late: [string[], string][] = [
    [["~u", "foo", "-k", "&"], 'filter "~u foo &": an expression is missing at 9'],
    [["--greetin", "x"], "unknown flag --greetin (did you mean --greeting?)"],
    [["--set", "greetin=x"], "unknown option greetin (did you mean greeting?)"],
    [["--greeting"], "--greeting needs a value"],
  ];
  for (const [argv, message] of late) {
    const world = new World();
    assertEquals(await world.run(...argv), 1);
    assertEquals([world.stderr, world.diary], [`weir: error: ${message}\n`, ["load ", "stop 0"]]);
  }
});

Deno.test("what goes wrong while starting is one line and status 1, and everything is closed", async () => {
  const world = new World();
  world.onStart = () => {
    throw new WeirError("weir", "internal", "Cannot listen at 127.0.0.1:80:\n  the port is taken.\x1b[0m");
  };
  assertEquals(await world.run(), 1);
  assertEquals(world.stderr, "weir: error: Cannot listen at 127.0.0.1:80: the port is taken.\\x1b[0m\n");
  assertEquals([world.diary.at(-1), world.signals.size], ["stop 0", 0]);
  const broken = new World();
  broken.onLoad = () => {
    throw new WeirError("weir", "addon", "a.ts:3: no semicolon");
  };
  assertEquals(await broken.run("-s", "a.ts"), 1);
  assertEquals(broken.stderr, "weir: error: a.ts:3: no semicolon\n");
});

Deno.test("--version needs no proxy; --help and --options show the options of addons and start nothing", async () => {
  const version = new World();
  assertEquals(await version.run("--version", "--no-such-flag"), 0);
  assertEquals([version.diary, version.stderr], [[], ""]);
  assertMatch(version.stdout, /^weir: /);
  for (const flag of ["--help", "--options"]) {
    const world = new World();
    world.onLoad = ({ log }) => log.info("Loading");
    assertEquals(await world.run(flag, "-s", "a.ts"), 0);
    assertEquals([world.diary, world.stderr], [["load a.ts", "stop 0"], ""]);
    assert(world.stdout.includes("greeting"), flag);
  }
});

Deno.test("--help comes whatever else is wrong", async () => {
  const confdir = await Deno.makeTempDir({ prefix: "weir-run-" });
  await Deno.writeTextFile(`${confdir}/config.yaml`, "nonsense: [");
  const world = new World();
  assertEquals(await world.run("-h", "--confdir", confdir, "-p", "abc", "--no-such-flag"), 0);
  assertEquals([world.stdout.startsWith("usage: weir [options]\n"), world.stderr], [true, ""]);
  await Deno.remove(confdir, { recursive: true });
});
