import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { applyAll, applyKnown, OptionError, OptionRegistry, readConfigFile } from "../../src/options/mod.ts";

async function withConfig(text: string, use: (confdir: string) => Promise<void>) {
  const confdir = await Deno.makeTempDir({ prefix: "weir-config-" });
  try {
    await Deno.writeTextFile(`${confdir}/config.yaml`, text);
    await use(confdir);
  } finally {
    await Deno.remove(confdir, { recursive: true });
  }
}

Deno.test("without a config.yaml there is nothing to apply", async () => {
  assertEquals(await readConfigFile("/nonexistent/weir"), null);
});

Deno.test("config.yaml sets options; those that addons may yet register are left over", async () => {
  const text =
    "listen_port: 9000\n# a comment\nbody_size_limit: 3m\nmemory_limit:\nmode: [regular, 'regular@9001']\nmine: 5\n";
  await withConfig(text, async (confdir) => {
    const registry = new OptionRegistry();
    const file = await readConfigFile(confdir + "/");
    const rest = await applyKnown(file!, registry);
    const { values } = registry;
    assertEquals([values.listen_port, values.body_size_limit, values.memory_limit], [9000, 3145728, null]);
    assertEquals(values.mode, ["regular", "regular@9001"]);
    assertEquals([...rest.entries], [["mine", 5]]);
    await assertRejects(() => applyAll(rest, registry), OptionError, "config.yaml: unknown option mine");
    registry.addOption("mine", "int", 1, "Help.");
    await applyAll(rest, registry);
    assertEquals(values.get("mine"), 5);
  });
});

Deno.test("an empty config.yaml is fine", async () => {
  for (const text of ["", "# only a comment\n", "---\n"]) {
    await withConfig(text, async (confdir) => assertEquals((await readConfigFile(confdir))?.entries.size, 0));
  }
});

Deno.test("a mistake in config.yaml names the file, the option and the nearest name, in one line", async () => {
  const bad: [string, RegExp][] = [
    ["listen_prot: 1", /config\.yaml: unknown option listen_prot \(did you mean listen_port\?\)$/],
    ["listen_port: abc", /config\.yaml: option listen_port: "abc" is not an integer$/],
    ["listen_port: '80'", /config\.yaml: option listen_port: "80" is not an integer$/],
    ["via: yes please", /config\.yaml: option via: "yes please" is neither true nor false$/],
    ["mode: regular", /config\.yaml: option mode: "regular" is not a list$/],
    ["- a\n- b", /config\.yaml must be a mapping from options to values$/],
    ["just text", /config\.yaml must be a mapping from options to values$/],
    ["a: [", /config\.yaml is not YAML: .*line \d+, column \d+$/],
    ["via: true\nvia: false", /config\.yaml is not YAML: .*duplicated key at line 2, column 1$/],
  ];
  for (const [text, message] of bad) {
    await withConfig(text, async (confdir) => {
      const registry = new OptionRegistry();
      const error = await assertRejects(async () => {
        const file = await readConfigFile(confdir);
        await applyAll(await applyKnown(file!, registry), registry);
      }, OptionError);
      assertMatch(error.message, message);
      assertEquals(error.message.includes("\n"), false);
    });
  }
});

Deno.test("a config.yaml that cannot be read is an error, not an absence", async () => {
  const confdir = await Deno.makeTempDir({ prefix: "weir-config-" });
  await Deno.mkdir(`${confdir}/config.yaml`);
  await assertRejects(() => readConfigFile(confdir), OptionError, "config.yaml cannot be read");
  await Deno.remove(confdir, { recursive: true });
});

Deno.test("confdir in config.yaml moves nothing, and says so when it would", async () => {
  await withConfig("confdir: /elsewhere", async (confdir) => {
    const registry = new OptionRegistry();
    await registry.update({ confdir });
    const warnings: string[] = [];
    await applyKnown((await readConfigFile(confdir))!, registry, (text) => warnings.push(text));
    assertEquals(registry.values.confdir, confdir);
    assertEquals(warnings, [`${confdir}/config.yaml: confdir has no effect here, give it as a flag`]);
  });
  await withConfig("confdir: ~/.weir", async (confdir) => {
    const warnings: string[] = [];
    await applyKnown((await readConfigFile(confdir))!, new OptionRegistry(), (text) => warnings.push(text));
    assertEquals(warnings, []);
  });
});

Deno.test("a YAML bomb in config.yaml is neither unfolded nor printed whole", async () => {
  const names = "abcdefghi".split("");
  const bomb = `a: &a [${'"lol",'.repeat(9)}]\n` +
    names.slice(1).map((name, i) => `${name}: &${name} [${`*${names[i]},`.repeat(9)}]\n`).join("");
  for (const option of ["via", "confdir", "listen_port", "scripts", "memory_limit", "listen_host"]) {
    await withConfig(`${bomb}${option}: *i\n`, async (confdir) => {
      const warnings: string[] = [];
      const file = await readConfigFile(confdir);
      const registry = new OptionRegistry();
      const warn = (text: string) => warnings.push(text);
      const message = await applyKnown(
        { ...file!, entries: new Map([[option, file!.entries.get(option)]]) },
        registry,
        warn,
      )
        .then(() => warnings.join(), (error: Error) => error.message);
      assert(message.length > 0 && message.length < 400, `${option}: ${message.length} characters`);
    });
  }
});
