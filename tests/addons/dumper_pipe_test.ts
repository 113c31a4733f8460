/** Stdout is the process's, so what happens when its reader leaves is tested in a process of its own. */
import { assertEquals } from "@std/assert";

const PROGRAM = `
const { default: Dumper } = await import(${
  JSON.stringify(new URL("../../addons/dumper.ts", import.meta.url).href)
});
const { httpFlow } = await import(${
  JSON.stringify(new URL("../support/addon_host.ts", import.meta.url).href)
});
const dumper = new Dumper();
await Deno.stdin.read(new Uint8Array(1));
for (let i = 0; i < 3; i++) dumper.complete(httpFlow());
console.error("still here");
`;

Deno.test("flows go on when whoever read stdout has gone", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", PROGRAM],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
  const [stderr, { code }] = await Promise.all([new Response(child.stderr).text(), child.status]);
  assertEquals(stderr.trim(), "still here");
  assertEquals(code, 0);
});
