/** map_local: files of a directory and nothing else, ranges, conditions, large ones with flat memory (rules.md). @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { browse } from "./support/browser.ts";
import { absolute, Client, exchange, type Seen } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { has } from "./support/tools.ts";
import { inAllWays, valuesOf } from "./support/ways.ts";
import { startWeir } from "./support/weir.ts";
import { textOf } from "./support/wire.ts";

const MIB = 1024 * 1024;
const SECRET = "outside of the directory";
const MODIFIED = new Date("2026-01-02T03:04:05Z");

/** A site with a file beside it that nobody may see, and links of all kinds. */
class Site implements Disposable {
  readonly base = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "weir-site-" }));
  readonly root = `${this.base}/site`;

  constructor() {
    for (const name of ["site/dir/deep", "site-beside", "outside"]) {
      Deno.mkdirSync(`${this.base}/${name}`, { recursive: true });
    }
    const files: [string, string][] = [
      ["site/index.html", "<p>index"],
      ["site/app.js", "let app"],
      ["site/dir/index.html", "<p>dir"],
      ["site/dir/deep/data.bin", "deep"],
      ["site/with blank.txt", "blank"],
      ["site/gr\u00fcn.txt", "green"],
      ["site/a_b_c.txt", "plain"],
      ["site/100%.txt", "percent"],
      ["site/no-extension", "0123456789"],
      ["site/empty.css", ""],
      ["big.bin", ""],
      ["secret.txt", SECRET],
      ["outside/secret.txt", SECRET],
      ["site-beside/secret.txt", SECRET],
    ];
    for (const [name, text] of files) Deno.writeTextFileSync(`${this.base}/${name}`, text);
    Deno.utimeSync(`${this.root}/no-extension`, MODIFIED, MODIFIED);
    Deno.symlinkSync(`${this.base}/secret.txt`, `${this.root}/link.txt`);
    Deno.symlinkSync("../secret.txt", `${this.root}/relative.txt`);
    Deno.symlinkSync(`${this.base}/outside`, `${this.root}/linked`);
    Deno.symlinkSync(`${this.root}/loop`, `${this.root}/loop`);
    Deno.symlinkSync(`${this.root}/app.js`, `${this.root}/inside.js`);
    Deno.symlinkSync("/", `${this.root}/rootfs`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.base, { recursive: true });
  }
}

const TYPES: [path: string, type: string[], text: string][] = [
  ["/s", ["text/html"], "<p>index"],
  ["/s/", ["text/html"], "<p>index"],
  ["/s/?q=/../x", ["text/html"], "<p>index"],
  ["/s/app.js?v=3", ["text/javascript"], "let app"],
  ["/s/dir", ["text/html"], "<p>dir"],
  ["/s/dir/", ["text/html"], "<p>dir"],
  ["/s/dir/deep/data.bin", ["application/octet-stream"], "deep"],
  ["/s/dir%2fdeep%2Fdata.bin", ["application/octet-stream"], "deep"],
  ["/s/with%20blank.txt", ["text/plain"], "blank"],
  ["/s/gr%C3%BCn.txt", ["text/plain"], "green"],
  ["/s/a:b%7Cc.txt", ["text/plain"], "plain"],
  ["/s/100%.txt", ["text/plain"], "percent"],
  ["/s/no-extension", [], "0123456789"],
  ["/s/empty.css", ["text/css"], ""],
  ["/s/inside.js", ["text/javascript"], "let app"],
  ["/one/whatever", ["text/javascript"], "let app"],
  ["/group/js/x", ["text/javascript"], "let app"],
];

const site = new Site();
globalThis.addEventListener("unload", () => site[Symbol.dispose]());

