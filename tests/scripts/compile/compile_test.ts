import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { fileURLToPath } from "node:url";
import { writeSums } from "../../../scripts/compile.ts";
import { VERSION } from "../../../scripts/compile/deno.ts";
import { TARGETS, targetsNamed } from "../../../scripts/compile/targets.ts";

const SCRIPT = fileURLToPath(new URL("../../../scripts/compile.ts", import.meta.url));

Deno.test("all means Linux, macOS and Windows on both architectures; host means this machine", () => {
  const all = targetsNamed(["all", "host"]).map(({ triple }) => triple);
  assertEquals(all.length, 6);
  for (const system of ["linux", "darwin", "windows"]) {
    const arches = all.filter((triple) => triple.includes(system)).map((triple) => triple.split("-")[0]);
    assertEquals(arches.sort(), ["aarch64", "x86_64"]);
  }
  assertEquals(targetsNamed(["host"]).map(({ triple }) => triple), [Deno.build.target]);
  assertEquals(targetsNamed([TARGETS[3].triple, TARGETS[3].triple]), [TARGETS[3]]);
  assertThrows(
    () => targetsNamed(["beos"]),
    Error,
    "No target beos; there are host, all, x86_64-unknown-linux-gnu",
  );
});

Deno.test("SHA256SUMS names every executable of this version, and nothing else", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/weir-${VERSION}-b`, "abc");
  await Deno.writeTextFile(`${dir}/weir-${VERSION}-a`, "");
  await Deno.writeTextFile(`${dir}/weir-0.0.0-a`, "old");
  await writeSums(dir);
  assertEquals(
    await Deno.readTextFile(`${dir}/SHA256SUMS`),
    `e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  weir-${VERSION}-a\n` +
      `ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  weir-${VERSION}-b\n`,
  );
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a runtime that is no denort is refused", async () => {
  const dir = await Deno.makeTempDir();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SCRIPT, "--kind", "compiled", "--out", dir],
    env: { DENORT_BIN: Deno.execPath() },
  }).output();
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr),
    /does not run weir: DENORT_BIN must name a denort, not \S*deno/,
  );
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a wrong flag is answered with how to use it", async () => {
  for (const args of [["--kind", "magic"], ["--level", "12"], ["--targte", "all"]]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", SCRIPT, ...args] })
      .output();
    assertEquals(code, 1);
    assertMatch(new TextDecoder().decode(stderr), /^usage: deno task compile/);
  }
});
