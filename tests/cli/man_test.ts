import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { listFlags } from "../../src/cli/flag_list.ts";
import { formatMan } from "../../src/cli/man.ts";
import { OptionRegistry } from "../../src/options/mod.ts";

function page(): { source: string; registry: OptionRegistry } {
  const registry = new OptionRegistry();
  registry.addOption("awkward", "str", "", ".so /etc/passwd \\fB and 'quotes' ~ ^");
  return { source: formatMan(registry), registry };
}

Deno.test("the manual page has its sections and every flag with its help", () => {
  const { source, registry } = page();
  const sections = [...source.matchAll(/^\.SH "?([A-Z ]+)"?$/gm)].map(([, title]) => title);
  assertEquals(sections, [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "FILES",
    "ENVIRONMENT",
    "EXAMPLES",
    "SEE ALSO",
  ]);
  for (const { names } of listFlags(registry)) {
    for (const name of names) assertStringIncludes(source, `\\fB${name.replaceAll("-", "\\-")}\\fR`);
  }
  assertMatch(source, /^\.TH WEIR 1 /);
});

Deno.test("nothing in a help text is an instruction to groff", () => {
  const { source } = page();
  assertStringIncludes(source, "\\&.so /etc/passwd \\efB and 'quotes' \\(ti \\(ha");
  const requests = new Set([...source.matchAll(/^[.']\s*(\w*)/gm)].map(([, name]) => name));
  assert(
    requests.isSubsetOf(new Set(["TH", "SH", "SS", "TP", "PP", "B", "I", "RI", "BR", "br"])),
    [...requests].join(),
  );
});

Deno.test("groff sets it without a warning, where there is one", async () => {
  const { source } = page();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("groff", {
      args: ["-man", "-Tutf8", "-ww"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stderr), "");
  // deno-lint-ignore no-control-regex -- bold and italics are escape sequences, or overstruck with backspaces
  const text = new TextDecoder().decode(stdout).replaceAll(/\x1b\[[\d;]*m|.\x08/g, "");
  assertMatch(text, /weir exec \[options\] -- COMMAND \[ARGUMENT\.\.\.\]/);
  assertMatch(text, /-p, --listen-port PORT\n/);
});
