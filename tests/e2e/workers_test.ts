/** The option `workers`: several isolates on one port. @module */
import { assertEquals } from "@std/assert";
import { absolute, Client } from "./support/client.ts";
import { startWeir } from "./support/weir.ts";
import { within } from "./support/within.ts";

/** Answers with a name of its own for each isolate that it is loaded in. */
const WHO = `import type { HttpFlow } from "weir";
const name = crypto.randomUUID();
export function request(flow: HttpFlow) {
  flow.response = new Response(name);
}
`;

async function whoAnswers(port: number): Promise<string> {
  await using client = await Client.connect({ port });
  await client.send(absolute("http://who.example/"));
  return (await client.response("GET")).text;
}

async function untilBothAnswered(port: number): Promise<Set<string>> {
  const names = new Set<string>();
  while (names.size < 2) names.add(await whoAnswers(port));
  return names;
}

Deno.test("workers=2: two isolates share the port, each with its own addons, and end together with 0", async () => {
  await using weir = await startWeir({ args: ["--set", "workers=2"], addon: WHO });
  assertEquals((await within(20_000, untilBothAnswered(weir.port), "both isolates to answer")).size, 2);
  assertEquals(weir.stderr.list.filter((line) => line.includes("listening at")).length, 1);
  await weir.stop();
});