inAllWays("map_local answers with the file that the rest of the URL, or its group, names", {
  options: {
    map_local: [
      `|/none/|${site.root}/dir`,
      `!/s(?=[/?]|$)!${site.root}`,
      `|/one/|${site.root}/app.js`,
      // The first one that has a file counts.
      `|/(group)/js/x|${site.base}/outside`,
      `|/group/js/x|${site.root}/app.js`,
    ],
  },
  reply: ({ path }) => ({ body: `origin ${path}` }),
}, async (way) => {
  for (const [path, type, text] of TYPES) {
    const answer = await way.send("GET", path);
    assertEquals([path, answer.status, valuesOf(answer.fields, "content-type"), answer.text], [
      path,
      200,
      type,
      text,
    ]);
    assertEquals(valuesOf(answer.fields, "content-length"), [`${text.length}`]);
  }
  const posted = await way.send("POST", "/s/app.js", { body: "an upload" });
  assertEquals([posted.status, posted.text], [200, "let app"]);
  assertEquals((await way.send("GET", "/none/such")).status, 404);
  assertEquals((await way.send("GET", "/other")).text, "origin /other");
  assertEquals(way.received.length, 1);
});

inAllWays(
  "a file that is too large to be held comes whole, also through other rules, and is kept as it was sent",
  {
    options: {
      map_local: [`|/big|${site.base}/big.bin`],
      modify_body: ["|~u edited|\\x00+|"],
      store_streamed_bodies: true,
    },
    addons: [{
      complete: async ({ response }) => {
        const stored = await new Response(response!.readStored()).bytes();
        kept.push(textOf(stored));
      },
    }],
  },
  async (way) => {
    const bytes = new Uint8Array(3 * MIB + 77);
    let state = way.version.length;
    for (let i = 0; i < bytes.length; i++) bytes[i] = (state = Math.imul(state, 1664525) + 1013904223) >>> 24;
    await Deno.writeFile(`${site.base}/big.bin`, bytes);
    const text = textOf(bytes), edited = text.replaceAll("\0", "");
    kept.length = 0;
    assert((await way.send("GET", "/big")).text === text);
    assert((await way.send("GET", "/big?edited")).text === edited);
    await way.proxy.stop();
    assert(kept[0] === text && kept[1] === edited);
  },
);

/** What `store_streamed_bodies` kept. */
const kept: string[] = [];

/** What is behind `/s/` in a URL, as it is sent. */
const HOSTILE = [
  "../secret.txt",
  "../../secret.txt",
  "dir/../../secret.txt",
  "dir/deep/../../../secret.txt",
  "./../secret.txt",
  "%2e%2e/secret.txt",
  "%2E%2E%2Fsecret.txt",
  ".%2e/secret.txt",
  "%2e./secret.txt",
  "..%2fsecret.txt",
  "..%5csecret.txt",
  "..\\secret.txt",
  "%2e%2e%5csecret.txt",
  "%252e%252e%252fsecret.txt",
  "..%252fsecret.txt",
  "%c0%ae%c0%ae/secret.txt",
  "%c0%ae%c0%ae%c0%afsecret.txt",
  "%e0%80%ae%e0%80%ae/secret.txt",
  "%uff0e%uff0e/secret.txt",
  "%ef%bc%8e%ef%bc%8e/secret.txt",
  "....//secret.txt",
  "..../secret.txt",
  ".../secret.txt",
  "..;/secret.txt",
  "..%00/secret.txt",
  "app.js%00/../../secret.txt",
  "%00../secret.txt",
  "../secret.txt%00.html",
  "../site-beside/secret.txt",
  "%2e%2e/site-beside/secret.txt",
  "-beside/secret.txt",
  "//etc/passwd",
  "/etc/passwd",
  "%2fetc%2fpasswd",
  "%2f%2fetc/passwd",
  "link.txt",
  "relative.txt",
  "linked/secret.txt",
  "dir/../link.txt",
  "rootfs/etc/passwd",
  "rootfs/proc/self/environ",
  "loop",
  "loop/secret.txt",
  `../${"x/../".repeat(500)}secret.txt`,
  "x".repeat(5000),
  "file:///etc/passwd",
  "~/secret.txt",
  "?/../../secret.txt#",
];

