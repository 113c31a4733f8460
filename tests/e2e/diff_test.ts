/** `weir diff` on the program as a user starts it. @module */
import { assertEquals, assertMatch } from "@std/assert";

/** Runs `weir diff` on files of `tests/formats/data`. */
async function diff(...files: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, "diff", ...files.map((file) => DATA + file)],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out, stderr: err };
}

const DATA = new URL("../formats/data/", import.meta.url).pathname;

Deno.test("sessions that are the same, whatever version wrote them, end with 0", async () => {
  const { code, stdout, stderr } = await diff("v14.mitm", "v21.mitm");
  assertEquals([code, stdout, stderr], [0, "", ""]);
});

Deno.test("sessions that differ end with 1, with a line for each difference", async () => {
  const { code, stdout, stderr } = await diff("marked.mitm", "replayed_responses.mitm");
  assertEquals([code, stderr], [1, ""]);
  const lines = stdout.trimEnd().split("\n");
  assertMatch(lines.join("\n"), /^GET http:\/\/127\.0\.0\.1:\d+\/commented: missing$/m);
  assertMatch(lines.join("\n"), /^GET http:\/\/127\.0\.0\.1:\d+\/plain\?not-recorded: added$/m);
});

Deno.test("of a file that is broken what is whole is compared, then one line names it and the place", async () => {
  for (
    const [file, message, isRead] of [
      [
        "broken/cut-in-the-middle.mitm",
        /^weir: error: \S+cut-in-the-middle\.mitm: at byte 3379: .* 838 bytes are dropped\n$/,
        true,
      ],
      ["nowhere.mitm", /^weir: error: \S+nowhere\.mitm: No such file or directory\n$/, false],
    ] as const
  ) {
    const { code, stdout, stderr } = await diff("v17.mitm", file);
    assertEquals([code, /missing$/m.test(stdout), /added$/m.test(stdout)], [1, isRead, isRead]);
    assertMatch(stderr, message);
  }
});
