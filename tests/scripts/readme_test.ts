import { assertEquals } from "@std/assert";
import { optionsTable } from "../../scripts/readme_options.ts";

/** Rows without the padding that the formatter adds. */
function rows(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("|") && !/^\|[\s|:-]+\|$/.test(line))
    .map((line) => line.replaceAll(/\s*\|\s*/g, "|"));
}

Deno.test("README's options table is what the registry says", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const table = readme.slice(readme.indexOf("<!-- options"), readme.indexOf("<!-- /options"));
  assertEquals(rows(table), rows(await optionsTable()));
});