Deno.test(`map_local never leaves its directory: ${HOSTILE.length} hostile paths`, async () => {
  await using server = await origin(withLength("from the origin"));
  // As what follows the match, and as its group.
  await using proxy = await startProxy([], {
    map_local: [`|/s/|${site.root}`, `|/g/(.*)|${site.root}`, `|/t|${site.root}`],
  });
  for (const prefix of ["/s/", "/g/", "/t"]) {
    for (const path of HOSTILE) {
      await using client = await Client.connect(proxy);
      await client.send(
        `GET http://127.0.0.1:${server.port}${prefix}${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`,
      );
      const seen = await client.response();
      const what = `${prefix}${path.slice(0, 60)}`;
      assert(
        !seen.text.includes(SECRET) && !seen.text.includes("root:") && !seen.text.includes("PATH="),
        what,
      );
      // No request with a path like that goes to the origin either; what is no request at all is 400.
      assert(
        [404, 400].includes(seen.head.statusCode) || path.startsWith("?"),
        `${what}: ${seen.head.statusCode}`,
      );
    }
  }
  assertEquals(server.requests.length, 0);
});

const RANGES: [range: string, status: number, contentRange: string | null, text: string][] = [
  ["bytes=0-3", 206, "bytes 0-3/10", "0123"],
  ["bytes=4-", 206, "bytes 4-9/10", "456789"],
  ["bytes=-3", 206, "bytes 7-9/10", "789"],
  ["bytes=-30", 206, "bytes 0-9/10", "0123456789"],
  ["bytes=9-100", 206, "bytes 9-9/10", "9"],
  ["bytes=0-0", 206, "bytes 0-0/10", "0"],
  ["bytes = 1 - 2", 206, "bytes 1-2/10", "12"],
  ["bytes=10-", 416, "bytes */10", ""],
  ["bytes=-0", 416, "bytes */10", ""],
  ["bytes=0-1,4-5", 200, null, "0123456789"],
  ["bytes=5-2", 200, null, "0123456789"],
  ["bytes=-", 200, null, "0123456789"],
  ["bytes=a-b", 200, null, "0123456789"],
  ["lines=0-3", 200, null, "0123456789"],
];

Deno.test("map_local answers ranges, conditions and HEAD", async () => {
  await using proxy = await startProxy([], { map_local: [`|http://x.example|${site.root}/no-extension`] });
  const ask = (fields: string, method = "GET"): Promise<Seen> =>
    exchange(proxy, "http://x.example/", { method, fields });
  for (const [range, status, contentRange, text] of RANGES) {
    const { head, text: got } = await ask(`Range: ${range}\r\n`);
    assertEquals([range, head.statusCode, head.get("content-range"), got], [
      range,
      status,
      contentRange,
      text,
    ]);
    assertEquals(head.get("content-length"), `${text.length}`);
  }
  const whole = await ask("");
  const modified = whole.head.get("last-modified")!;
  assertEquals([modified, whole.head.get("accept-ranges")], [MODIFIED.toUTCString(), "bytes"]);

  const day = 24 * 60 * 60 * 1000;
  const CONDITIONS: [fields: string, status: number, text: string][] = [
    [`If-Modified-Since: ${modified}\r\n`, 304, ""],
    [`If-Modified-Since: ${new Date(MODIFIED.getTime() + day).toUTCString()}\r\n`, 304, ""],
    [`If-Modified-Since: ${new Date(MODIFIED.getTime() - day).toUTCString()}\r\n`, 200, "0123456789"],
    ["If-Modified-Since: nonsense\r\n", 200, "0123456789"],
    // RFC 9110 §13.1.3: the date does not count then.
    [`If-Modified-Since: ${modified}\r\nIf-None-Match: "x"\r\n`, 200, "0123456789"],
    [`If-Range: ${modified}\r\nRange: bytes=2-3\r\n`, 206, "23"],
    [
      `If-Range: ${new Date(MODIFIED.getTime() - day).toUTCString()}\r\nRange: bytes=2-3\r\n`,
      200,
      "0123456789",
    ],
    ['If-Range: "tag"\r\nRange: bytes=2-3\r\n', 200, "0123456789"],
  ];
  for (const [fields, status, text] of CONDITIONS) {
    const seen = await ask(fields);
    assertEquals([fields, seen.head.statusCode, seen.text], [fields, status, text]);
  }
  const head = await ask("Range: bytes=0-3\r\n", "HEAD");
  assertEquals([head.head.statusCode, head.head.get("content-length"), head.text], [200, "10", ""]);
  assertEquals((await ask(`If-Modified-Since: ${modified}\r\n`, "HEAD")).head.statusCode, 304);
});

