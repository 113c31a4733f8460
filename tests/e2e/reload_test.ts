/** Contract section 2: an addon is loaded again when it, or a file that it imports, changes. @module */
import { assertEquals } from "@std/assert";
import { exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

const ADDON = `import type { Context, HttpFlow } from "weir";
import { word } from "./words.ts";
enum Kind { Word = "x-word" }
export function response(flow: HttpFlow) { flow.response!.headers.set(Kind.Word, "VERSION " + word()); }
export function done(ctx: Context) { ctx.log.info("done VERSION"); }
`;
const words = (word: string) => `export const word = (): string => "${word}";\n`;

/** Asks until the answer carries `expected`. */
async function until(weir: Weir, url: string, expected: string): Promise<void> {
  const ask = async () => {
    for (;;) {
      if ((await exchange(weir, url)).head.get("x-word") === expected) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await within(SOON, ask(), `x-word: ${expected}; log: ${weir.stderr.list.join("\n")}`);
}

Deno.test("a changed addon, and a changed import of it, are used from then on; a broken one is not", async () => {
  await using server = await origin(withLength("fine"));
  await using weir = await startWeir({
    addon: ADDON.replaceAll("VERSION", "one"),
    files: { "words.ts": words("fish") },
  });
  const write = (name: string, text: string) => Deno.writeTextFile(`${weir.dir}/${name}`, text);
  await until(weir, server.url(), "one fish");
  await write("words.ts", words("red"));
  await until(weir, server.url(), "one red");
  await write("addon.ts", ADDON.replaceAll("VERSION", "two"));
  await until(weir, server.url(), "two red");
  await weir.waitForLog(/done one/);

  await write("addon.ts", "export function response( {\n");
  await weir.waitForLog(/error.*addon\.ts/);
  assertEquals((await exchange(weir, server.url())).head.get("x-word"), "two red");

  await write("addon.ts", ADDON.replaceAll("VERSION", "three"));
  await until(weir, server.url(), "three red");
  await write("words.ts", words("blue"));
  await until(weir, server.url(), "three blue");
  await weir.stop();
});

Deno.test("editors that replace the file by another are noticed", async () => {
  await using server = await origin(withLength("fine"));
  await using weir = await startWeir({
    addon: ADDON.replaceAll("VERSION", "one"),
    files: { "words.ts": words("fish") },
  });
  await until(weir, server.url(), "one fish");
  for (
    const [name, text, expected] of [
      ["addon.ts", ADDON.replaceAll("VERSION", "two"), "two fish"],
      ["words.ts", words("blue"), "two blue"],
      ["addon.ts", ADDON.replaceAll("VERSION", "three"), "three blue"],
    ]
  ) {
    await Deno.writeTextFile(`${weir.dir}/new`, text);
    await Deno.rename(`${weir.dir}/new`, `${weir.dir}/${name}`);
    await until(weir, server.url(), expected);
  }
  await weir.stop();
});
