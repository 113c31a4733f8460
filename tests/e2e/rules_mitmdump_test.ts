/**
 * The same command lines on mitmdump and on weir, against the same origin: the origin is sent the same, and so is the client
 * (issue "Rules", 3). Where the two differ on purpose, the row says in what.
 *
 * One mitmdump serves all rows: a script in it takes the command line of each, so that it starts but once.
 * @module
 */
import { assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { AddonManager } from "../../src/hooks/loader.ts";
import { parseFlags, resolveFlags } from "../../src/cli/flags.ts";
import * as weirModule from "../../src/mod.ts";
import { OptionRegistry } from "../../src/options/mod.ts";
import { builtinAddons, recorders } from "../../addons/mod.ts";
import { addonHost } from "../support/addon_host.ts";
import { Client } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { hasMitmdump, Mitmdump } from "./support/mitmdump.ts";
import { type Origin, origin } from "./support/origin.ts";
import { type Options, startProxy } from "./support/proxy.ts";
import { Cut, Wire } from "./support/wire.ts";

/** A request of a row. */
interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly fields?: string;
  readonly body?: string;
  /** In place of the origin's name. */
  readonly host?: string;
}

/** A command line, what is asked for with it, and what may differ. */
interface Row {
  /** `$DIR` is a directory with the files of `FILES`, `$ORIGIN` the origin's `host:port`. */
  readonly args: readonly string[];
  /** What mitmdump 8.1 calls it, where that is something else. */
  readonly mitmdump?: readonly string[];
  /** The usual requests where it is left out. */
  readonly asks?: readonly Ask[];
  /** Fields of answers that are weir's own. */
  readonly ours?: readonly string[];
  /** In what weir differs, and why: in this field that the origin is sent, or else in who answers and with what status. */
  readonly differs?: {
    readonly why: string;
    readonly of?: string;
    readonly mitmdump: string[];
    readonly weir: string[];
  };
}

const USUAL: readonly Ask[] = [
  { path: "/json" },
  { path: "/html?q=1" },
  { path: "/gzip", fields: "Accept-Encoding: gzip\r\n" },
  { method: "POST", path: "/echo", fields: "X-Flag: 0\r\nUser-Agent: test\r\n", body: "the secret is hello" },
  { path: "/missing", fields: 'If-None-Match: "a"\r\nIf-Modified-Since: x\r\nAccept-Encoding: br\r\n' },
];

const FILES: Readonly<Record<string, string>> = {
  "value.txt": "out of a file",
  "site/index.html": "<p>index",
  "site/app.css": "p {}",
  "site/dir/index.html": "<p>dir",
  "site/with blank.txt": "blank",
  "site/a_b.txt": "plain",
  "one.html": "<p>one",
};

const asks = (...paths: string[]): Ask[] => paths.map((path) => ({ path }));
const LOGIN = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n";
/** Only weir says how ranges and conditions can be asked for. */
const FILE_FIELDS = ["accept-ranges", "last-modified"];
const REPLAY = ["-S", "$DIR/flows.mitm", "--set", "server_replay_refresh=false"];

