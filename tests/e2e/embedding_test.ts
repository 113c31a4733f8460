/** weir inside another program: `import { Proxy } from "weir/proxy"`. @module */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { HttpFlow } from "weir";
import { Proxy } from "weir/proxy";
import { curl, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { confdir } from "./support/proxy.ts";
import { SOON, within } from "./support/within.ts";

const SOURCES = new URL("../../src/", import.meta.url);

/** The example of the README, but for where its files are. */
const EXAMPLE = `import { Proxy } from "weir/proxy";
import type { HttpFlow } from "weir";

await using proxy = await Proxy.start({
  confdir: "./certificates",
  addons: [{
    request(flow: HttpFlow) {
      if (flow.request.path === "/greeting") flow.response = new Response("hello from weir");
    },
  }],
  options: { stream_large_bodies: "1m" },
});

const seen = (async () => {
  for await (const flow of proxy.flows) return \`\${flow.request.path} \${flow.response?.statusCode}\`;
})();

using client = Deno.createHttpClient({ proxy: { url: proxy.url } });
const response = await fetch("http://example.test/greeting", { client });
console.log(await response.text());
console.log(await seen);
`;

Deno.test("a program elsewhere imports weir by its import map, and its types are checked", async () => {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  const imports = {
    "weir": new URL("mod.ts", SOURCES).href,
    "weir/proxy": new URL("embed/mod.ts", SOURCES).href,
  };
  await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify({ imports }));
  await Deno.writeTextFile(`${dir}/main.ts`, EXAMPLE);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--check", "--quiet", "main.ts"],
    cwd: dir,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(
    [code, new TextDecoder().decode(stdout)],
    [0, "hello from weir\n/greeting 200\n"],
    new TextDecoder().decode(stderr),
  );
  assert((await Deno.stat(`${dir}/certificates/weir-ca.pem`)).isFile);
  await Deno.remove(dir, { recursive: true });
});

/** Port of `http://127.0.0.1:38211`. */
function portOf(proxy: Proxy): { port: number } {
  return { port: Number(new URL(proxy.url).port) };
}

Deno.test("Proxy.start listens on a free port of the loopback address, and await using ends that", async () => {
  let port: number;
  {
    await using proxy = await Proxy.start({ confdir: await confdir() });
    assertEquals(proxy.addresses.map(({ hostname }) => hostname), ["127.0.0.1"]);
    port = portOf(proxy).port;
    assert(port > 0);
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  }
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }), Deno.errors.ConnectionRefused);
});

Deno.test("proxy.flows has every flow that ends, in order, for each loop, until the proxy stops", async () => {
  await using server = await origin(withLength("body"));
  const proxy = await Proxy.start({ confdir: await confdir() });
  const collect = async () => {
    const paths: string[] = [];
    for await (const { request, response, error } of proxy.flows) {
      paths.push(`${request.path} ${response?.statusCode} ${error === null ? "" : "failed"}`.trim());
    }
    return paths;
  };
  const all = [collect(), collect()];
  const first = (async () => {
    for await (const flow of proxy.flows) return flow;
  })();
  await exchange(portOf(proxy), server.url("/1"));
  assertEquals((await within(SOON, first, "the first flow"))!.request.path, "/1");
  await exchange(portOf(proxy), server.url("/2"));
  await exchange(portOf(proxy), "http://127.0.0.1:1/3");
  await proxy.stop();
  for (const paths of await within(SOON, Promise.all(all), "the loops to end")) {
    assertEquals(paths, ["/1 200", "/2 200", "/3 undefined failed"]);
  }
  assertEquals(await Array.fromAsync(proxy.flows), []);
});

Deno.test("options: values of their types, and text as on the command line; addons' options too", async () => {
  const seen: unknown[] = [];
  await using _proxy = await Proxy.start({
    confdir: await confdir(),
    options: {
      body_size_limit: "3m",
      memory_limit: 1024,
      connect_timeout: "7",
      via: "true",
      ssl_insecure: true,
      ignore_hosts: "one",
      allow_hosts: ["one", "two"],
      stream_large_bodies: "1k",
      greeting: "hello",
    },
    addons: [{
      load: (loader) => loader.addOption("greeting", "str", "", "What to say."),
      running: ({ options }) => {
        seen.push(options.body_size_limit, options.memory_limit, options.connect_timeout, options.via);
        seen.push(options.ssl_insecure, options.ignore_hosts, options.allow_hosts);
        seen.push(options.get("stream_large_bodies"), options.get("greeting"));
      },
    }],
  });
  assertEquals(seen, [3145728, 1024, 7, true, true, ["one"], ["one", "two"], 1024, "hello"]);
});

Deno.test("what cannot be started says why in one sentence, and leaves nothing behind", async () => {
  await using taken = await origin(withLength(""));
  const rows: [Parameters<typeof Proxy.start>[0], string][] = [
    [
      { options: { stream_large_bodys: 1 } },
      "unknown option stream_large_bodys (did you mean stream_large_bodies?)",
    ],
    [{ options: { body_size_limit: "3x" } }, 'option body_size_limit: "3x" is not a size'],
    [{ options: { via: 1 } }, "option via: 1 is neither true nor false"],
    [{ mode: ["backwards"] }, 'option mode: "backwards" is not a mode'],
    [{ listenPort: taken.port }, `${taken.port}`],
    [{ scripts: ["/nowhere/addon.ts"] }, "/nowhere/addon.ts"],
  ];
  for (const [init, message] of rows) {
    const error = await assertRejects(async () => Proxy.start({ confdir: await confdir(), ...init }), Error);
    assertStringIncludes(error.message, message);
    assert(!error.message.includes("\n"), error.message);
  }
});

Deno.test("several proxies in one program know nothing of each other", async () => {
  await using server = await origin(withLength("body"));
  const seen: string[] = [];
  const named = (name: string) => ({
    request: (flow: HttpFlow) => void seen.push(`${name} ${flow.request.path}`),
  });
  await using one = await Proxy.start({
    confdir: await confdir(),
    addons: [named("one")],
    options: { via: true },
  });
  await using two = await Proxy.start({ confdir: await confdir(), addons: [named("two")] });
  await exchange(portOf(one), server.url("/a"));
  await exchange(portOf(two), server.url("/b"));
  assertEquals(seen, ["one /a", "two /b"]);
  assertEquals(server.requests.map((request) => (request.get("via") ?? null) !== null), [true, false]);
});

Deno.test("the URL of a proxy says how it is spoken to", async () => {
  await using server = await origin(withLength("hello"));
  await using proxy = await Proxy.start({ mode: ["socks5", "regular"], confdir: await confdir() });
  assertEquals(proxy.url, `socks5h://127.0.0.1:${proxy.addresses[0].port}`);
  assertEquals(new TextDecoder().decode((await curl("-x", proxy.url, server.url())).stdout), "hello");
});
