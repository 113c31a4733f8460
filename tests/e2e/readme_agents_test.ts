/** The README's example of an agent under a policy runs as it is printed. @module */
import { assertEquals, assertMatch } from "@std/assert";
import { parsePolicyFile } from "../../src/egress/mod.ts";
import { freePort } from "./support/free_port.ts";
import { START, within } from "./support/within.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const README = await Deno.readTextFile(`${ROOT}README.md`);

/** A file of the example. */
function file(name: string): string {
  const match = new RegExp(`<!-- agents: ${name} -->\\n+\`\`\`\\w+\\n([^]*?)\`\`\``).exec(README);
  if (match === null) throw new Error(`The README has no ${name}.`);
  return match[1];
}

Deno.test("README: the agent of the example, its policy and its API do what is printed", async () => {
  const port = String(await freePort());
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  for (const name of ["api.ts", "egress.yaml", "agent.sh"]) {
    await Deno.writeTextFile(`${dir}/${name}`, file(name).replaceAll("8787", port));
  }
  const api = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "api.ts"],
    cwd: dir,
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  try {
    await within(START, accepts(Number(port)), "the API to listen");
    const output = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        `${ROOT}main.ts`,
        "exec",
        "--confdir",
        `${dir}/conf`,
        "--policy",
        "egress.yaml",
        "--",
        "sh",
        "agent.sh",
      ],
      cwd: dir,
      env: { NO_COLOR: "1", API_KEY: "sk-live-0123456789" },
      stdin: "null",
    }).output();
    const { code, stdout, stderr } = await within(START, output, "weir exec to end");
    const [, printed] = /sh agent\.sh\n([^]*?)\n\n/.exec(README)!;
    const expected = printed.split("\n").map((line) => line.slice(4)).join("\n");
    const seen = `${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`;
    const plain = (text: string) =>
      text.trimEnd().replaceAll(/sk-weir[0-9a-f]{32}/g, "PLACEHOLDER").replaceAll(port, "8787");
    assertEquals(plain(seen), plain(expected));
    assertEquals(code, 0);
  } finally {
    api.kill();
    await api.status;
  }
  assertMatch(await new Response(api.stdout).text(), /^the API was given Bearer sk-live-0123456789$/m);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("README: the policy file that is shown is one", async () => {
  const [, text] = /### The policy file\n+```yaml\n([^]*?)```/.exec(README)!;
  const { rules, secrets, add } = await parsePolicyFile("README.md", text);
  assertEquals([rules.length, secrets.length, add.length], [7, 2, 1]);
});

async function accepts(port: number): Promise<void> {
  for (;;) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