const ROWS: readonly Row[] = [
  { args: [] },
  { args: ["-H", "/~q/X-Test/value"] },
  { args: ["-H", "/X-Both/1"] },
  { args: ["--modify-headers", "/User-Agent/"] },
  { args: ["-H", "/~q/X-A/1", "-H", "/~q/X-A/2"] },
  { args: ["-H", "/~q & ~m POST/X-Posted/yes"] },
  { args: ["-H", "|~s & ~t json|Content-Type|text/plain"] },
  { args: ["-H", "/~hq X-Flag/X-Flagged/1", "-H", "/~q/X-Flag/2"] },
  { args: ["-H", "/~q/X-Esc/a\\x41\\\\b"] },
  { args: ["-H", ":~q ~u /json:X-Colon:a/b:c"] },
  { args: ["-H", "|~q|X-File|@$DIR/value.txt"] },
  { args: ["-H", "/!~c 200/X-Not/1"] },
  { args: ["-H", "/~s & ~c 404/X-Missing/1", "-H", "/~bs hello/X-Hello/1"] },
  { args: ["-B", "/~s/hello/goodbye"] },
  { args: ["-B", "/~s/h(el)lo/X"] },
  { args: ["-B", "/~q/secret/public"] },
  { args: ["-B", "|~s & ~t html|<b>.*?</b>|<i>none</i>"] },
  { args: ["-B", "/~s/l+/L", "-B", "/~s/L/M\\n"] },
  { args: ["-B", "/(?i)HELLO/hi"] },
  { args: ["-B", "|~s|hello|@$DIR/value.txt"] },
  { args: ["-B", "/~bs hello/hay/needle"] },
  { args: ["-B", "/~s & ~c 404/no.*e/\\x3cnothing\\x3e"] },
  { args: ["-M", "|/json|/html"] },
  {
    args: ["-M", "|/v(\\d)/(?P<rest>.*)|/\\g<rest>?v=\\1"],
    asks: asks("/v1/json", "/v22/json", "/v3/echo?a=b"),
  },
  { args: ["-M", "|~m POST|/echo|/json"] },
  { args: ["-M", "|/json|/html", "-M", "|/gzip|/json?from=gzip"] },
  {
    args: ["-M", "|http://one\\.example/|http://$ORIGIN/from-"],
    asks: [{ host: "one.example", path: "/json?x=%20y" }, { host: "one.example", path: "/" }],
  },
  { args: ["--map-remote", "|/json|/html", "-H", "/~q/X-Test/1"] },
  {
    args: ["--map-local", "|/static|$DIR/site"],
    asks: asks("/static", "/static/app.css?v=1", "/static/dir", "/static/dir/", "/static/none", "/json"),
    ours: FILE_FIELDS,
  },
  { args: ["--map-local", "|/json|$DIR/one.html"], ours: FILE_FIELDS },
  {
    args: ["--map-local", "|/s/(.*\\.css)|$DIR/site", "--map-local", "|/s/|$DIR/site"],
    asks: asks("/s/app.css", "/s/with%20blank.txt", "/s/a:b.txt", "/s/"),
    ours: FILE_FIELDS,
  },
  {
    args: ["--map-local", "|/static|$DIR/site"],
    asks: asks("/static/../../value.txt", "/static/%2e%2e/value.txt"),
    differs: {
      why: "What leads out of the directory is no file for weir, and is not asked of the origin either.",
      mitmdump: ["404 from the origin", "404 from the origin"],
      weir: ["404", "404"],
    },
  },
  { args: ["--map-local", "|~m POST|/|$DIR/one.html"], ours: FILE_FIELDS },
  { args: ["--set", "block_list=/~u json/404", "--set", "block_list=/~m POST/403"] },
  { args: ["--set", "block_list=/~u json/404", "--set", "block_list=/~u json|html/418"] },
  { args: ["--set", "block_list=:~u /json$:444"] },
  { args: ["--set", "block_list=/~bq secret/403"] },
  { args: ["--anticache"] },
  { args: ["--anticomp"] },
  { args: ["--anticache", "--anticomp", "-B", "/~s/hello/bye"] },
  {
    args: ["--proxyauth", "user:pass"],
    asks: [{ path: "/json", fields: LOGIN }, { path: "/html", fields: LOGIN.replace("cGFzcw", "cGFzcg") }],
  },
  { args: ["--proxyauth", "any"], asks: [{ path: "/json", fields: LOGIN }] },
  {
    args: ["--stickycookie", "~u /kept"],
    asks: asks("/cookie", "/kept", "/kept?again", "/other"),
  },
  {
    args: ["--stickycookie", "~u /kept|/json"],
    asks: [
      ...asks("/cookie", "/kept", "/json"),
      { path: "/kept", fields: "Cookie: own=1\r\n" },
      ...asks("/other"),
    ],
    differs: {
      why: "Kept cookies join those of the request, which win, and stand in RFC 6265's order (§5.4).",
      of: "cookie",
      mitmdump: ["", "a=1", "a=1; b=2", "a=1", ""],
      weir: ["", "a=1", "b=2; a=1", "own=1; a=1", ""],
    },
  },
  {
    args: ["--stickyauth", "~u /kept"],
    asks: [
      { path: "/login", fields: "Authorization: Basic eA==\r\n" },
      ...asks("/kept", "/other"),
      { path: "/kept", fields: "Authorization: Bearer own\r\n" },
      ...asks("/kept"),
    ],
  },
  { args: REPLAY, asks: asks("/replayed?a=1&b=2", "/replayed?a=1&b=2", "/replayed?a=1&b=2", "/json") },
  {
    args: [...REPLAY, "--server-replay-reuse"],
    mitmdump: [...REPLAY, "--set", "server_replay_nopop=true"],
    asks: asks("/replayed?a=1&b=2", "/replayed?a=1&b=2", "/replayed?a=1&b=2"),
  },
  {
    args: [...REPLAY, "--set", "server_replay_ignore_params=b"],
    asks: asks("/replayed?a=1&b=7", "/replayed?a=2&b=2"),
  },
  {
    args: [...REPLAY, "--set", "server_replay_ignore_content=true"],
    asks: [{ method: "POST", path: "/replayed", body: "something else" }],
  },
  {
    args: [...REPLAY, "--set", "server_replay_use_headers=x-key"],
    asks: [{ path: "/replayed?a=1&b=2", fields: "X-Key: 1\r\n" }, { path: "/replayed?a=1&b=2" }],
  },
  {
    args: [...REPLAY, "--set", "server_replay_ignore_host=true", "--set", "server_replay_ignore_port=true"],
    asks: [{ host: "other.example", path: "/replayed?a=1&b=2" }],
  },
];

