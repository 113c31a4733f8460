/** `weir --browser`: a real Chromium, made headless by a wrapper that stands before it on PATH. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { origin, withLength } from "./support/origin.ts";
import { originCa } from "./support/certs.ts";
import { runWeir, startWeir, type WeirOptions } from "./support/weir.ts";

/** A directory for PATH in which Chrome is this shell script; `$DIR` in it is that directory. */
async function chromeIs(script: string): Promise<AsyncDisposable & { dir: string; options: WeirOptions }> {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  await Deno.writeTextFile(`${dir}/google-chrome`, `#!/bin/sh\n${script.replaceAll("$DIR", dir)}\n`, {
    mode: 0o755,
  });
  await Deno.writeTextFile(`${dir}/origin-ca.pem`, await originCa());
  return {
    dir,
    options: {
      args: ["--browser", "--set", `ssl_verify_upstream_trusted_ca=${dir}/origin-ca.pem`],
      env: { PATH: `${dir}:${Deno.env.get("PATH")}`, TMPDIR: dir },
    },
    [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }),
  };
}

function profilesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) =>
    name.startsWith("weir-browser-")
  );
}

Deno.test("the browser trusts weir and nobody else, goes through it, and weir goes on when it ends", async () => {
  const page = "<title>the title</title>";
  await using server = await origin(withLength(page, "Content-Type: text/html\r\n"), { tls: true });
  // Headless Chromium takes one page: the one to be dumped in place of the empty one that weir asks for.
  await using chrome = await chromeIs(`
[ "$(eval echo \\\${$#})" = about:blank ] || exit 1
for arg do shift; [ "$arg" = about:blank ] || set -- "$@" "$arg"; done
exec chromium --headless --disable-gpu --disable-dev-shm-usage --dump-dom "$@" ${
    server.url("/")
  } >$DIR/page 2>/dev/null`);
  await using weir = await startWeir(chrome.options);
  await weir.waitForOutput(new RegExp(`GET https://localhost:${server.port}/$`));
  // Nobody looks at the page, so it was not waited for.
  await weir.waitForOutput(/<< 200 OK \S+ \S+ \(streamed: unread\)$/);
  await weir.waitForLog(/The browser has ended; weir goes on/);
  assertStringIncludes(await Deno.readTextFile(`${chrome.dir}/page`), page);
  assertEquals(profilesIn(chrome.dir), []);
  (await Deno.connect({ port: weir.port })).close();
  await weir.stop();
});

Deno.test("weir takes the browser and its profile along when it ends", async () => {
  await using chrome = await chromeIs('echo "$$ $*" >$DIR/new; mv $DIR/new $DIR/started; exec sleep 60');
  await using weir = await startWeir(chrome.options);
  const started = await (async () => {
    for (;;) {
      const text = await Deno.readTextFile(`${chrome.dir}/started`).catch(() => null);
      if (text !== null) return text;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  assertMatch(started, new RegExp(`--proxy-server=http://127\\.0\\.0\\.1:${weir.port} `));
  assertEquals(profilesIn(chrome.dir).length, 1);
  await weir.stop();
  assertEquals(profilesIn(chrome.dir), []);
  const pid = Number(started.split(" ")[0]);
  let isGone = false;
  try {
    // Not there any more, and nobody else can have its number so soon.
    Deno.kill(pid, "SIGCONT");
  } catch {
    isGone = true;
  }
  assert(isGone, "the browser still runs");
  assert(!weir.stderr.list.some((line) => line.includes("weir goes on")));
});

Deno.test("without a browser: one line, status 1, nothing listens", async () => {
  const empty = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  const { code, lines } = await runWeir({ args: ["--browser"], env: { PATH: empty } });
  assertEquals([code, lines.length], [1, 1], lines.join("\n"));
  assertMatch(lines[0], /^weir: error: --browser found no browser: it looked for /);
  await Deno.remove(empty);
});