/** A file of `size` bytes that takes no room on the disk, with `text` at `at`. */
async function sparse(path: string, size: number, at: number, text: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  await file.truncate(size);
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

Deno.test("map_local streams a file of 4 GiB: ranges of it at once, and all of it with flat memory", async () => {
  const SIZE = 4096 * MIB + 5;
  await using weir = await startWeir({
    args: ["-q", "--map-local", "|http://x.example/|$DIR", "-p", "0", "--set", "termlog_verbosity=info"],
  });
  await sparse(`${weir.dir}/big.bin`, SIZE, SIZE - 5, "hello");
  const part = await exchange(weir, "http://x.example/big.bin", { fields: "Range: bytes=-7\r\n" });
  assertEquals([part.head.get("content-range"), part.text], [
    `bytes ${SIZE - 7}-${SIZE - 1}/${SIZE}`,
    "\0\0hello",
  ]);
  const most = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 192) * MIB;
  await using client = await Client.connect(weir);
  const growth = await weir.growthDuring((async () => {
    await client.send(absolute("http://x.example/big.bin"));
    const head = await client.head();
    assertEquals([head.statusCode, head.get("content-length")], [200, `${SIZE}`]);
    const body = client.body(head);
    let size = 0;
    for (let piece; size < most && (piece = await body.next()) !== null;) size += piece.length;
    assert(size >= Math.min(most, SIZE));
  })());
  assert(growth < 32 * MIB, `weir grew by ${growth / MIB} MiB`);
  // Who leaves in the middle leaves no file open.
  client.close();
  await weir.stop();
});

if (has("chromium", "map_local: Chromium's video element")) {
  Deno.test("Chromium's video element seeks in a file of map_local, by ranges", async () => {
    const RATE = 8000, SECONDS = 30_000;
    const dir = await Deno.makeTempDir();
    await sparse(`${dir}/tone.wav`, 44 + RATE * SECONDS, 0, wavHeader(RATE, RATE * SECONDS));
    await Deno.writeTextFile(
      `${dir}/index.html`,
      `<video id="v" src="tone.wav" preload="metadata"></video><script>
        const v = document.getElementById("v");
        v.onloadedmetadata = () => v.currentTime = 25000;
        v.onseeked = () => fetch("/report?" + [v.duration, v.currentTime, v.seekable.length && v.seekable.end(0)]);
        v.onerror = () => fetch("/report?error " + v.error.message);
      </script>`,
    );
    const reported = Promise.withResolvers<string>();
    const ranges: string[] = [];
    await using server = await origin(async (wire, request) => {
      reported.resolve(decodeURIComponent(request.target));
      await withLength("")(wire, request);
    });
    const watch = {
      complete: (
        { request, response }: {
          request: { path: string };
          response: { statusCode: number; headers: { get(name: string): string | null } } | null;
        },
      ) => {
        if (request.path === "/tone.wav") {
          ranges.push(`${response!.statusCode} ${response!.headers.get("content-range")}`);
        }
      },
      error: (
        { request, response }: {
          request: { path: string };
          response: { statusCode: number; headers: { get(name: string): string | null } } | null;
        },
      ) => {
        if (request.path === "/tone.wav" && response) {
          ranges.push(`${response.statusCode} ${response.headers.get("content-range")}`);
        }
      },
    };
    await using proxy = await startProxy([watch], { map_local: [`|^${server.url("/")}(?!report)|${dir}`] });
    const report = await browse(proxy, server.url("/"), reported.promise);
    assertEquals(report, `/report?${SECONDS},25000,${SECONDS}`);
    await proxy.stop();
    const starts = ranges.map((range) => Number(/bytes (\d+)-/.exec(range)?.[1]));
    assert(starts.some((start) => start > 24_000 * RATE), `${ranges}`);
    assertMatch(ranges[0], /^206 bytes /);
    await Deno.remove(dir, { recursive: true });
  });
}

/** The head of a WAV file with 8 bits a sample, as text. */
function wavHeader(rate: number, size: number): string {
  const view = new DataView(new ArrayBuffer(44));
  const put = (at: number, text: string) =>
    [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  put(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  put(36, "data");
  view.setUint32(40, size, true);
  return String.fromCharCode(...new Uint8Array(view.buffer));
}
