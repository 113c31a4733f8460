import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatCompletions } from "../../src/cli/completions.ts";
import { SHELLS } from "../../src/cli/flags.ts";
import { listFlags } from "../../src/cli/flag_list.ts";
import { OptionRegistry } from "../../src/options/mod.ts";

function registry(): OptionRegistry {
  const registry = new OptionRegistry();
  registry.addOption("greeting", "str", "hi", "What it's [about]: `$HOME`.", { choices: ["hi", "ho"] });
  return registry;
}

/** What bash offers for a line whose last word is being typed. */
async function bash(...words: string[]): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `compopt() { :; }
${formatCompletions("bash", registry())}
COMP_WORDS=(${quoted}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _weir; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = await new Deno.Command("bash", { args: ["--norc", "-c", script] }).output();
  assertEquals(new TextDecoder().decode(output.stderr), "");
  return new TextDecoder().decode(output.stdout).split("\n").filter((line) => line !== "");
}

Deno.test("bash completes flags of weir and of addons", async () => {
  assertEquals(await bash("weir", "--listen"), ["--listen-host", "--listen-port"]);
  assertEquals(await bash("weir", "-k", "--no-vi"), ["--no-via"]);
  assertEquals(await bash("weir", "--gree"), ["--greeting"]);
  assertEquals(await bash("weir", "--brow"), ["--browser"]);
  assertEquals(await bash("weir", "ex"), ["exec"]);
  assertEquals(await bash("weir", "-k", "ex"), []);
});

Deno.test("bash completes values, after a space or an equals sign", async () => {
  assertEquals(await bash("weir", "--termlog-verbosity", ""), ["error", "warn", "info", "debug"]);
  assertEquals(await bash("weir", "--termlog-verbosity", "=", "d"), ["debug"]);
  assertEquals(await bash("weir", "--greeting", "="), ["hi", "ho"]);
  assertEquals(await bash("weir", "--completions", "z"), ["zsh"]);
  assertEquals(await bash("weir", "--set", "listen_"), ["listen_host=", "listen_port="]);
  assertEquals(await bash("weir", "--listen-port", ""), []);
});

Deno.test("bash completes files with spaces as one, and directories alone where only those fit", async () => {
  const dir = await Deno.makeTempDir({ prefix: "weir-completions-" });
  await Deno.writeTextFile(`${dir}/an addon.ts`, "");
  await Deno.mkdir(`${dir}/a dir`);
  assertEquals(await bash("weir", "-s", `${dir}/an`), [`${dir}/an addon.ts`]);
  assertEquals(await bash("weir", "--confdir", `${dir}/a`), [`${dir}/a dir`]);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("bash completes the command of exec as a command", async () => {
  assert((await bash("weir", "exec", "-k", "--", "bas")).includes("bash"));
  assertEquals(await bash("weir", "exec", "--listen-p"), ["--listen-port"]);
});

for (const shell of SHELLS) {
  Deno.test(`${shell} knows every flag, and its script is free of mistakes where there is a ${shell} to ask`, async () => {
    const script = formatCompletions(shell, registry());
    for (const { names } of listFlags(registry())) {
      for (const name of names.filter((name) => name.startsWith("--"))) {
        assertStringIncludes(script, shell === "fish" ? `-l ${name.slice(2)} ` : name);
      }
    }
    const path = await Deno.makeTempFile({ prefix: "weir-completions-" });
    await Deno.writeTextFile(path, script);
    try {
      const output = await new Deno.Command(shell, { args: ["-n", path] }).output();
      assertEquals([output.code, new TextDecoder().decode(output.stderr)], [0, ""]);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    } finally {
      await Deno.remove(path);
    }
  });
}