/** What the origin was sent, and what the client was: one text for each request. */
type Exchanges = string[];

/** An origin that remembers what it is sent. */
class Recorder {
  readonly seen: string[] = [];

  listen(): Promise<Origin> {
    return origin(async (wire, request) => {
      const body = await BodyReader.ofRequest(wire, request).text();
      const [line, ...fields] = request.raw.trimEnd().split("\r\n");
      const known = fields.map((field) => withoutPort(field.replace(/^[^:]*/, (name) => name.toLowerCase())));
      this.seen.push([line, ...known.filter(isMeant), "", body].join("\n"));
      const path = new URL(request.target, "http://x").pathname;
      await wire.send(replyTo(path, body));
    });
  }
}

/** mitmdump 8.1 leaves the port out of Host where it has rewritten the URL; today's does not. */
function withoutPort(field: string): string {
  return field.replace(/^(host: .*):\d+$/, "$1");
}

/** mitmdump gives requests without a body a length when rules have looked at it. */
function isMeant(field: string): boolean {
  return field !== "content-length: 0";
}

function replyTo(path: string, body: string): string {
  const reply = (status: string, fields: string, text: string) =>
    `HTTP/1.1 ${status}\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`;
  const packed = String.fromCharCode(...zlib.gzipSync("hello in a zip, hello"));
  switch (path) {
    case "/json":
      return reply("200 OK", "Content-Type: application/json\r\nServer: origin\r\n", '{"say": "hello, hay"}');
    case "/html":
      return reply(
        "200 OK",
        "Content-Type: text/html\r\nX-Two: 1\r\nX-Two: 2\r\n",
        "<b>hello</b>\n<b>all</b>",
      );
    case "/gzip":
      return reply("200 OK", "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", packed);
    case "/cookie":
      return reply("200 OK", "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/json\r\n", "");
    case "/echo":
      return reply("201 Created", "Content-Type: text/plain\r\n", body);
  }
  return reply("404 Not Found", "Content-Type: text/plain\r\n", "nothing here");
}

async function exchanges(port: number, server: Origin, recorder: Recorder, row: Row): Promise<Exchanges> {
  const all: Exchanges = [];
  for (const ask of row.asks ?? USUAL) {
    recorder.seen.length = 0;
    const answer = await answerTo(port, server, ask, row.ours ?? []);
    all.push(`${recorder.seen.join("\n---\n")}\n==>\n${answer}`);
  }
  return all;
}

async function answerTo(port: number, server: Origin, ask: Ask, ours: readonly string[]): Promise<string> {
  const { method = "GET", path, fields = "", body, host = server.authority } = ask;
  await using client = await Client.connect({ port });
  const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
  await client.send(
    `${method} http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}${length}\r\n${body ?? ""}`,
  );
  try {
    const { head, bytes } = await client.response(method);
    const coded = head.get("content-encoding") === "gzip";
    const kept = head.fields.filter(([name, value]) => {
      const lower = name.toLowerCase();
      // mitmdump names itself; a compressed body may be a few bytes longer or shorter.
      return !ours.includes(lower) && lower !== "date" &&
        !(lower === "server" && value.startsWith("mitmproxy")) &&
        !(coded && lower === "content-length");
    });
    const text = coded ? zlib.gunzipSync(bytes).toString("latin1") : String.fromCharCode(...bytes);
    return [`${head.statusCode}`, ...kept.map(([name, value]) => `${name.toLowerCase()}: ${value}`), "", text]
      .join("\n");
  } catch (error) {
    if (error instanceof Cut) return "no answer";
    throw error;
  }
}

