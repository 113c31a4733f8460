/** `-w` and `-r`: flows are saved as they end and read again (flows.md, "Save", "Read"). @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exchange } from "./support/client.ts";
import { bulk, echo, origin, withChunks, withLength } from "./support/origin.ts";
import { runWeir, startWeir } from "./support/weir.ts";

/** What `weir -nr FILE` prints, without addresses and times. */
async function read(file: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runWeir({ args: ["-nr", file, ...args] });
  assertEquals([code, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line.includes(": ")).map((line) => line.replace(/^.*?: /, ""));
}

Deno.test("flows are saved as they end, and read again with what filters want of them", async () => {
  await using server = await origin(echo);
  await using weir = await startWeir({ args: ["-w", "$DIR/new/dir/flows.mitm"] });
  for (const path of ["/a", "/b"]) {
    await exchange(weir, server.url(path), { method: "POST", body: `body of ${path}` });
  }
  await weir.waitForOutput(/\/b/);
  const file = `${weir.dir}/new/dir/flows.mitm`;
  const urls = (...paths: string[]) => paths.map((path) => `POST ${server.url(path)} 10b`);
  assertEquals(await read(file), urls("/a", "/b"));
  await exchange(weir, server.url("/c"), { method: "POST", body: "body of /c" });
  await weir.stop();
  assertEquals(await read(file), urls("/a", "/b", "/c"));
  assertEquals(await read(file, "~u", "/b$", "|", "~b", "/c"), urls("/b", "/c"));
  assertEquals(await read(file, "--readfile-filter", "~u /a"), urls("/a"));

  const { code } = await runWeir({ args: ["-q", "-nr", file, "-w", `${weir.dir}/some.mitm`, "!~u /b"] });
  assertEquals(code, 0);
  assertEquals(await read(`${weir.dir}/some.mitm`), urls("/a", "/c"));
  await runWeir({ args: ["-q", "-nr", file, "-w", `+${weir.dir}/some.mitm`, "~u /b"] });
  assertEquals(await read(`${weir.dir}/some.mitm`), urls("/a", "/c", "/b"));
  await runWeir({ args: ["-q", "-nr", file, "-r", file, "-w", `${weir.dir}/some.mitm`] });
  assertEquals((await read(`${weir.dir}/some.mitm`)).length, 6);
});

Deno.test("an addon edits what is read, and what it made of it is saved", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ args: ["-w", "$DIR/flows.mitm"] });
  await exchange(weir, server.url("/a"));
  await weir.stop();
  const addon = `
    export function request(flow) { flow.request.path = "/edited"; }
    export function response(flow) { flow.response.text = "live: " + flow.live; }`;
  await using again = await startWeir({
    addon,
    args: ["-r", `${weir.dir}/flows.mitm`, "-w", "$DIR/edited.mitm"],
  });
  assertEquals(await again.exit(), 0);
  const shown = await runWeir({ args: ["-nr", `${again.dir}/edited.mitm`, "--flow-detail", "3"] });
  assertStringIncludes(shown.stdout, "/edited");
  assertStringIncludes(shown.stdout, "live: false");
});

Deno.test("streamed bodies are saved where they are stored, and absent where they are not", async () => {
  await using server = await origin(withChunks(["one ", "two ", "three"]));
  for (const [stored, shown] of [["true", "13b"], ["false", "(content missing)"]]) {
    await using weir = await startWeir({
      args: [
        "-w",
        "$DIR/flows.mitm",
        "--set",
        "stream_large_bodies=0",
        "--set",
        `store_streamed_bodies=${stored}`,
      ],
    });
    await exchange(weir, server.url("/a"));
    await weir.stop();
    const { stdout } = await runWeir({ args: ["-nr", `${weir.dir}/flows.mitm`] });
    assertStringIncludes(stdout, `<< 200 OK ${shown}`);
  }
});

