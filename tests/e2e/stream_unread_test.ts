/** The option `stream_unread`: who is taken to look at a body, and what becomes of those that nobody looks at. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Addon } from "weir";
import { Proxy } from "weir/proxy";
import { absolute, Client, curl, exchange } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { origin, withLength } from "./support/origin.ts";
import { confdir, type Options, startProxy } from "./support/proxy.ts";
import { Gate, SOON, within } from "./support/within.ts";
import { startWeir } from "./support/weir.ts";
import { textOf } from "./support/wire.ts";

/** Posts a body that is echoed; says how request and response travelled. */
async function travelled(addons: Addon | Addon[], options: Options = {}): Promise<[unknown, unknown]> {
  const seen: [unknown, unknown] = [undefined, undefined];
  // It looks at how bodies travel, and never at them.
  const witness: Addon = {
    readsBodies: false,
    complete: ({ request, response }) => {
      seen[0] = request.streamedBy;
      seen[1] = response!.streamedBy;
    },
  };
  await using server = await origin(async (wire, request) => {
    const text = await BodyReader.ofRequest(wire, request).text();
    await withLength(text, "Content-Type: text/plain\r\n")(wire, request);
  });
  await using proxy = await startProxy([...[addons].flat(), witness], { stream_unread: true, ...options });
  const { text } = await exchange(proxy, server.url(), { method: "POST", body: "the body" });
  assertEquals(text, "the body");
  return seen;
}

const none = () => {};
const ROWS: [what: string, Parameters<typeof travelled>, unknown, unknown][] = [
  ["no addon: streamed", [[]], "unread", "unread"],
  ["off: buffered", [[], { stream_unread: false }], null, null],
  ["hooks that are given heads alone", [{ requestheaders: none, responseheaders: none }], "unread", "unread"],
  [
    "hooks of connections alone",
    [{ client_connected: none, server_connect: none, tcp_message: none }],
    "unread",
    "unread",
  ],
  ["a request hook finds requests", [{ request: none }], null, "unread"],
  ["a response hook finds responses, and the requests before them", [{ response: none }], null, null],
  ["a complete hook finds both", [{ complete: none }], null, null],
  ["an error hook finds both", [{ error: none }], null, null],
  [
    "an addon that says it reads none",
    [{ response: none, request: none, readsBodies: false }],
    "unread",
    "unread",
  ],
  [
    "an addon that says it reads all, whatever its hooks are",
    [{ load: none, readsBodies: true }],
    null,
    null,
  ],
  [
    "an addon that says which",
    [{
      response: none,
      readsBodies: (message, flow) => message === flow.response && message.headers.has("content-type"),
    }],
    "unread",
    null,
  ],
  [
    "one of two that reads is enough",
    [[{ response: none, readsBodies: false }, { response: none }]],
    null,
    null,
  ],
  [
    "flow_detail 3 prints bodies, where flows are printed: not in a program",
    [[], { flow_detail: 3 }],
    "unread",
    "unread",
  ],
  ["a size comes first", [[], { stream_large_bodies: "2" }], "size", "size"],
  [
    "an addon's false comes first",
    [{
      requestheaders: (flow) => void (flow.request.stream = false),
      responseheaders: (flow) => void (flow.response!.stream = true),
    }],
    null,
    "addon",
  ],
];
for (const [what, args, request, response] of ROWS) {
  Deno.test(`stream_unread: ${what}`, async () => {
    assertEquals(await travelled(...args), [request, response]);
  });
}

Deno.test("stream_unread: a readsBodies that throws is named, and the body is buffered", async () => {
  await using server = await origin(withLength("body"));
  const seen: unknown[] = [];
  const addon: Addon = {
    response: ({ response }) => void seen.push(response!.text),
    readsBodies: () => {
      throw new Error("oops");
    },
  };
  await using proxy = await startProxy(addon, { stream_unread: true });
  assertEquals((await exchange(proxy, server.url())).text, "body");
  assertEquals(seen, ["body"]);
  await proxy.logged(/error: .*oops \(in readsBodies\); the body is buffered/);
});

Deno.test("stream_unread: what nobody looks at is not waited for, and other limits still hold", async () => {
  const gate = new Gate();
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
    await gate.opened;
    await wire.send(" last");
  });
  await using proxy = await startProxy([], { stream_unread: true });
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
  assertEquals(textOf(await within(SOON, client.readExactly(5), "the first bytes")), "first");
  gate.open();
  assertEquals(textOf(await client.readExactly(5)), " last");
  await using small = await startProxy([], { stream_unread: true, body_size_limit: "3" });
  assertMatch((await exchange(small, server.url())).head.startLine, / 502 /);
});

Deno.test("stream_unread: who reads the flows of an embedded weir reads bodies, and nobody else does", async () => {
  await using server = await origin(withLength("body"));
  const dir = await confdir();
  for (const isRead of [true, false]) {
    await using proxy = await Proxy.start({ listenPort: 0, confdir: dir, options: { stream_unread: true } });
    const flows = isRead ? proxy.flows[Symbol.asyncIterator]() : null;
    const target = { port: proxy.addresses[0].port };
    assertEquals((await exchange(target, server.url())).text, "body");
    if (flows === null) continue;
    const { value } = await flows.next();
    assertEquals([value.response!.text, value.response!.streamedBy], ["body", null]);
    await flows.return?.();
  }
});

for (
  const [args, response] of [
    [["--stream-unread"], /<< 200 OK 4b \S+ \(streamed: unread\)$/],
    [["--stream-unread", "--flow-detail", "3"], /^ << 200 OK 4b \S+$/],
    [["--stream-unread", "--dumper-filter", "~bs body"], /<< 200 OK 4b \d+m?s$/],
    [["--stream-unread", "--dumper-filter", "~m GET"], /<< 200 OK 4b \S+ \(streamed: unread\)$/],
  ] as const
) {
  Deno.test(`stream_unread: what is printed with ${args.join(" ")} decides, and is printed once`, async () => {
    await using server = await origin(withLength("body"));
    await using weir = await startWeir({ args: [...args] });
    await curl("-x", weir.url, server.url("/"));
    await weir.stop();
    assert(weir.stdout.list.some((line) => response.test(line)), weir.stdout.list.join("\n"));
    assertEquals(weir.stdout.list.filter((line) => /GET http/.test(line)).length, 1);
  });
}

Deno.test("stream_unread is on in exec, unless the configuration says otherwise", async () => {
  await using server = await origin(withLength("body"));
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const dir = await Deno.makeTempDir();
  try {
    const run = async (...more: string[]) => {
      const { stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          main,
          "exec",
          "--confdir",
          dir,
          "--flow-detail",
          "1",
          ...more,
          "curl",
          "-s",
          server.url("/"),
        ],
        env: { NO_COLOR: "1" },
      }).output();
      return new TextDecoder().decode(stderr);
    };
    assertMatch(await run(), /200 OK 4b \S+ \(streamed: unread\)\n/);
    assertMatch(await run("--no-stream-unread"), /200 OK 4b \S+\n/);
    await Deno.writeTextFile(`${dir}/config.yaml`, "stream_unread: false\n");
    assertMatch(await run(), /200 OK 4b \S+\n/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