/** A mitmdump whose options can be changed while it runs. */
class Controlled {
  constructor(readonly proxy: Mitmdump, readonly wire: Wire) {}

  static async start(): Promise<Controlled> {
    const script = await Deno.readTextFile(new URL("support/mitmdump_options.py", import.meta.url));
    const proxy = await Mitmdump.start(["-s", "$DIR/control.py", "--set", "flow_detail=0"], {
      "control.py": script,
    });
    const [, port] = await proxy.prints(/control at (\d+)/);
    return new Controlled(proxy, new Wire(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) })));
  }

  async use(args: readonly string[]): Promise<void> {
    await this.wire.send(`${JSON.stringify(args)}\n`);
    const reply = await this.wire.readUntil("\n");
    if (reply.trim() !== "ok") throw new Error(`mitmdump ${args.join(" ")}: ${reply}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.wire.close();
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** The options that a command line of weir's sets. */
async function optionsOf(args: readonly string[]): Promise<Options> {
  const host = addonHost();
  const registry = new OptionRegistry();
  const manager = new AddonManager(host.ctx, registry, weirModule);
  await manager.load([...builtinAddons, ...recorders]);
  const { values, unknown } = resolveFlags(parseFlags(args).pending, registry);
  assertEquals(unknown, []);
  await manager.close();
  return Object.fromEntries(values);
}

/** A directory with the files, and flows that were recorded with mitmdump. */
async function directory(): Promise<string> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "weir-rules-" }));
  for (const [name, text] of Object.entries(FILES)) {
    await Deno.mkdir(`${dir}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${dir}/${name}`, text);
  }
  return dir;
}

/** Records two answers to one request, and one to another. */
async function record(dir: string, server: Origin): Promise<void> {
  const flows = ["first", "second", "third"].map((text, i) =>
    weirModule.makeHttpFlow({
      request: {
        method: i === 2 ? "POST" : "GET",
        url: server.url(i === 2 ? "/replayed" : "/replayed?a=1&b=2"),
        headers: i === 1 ? { host: server.authority, "x-key": "1" } : { host: server.authority },
        body: i === 2 ? "posted" : "",
      },
      response: { headers: { "content-type": "text/plain", "content-length": `${text.length}` }, body: text },
    })
  );
  const file = await Deno.create(`${dir}/flows.mitm`);
  for (const flow of flows) {
    await file.write(weirModule.encodeFlow(flow).bytes());
  }
  file.close();
}

if (await hasMitmdump()) {
  Deno.test(`${ROWS.length} command lines are the same on mitmdump and on weir`, async (test) => {
    const dir = await directory();
    const recorder = new Recorder();
    await using server = await recorder.listen();
    await record(dir, server);
    await using mitmdump = await Controlled.start();
    const filled = (args: readonly string[]) =>
      args.map((arg) => arg.replaceAll("$DIR", dir).replaceAll("$ORIGIN", server.authority));
    for (const row of ROWS) {
      await test.step(row.args.join(" ") || "no rule", async () => {
        await mitmdump.use(filled(row.mitmdump ?? row.args));
        const expected = await exchanges(mitmdump.proxy.port, server, recorder, row);
        await using weir = await startProxy([], await optionsOf(filled(row.args)));
        const seen = await exchanges(weir.port, server, recorder, row);
        if (row.differs === undefined) return assertEquals(seen, expected);
        const { of } = row.differs;
        const short = (all: Exchanges) =>
          all.map((text) =>
            of !== undefined
              ? new RegExp(`^${of}: (.*)`, "m").exec(text)?.[1] ?? ""
              : /==>\n(\d+)/.exec(text)![1] + (text.startsWith("\n==>") ? "" : " from the origin")
          );
        assertEquals(
          [short(expected), short(seen)],
          [row.differs.mitmdump, row.differs.weir],
          row.differs.why,
        );
      });
    }
    await Deno.remove(dir, { recursive: true });
  });
} else {
  console.warn("Skipped, as there is no mitmdump on PATH: the same command lines on mitmdump and on weir");
}