Deno.test("a large stored body is saved and read with flat memory, while other flows go on", async () => {
  const MIB = 1024 * 1024, size = 256 * MIB;
  await using server = await origin((wire, request) =>
    request.target === "/big" ? bulk(size)(wire, request) : withLength("small")(wire, request)
  );
  await using weir = await startWeir({
    args: ["-w", "$DIR/flows.mitm", "--set", "stream_large_bodies=1m", "--set", "store_streamed_bodies=true"],
  });
  await exchange(weir, server.url("/small"));
  const growth = await weir.growthDuring((async () => {
    using client = Deno.createHttpClient({ proxy: { url: weir.url } });
    const response = await fetch(server.url("/big"), { client });
    let total = 0;
    for await (const piece of response.body!) total += piece.length;
    assertEquals(total, size);
    await exchange(weir, server.url("/after"));
    await weir.waitForOutput(/\/after/);
  })());
  await weir.stop();
  assert(growth < 64 * MIB, `weir grew by ${growth / MIB} MiB`);
  assert((await Deno.stat(`${weir.dir}/flows.mitm`)).size > size);
  await using reader = await startWeir({
    args: ["-r", `${weir.dir}/flows.mitm`, "--set", "keepserving=true"],
  });
  const grown = await reader.growthDuring(reader.waitForOutput(/\/after/));
  assertEquals(reader.stdout.list.filter((line) => line.includes("GET")).length, 3);
  assert(grown < 64 * MIB, `the reader grew by ${grown / MIB} MiB`);
  await reader.stop();
});

Deno.test("kill -9 leaves all flows that had ended, and reading says how much was cut", async () => {
  const addon = `
    export function complete(flow) { console.error("ended " + flow.request.path); }`;
  await using server = await origin(withLength("x".repeat(2000)));
  await using weir = await startWeir({ addon, args: ["-w", "$DIR/flows.mitm"] });
  let isOver = false;
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let i = 0; !isOver; i++) await exchange(weir, server.url(`/${client}/${i}`)).catch(() => {});
  });
  await weir.waitForLog(/ended \/7\/50$/);
  weir.signal("SIGKILL");
  await weir.exit();
  isOver = true;
  await Promise.all(clients);
  const file = `${weir.dir}/flows.mitm`;
  const ended = weir.stderr.list.flatMap((line) => /ended (\S+)/.exec(line)?.[1] ?? []);
  assert(ended.length >= 50);
  const saved = new Set((await read(file)).map((line) => new URL(line.split(" ")[1]).pathname));
  // The kill may have come between the two addons of the flow that was ending.
  assertEquals(ended.slice(0, -1).filter((path) => !saved.has(path)), []);

  const bytes = await Deno.readFile(file);
  await Deno.writeFile(file, bytes.subarray(0, bytes.length - 7));
  const torn = await runWeir({ args: ["-nr", file] });
  assertEquals(torn.code, 1);
  assertMatch(
    torn.stderr,
    /^weir: error: .*flows\.mitm: at byte \d+: the file ends in the middle of a flow; \d+ bytes are dropped$/,
  );
  assertEquals(torn.stdout.split("\n").filter((line) => line.includes("GET")).length, saved.size - 1);
  // What is added comes behind the last whole flow.
  assertEquals((await runWeir({ args: ["-q", "-nr", file, "-w", `+${file}.2`] })).code, 1);
  await Deno.writeFile(`${file}.2`, bytes.subarray(0, bytes.length - 7));
  await Deno.writeFile(file, bytes);
  assertEquals((await runWeir({ args: ["-q", "-nr", file, "-w", `+${file}.2`] })).code, 0);
  assertEquals((await read(`${file}.2`)).length, 2 * saved.size - 1);
});

