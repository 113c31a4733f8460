/** A few seconds of the soak: it ends with 0 when all is well, and with 1 when a byte is not what was sent. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";

const SCRIPT = new URL("../../../scripts/soak.ts", import.meta.url);

async function soaked(...more: string[]): Promise<{ code: number; lines: string[] }> {
  const program = `const { soak } = await import(${JSON.stringify(SCRIPT.href)});
const [minutes, seed, ...scripts] = Deno.args;
Deno.exit(await soak({ minutes: Number(minutes), seed: Number(seed), print: console.log, scripts }));`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program, "0.1", "3", ...more],
    env: { NO_COLOR: "1" },
    cwd: new URL("../../../", import.meta.url),
  }).output();
  const decoder = new TextDecoder();
  return { code, lines: (decoder.decode(stdout) + decoder.decode(stderr)).trimEnd().split("\n") };
}

Deno.test("a soak checks mixed traffic, says what the process uses, and ends well", async () => {
  const { code, lines } = await soaked();
  const text = lines.join("\n");
  assertEquals(code, 0, text);
  assertMatch(text, /^ +\d+ s +\d+ MiB +\d+ descriptors +\d+ exchanges +0 wrong$/m);
  const [, total, kinds] = /^(\d+) exchanges: (.*)$/m.exec(text)!;
  const sum = [...kinds.matchAll(/[a-zA-Z]+ (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  assertEquals(sum, Number(total));
  for (const kind of ["download", "upload"]) assert(kinds.includes(kind), kinds);
});

Deno.test("a soak through a weir that changes a byte ends with 1, and says which", async () => {
  const addon = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      addon,
      `export function responseheaders(flow) {
  if (/length|open/.test(flow.request.path)) flow.response.stream = (chunk) => chunk.map((byte) => byte ^ 1);
}`,
    );
    const { code, lines } = await soaked(addon);
    assertEquals(code, 1, lines.join("\n"));
    assertMatch(lines.join("\n"), /^WRONG: download over HTTP\/\S+ \(http.*\): Byte 0 is \d+, not \d+\.$/m);
  } finally {
    await Deno.remove(addon);
  }
});
