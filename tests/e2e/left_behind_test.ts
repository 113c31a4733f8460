/** What is left on disk, and running, after weir has ended, however it ended. @module */
import { assertEquals } from "@std/assert";
import { absolute, Client, curl } from "./support/client.ts";
import { bulk, origin } from "./support/origin.ts";
import { has } from "./support/tools.ts";
import { startWeir, type WeirOptions } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

const STORING = ["--set", "store_streamed_bodies=true", "--set", "stream_large_bodies=1"];

/** Until `what` is so. */
async function until(what: () => boolean | Promise<boolean>, name: string): Promise<void> {
  let isOver = false;
  const looking = (async () => {
    while (!isOver && !await what()) await new Promise((resolve) => setTimeout(resolve, 20));
  })();
  try {
    await within(SOON, looking, name);
  } finally {
    isOver = true;
  }
}

function count(directory: string, prefix = "weir-"): number {
  return [...Deno.readDirSync(directory)].filter(({ name }) => name.startsWith(prefix)).length;
}

for (const signal of ["SIGTERM", "SIGHUP", "SIGKILL"] as const) {
  Deno.test(`stored bodies are gone after ${signal}${signal === "SIGKILL" ? " and another start" : ""}`, async () => {
    const place = await Deno.makeTempDir({ prefix: "place-" });
    await using server = await origin(bulk(90_000_000));
    const options: WeirOptions = {
      args: [...STORING, "--set", "shutdown_grace=0"],
      env: { TMPDIR: place },
    };
    {
      await using weir = await startWeir(options);
      await using client = await Client.connect(weir);
      await client.send(absolute(server.url()));
      await client.readExactly(5_000_000);
      await until(() => count(place) === 1, "a file");
      weir.signal(signal);
      await weir.exit();
    }
    if (signal === "SIGKILL") {
      assertEquals(count(place), 1);
      await using weir = await startWeir(options);
      await until(() => count(place) === 0, "an empty place");
      await weir.stop();
    }
    assertEquals(count(place), 0);
    await Deno.remove(place, { recursive: true });
  });
}

Deno.test({
  name: "the browser and its profile are gone after SIGKILL",
  ignore: Deno.build.os === "windows",
  async fn() {
    const place = await Deno.makeTempDir({ prefix: "place-" });
    const script = `#!/bin/sh\necho $$ >${place}/new; mv ${place}/new ${place}/pid; exec sleep 600\n`;
    await Deno.writeTextFile(`${place}/google-chrome`, script, { mode: 0o755 });
    await using weir = await startWeir({
      args: ["--browser"],
      env: { PATH: `${place}:${Deno.env.get("PATH")}`, TMPDIR: place },
    });
    const pidOf = () => Deno.readTextFile(`${place}/pid`).catch(() => null);
    await until(async () => await pidOf() !== null, "the browser");
    assertEquals(count(place, "weir-browser-"), 1);
    weir.signal("SIGKILL");
    await weir.exit();
    const pid = Number(await pidOf());
    await until(() => {
      try {
        Deno.kill(pid, "SIGCONT");
        return false;
      } catch {
        return true;
      }
    }, "the browser to end");
    await until(() => count(place, "weir-browser-") === 0, "the profile to go");
    await Deno.remove(place, { recursive: true });
  },
});

const FULL = "a full disk: the body arrives whole, and what was kept of it is gone at once";
Deno.test({
  name: FULL,
  ignore: Deno.build.os !== "linux",
  async fn() {
    if (!has("unshare", FULL)) return;
    const size = 20_000_000;
    await using server = await origin(bulk(size));
    const place = await Deno.makeTempDir({ prefix: "place-" });
    // A small disk, in a mount namespace of its own. Two stages keep the body: store_streamed_bodies, and saveStream.
    const disk = `mount -t tmpfs -o size=3m none ${place}`;
    const probe = await new Deno.Command("unshare", { args: ["-Urm", "sh", "-c", disk] }).output();
    if (!probe.success) {
      console.warn(`Skipped, as this system mounts nothing for its users: ${FULL}`);
      return await Deno.remove(place);
    }
    const confdir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    await Deno.writeTextFile(
      `${confdir}/addon.ts`,
      `import { saveStream } from "weir";
      export function responseheaders(flow) { flow.response.stream = saveStream("${place}/copy"); }
      export function complete(flow, ctx) { ctx.log.warn("left: " + [...Deno.readDirSync("${place}")].map(({ name }) => name)); }`,
    );
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const line = `${disk}; exec "$0" run -A ${main} -p 0 --set confdir=${confdir} -s ${confdir}/addon.ts ${
      STORING.join(" ")
    }`;
    const child = new Deno.Command("unshare", {
      args: ["-Urm", "sh", "-c", line, Deno.execPath()],
      env: { TMPDIR: place },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const logged = async (pattern: RegExp) => {
      while (!pattern.test(text)) {
        const { value, done } = await within(SOON, reader.read(), `${pattern} in ${text}`);
        if (done) throw new Error(text);
        text += value;
      }
      return pattern.exec(text)!;
    };
    const [, port] = await logged(/listening at 127\.0\.0\.1:(\d+)\n/);
    const { stdout, code } = await curl("-x", `http://127.0.0.1:${port}`, server.url());
    assertEquals([code, stdout.length], [0, size]);
    assertEquals((await logged(/left:(.*)\n/))[1], "");
    assertEquals(text.match(/is not (saved|recorded)/g)?.length, 2, text);
    child.kill("SIGTERM");
    await child.status;
    await reader.cancel();
    for (const path of [place, confdir]) await Deno.remove(path, { recursive: true });
  },
});