Deno.test("what cannot be added to is left alone, and weir does not start", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const file = `${dir}/notes.txt`;
    await Deno.writeTextFile(file, "not flows");
    const { code, stderr } = await runWeir({ args: ["-w", `+${file}`] });
    assertEquals(code, 1);
    assertMatch(stderr, /^weir: error: .*notes\.txt: at byte 0: a length was expected/);
    assertEquals(await Deno.readTextFile(file), "not flows");
    const missing = await runWeir({ args: ["-nr", `${dir}/none`] });
    assertEquals(missing.code, 1);
    assertMatch(missing.stderr, /^weir: error: .*none cannot be read: No such file/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("the time in a name makes a file for each moment", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ args: ["-w", "$DIR/%Y/%H-%M-%S.mitm"] });
  await exchange(weir, server.url("/a"));
  await weir.waitForOutput(/\/a/);
  const second = new Date().getSeconds();
  while (new Date().getSeconds() === second) await new Promise((resolve) => setTimeout(resolve, 20));
  await exchange(weir, server.url("/b"));
  await weir.stop();
  const files = [...Deno.readDirSync(`${weir.dir}/${new Date().getFullYear()}`)].map(({ name }) => name)
    .sort();
  const urls = [];
  for (const name of files) urls.push(...await read(`${weir.dir}/${new Date().getFullYear()}/${name}`));
  assertEquals(urls.map((line) => line.slice(-2)), ["/a", "/b"]);
  assert(files.length >= 2);
});

Deno.test("-w - writes flows to standard output, and prints them to the other", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ args: ["-w", "$DIR/flows.mitm"] });
  await exchange(weir, server.url("/a"));
  await weir.stop();
  const { stdout, stderr } = await runWeir({ args: ["-nr", `${weir.dir}/flows.mitm`, "-w", "-"] });
  assertEquals(stdout, await Deno.readTextFile(`${weir.dir}/flows.mitm`));
  assertStringIncludes(stderr, server.url("/a"));
});

Deno.test("a full disk: one error line, exchanges go on, and the file ends with a whole flow", async () => {
  const dir = await Deno.makeTempDir();
  const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "size=256k", "tmpfs", dir] })
    .output();
  if (!mount.success) {
    await Deno.remove(dir);
    return console.log("skipped: this user may not mount a small file system");
  }
  try {
    await using server = await origin(withLength("x".repeat(50_000)));
    await using weir = await startWeir({
      args: ["-w", `${dir}/flows.mitm`, "--set", `hardump=${dir}/flows.har`],
    });
    for (let i = 0; i < 10; i++) {
      const { text } = await exchange(weir, server.url(`/${i}`));
      assertEquals(text.length, 50_000);
    }
    await weir.stop();
    const errors = weir.stderr.list.filter((line) => /No space left on device/.test(line));
    assertEquals(errors.length, 2, weir.stderr.list.join("\n"));
    assert(
      errors.some((line) => line.includes(`Flows are not saved to ${dir}/flows.mitm any more`)),
      errors[0],
    );
    const saved = await read(`${dir}/flows.mitm`);
    assert(saved.length >= 1 && saved.length < 10, `${saved.length}`);
    const { log } = JSON.parse(await Deno.readTextFile(`${dir}/flows.har`));
    assert(log.entries.length >= 1 && log.entries.length < 10);
  } finally {
    await new Deno.Command("umount", { args: ["-l", dir] }).output();
    await Deno.remove(dir);
  }
});

Deno.test("a HAR is whole, valid JSON after kill -9, and read again it gives the same HAR", async () => {
  await using server = await origin(echo);
  await using weir = await startWeir({ args: ["--set", "hardump=$DIR/flows.har"] });
  for (let i = 0; i < 5; i++) {
    await exchange(weir, server.url(`/${i}?a=${i}`), { method: "POST", body: `é${i}` });
  }
  await weir.waitForOutput(/\/4\?a=4/);
  weir.signal("SIGKILL");
  await weir.exit();
  const file = `${weir.dir}/flows.har`;
  const har = JSON.parse(await Deno.readTextFile(file));
  assertEquals(
    har.log.entries.map((entry: { request: { url: string } }) => entry.request.url),
    [
      ...Array(5).keys(),
    ].map((i) => server.url(`/${i}?a=${i}`)),
  );
  const { code } = await runWeir({ args: ["-q", "-nr", file, "--set", `hardump=${file}.2`] });
  assertEquals(code, 0);
  assertEquals(JSON.parse(await Deno.readTextFile(`${file}.2`)), har);
});
