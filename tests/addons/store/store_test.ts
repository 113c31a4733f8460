/** Flows in SQLite: there and back, found, thrown away. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import {
  type Flow,
  makeClientConnection,
  makeHttpFlow,
  makeServerConnection,
  makeTcpFlow,
  parseFilter,
  WeirError,
} from "weir";
import { BodyFiles } from "../../../addons/store/bodies.ts";
import { UnusableDatabase } from "../../../addons/store/database.ts";
import { flowOf, type KeptBody, messageJson, rowOf } from "../../../addons/store/row.ts";
import { databaseOf, FlowStore } from "../../../addons/store/store.ts";
import { shownUrl } from "../../../addons/flows/store_url.ts";

const NONE: KeptBody = { bytes: null, hash: null, size: 0 };
const kept = (bytes: Uint8Array | null): KeptBody => ({ bytes, hash: null, size: bytes?.length ?? 0 });

function rowFor(flow: Flow) {
  const messages = flow.type === "tcp" ? flow.messages : flow.websocket?.messages ?? [];
  return rowOf(flow, {
    instance: "test",
    requestBody: flow.type === "http" ? kept(flow.request.rawContent) : NONE,
    responseBody: flow.type === "http" ? kept(flow.response?.rawContent ?? null) : NONE,
    messages: messages.map(messageJson),
  });
}

class Directory implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async make() {
    return new Directory(await Deno.makeTempDir({ prefix: "weir-store-" }));
  }

  store(name = "flows.db", isReadOnly = false) {
    const store = new FlowStore(databaseOf(`sqlite:${this.path}/${name}`, { isReadOnly }));
    return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.path, { recursive: true });
  }
}

const flows = [
  makeHttpFlow({
    timestampStart: 1000.25,
    clientConn: makeClientConnection({
      address: { hostname: "127.0.0.1", port: 4711 },
      mode: "regular",
      timestampStart: 900,
    }),
    serverConn: makeServerConnection({
      address: { hostname: "api.example.com", port: 443 },
      tls: {
        sni: "api.example.com",
        alpn: "h2",
        version: "TLSv1.3",
        cipher: null,
        peerCertificate: null,
        peerCertificates: [],
      },
    }),
    request: {
      method: "POST",
      url: "https://api.example.com/a?b=1",
      headers: [["X-A", "gr\xfc\xdf"], ["x-a", ""]],
      trailers: [["t", "1"]],
      body: new Uint8Array([0, 255, 1]),
      timestampStart: 1001,
      timestampEnd: 1002,
      httpVersion: "HTTP/2.0",
    },
    response: {
      statusCode: 503,
      reason: "Not Now",
      body: null,
      streamedBy: "size",
      timestampStart: 1100,
      timestampEnd: 1200,
    },
    marked: ":star:",
    comment: "look",
    isReplay: "request",
    metadata: { a: { b: [1, null] } },
  }),
  makeHttpFlow({
    timestampStart: 2000,
    request: { url: "http://b.example/" },
    error: { message: "It broke.", timestamp: 2500, cause: new WeirError("server", "dns", "It broke.") },
  }),
  makeHttpFlow({
    timestampStart: 3000,
    request: { url: "http://ws.example/" },
    response: { statusCode: 101 },
    websocket: {
      messages: [{ isText: true, fromClient: true, content: "hé", timestamp: 3001 }, {
        isText: false,
        fromClient: false,
        content: new Uint8Array([7]),
        timestamp: 3002,
        dropped: true,
      }],
      closeCode: 1000,
      closeReason: "bye",
      closedByClient: false,
      timestampEnd: 3003,
    },
  }),
  makeTcpFlow({
    timestampStart: 4000,
    serverConn: makeServerConnection({ address: { hostname: "db.example", port: 5432 } }),
    messages: [{ fromClient: true, content: new Uint8Array([1, 2]), timestamp: 4001 }],
  }),
];

Deno.test("flows come back as they were", async () => {
  await using directory = await Directory.make();
  await using store = directory.store();
  await store.write(flows.map(rowFor));
  const back: Flow[] = [];
  for await (const row of store.rows(null)) back.push(await flowOf(row, () => Promise.resolve(null)));
  assertEquals(back.map(rowFor), flows.map(rowFor));
  const [first, second, third, fourth] = back;
  assert(first.type === "http" && second.type === "http" && third.type === "http" && fourth.type === "tcp");
  assertEquals([...first.request.headers], [["X-A", "gr\xfc\xdf"], ["x-a", ""]]);
  assertEquals([first.request.rawContent, first.response!.rawContent, first.response!.streamedBy], [
    new Uint8Array([0, 255, 1]),
    null,
    "size",
  ]);
  assertEquals([first.timestampStart, first.marked, first.comment, first.isReplay, first.metadata], [
    1000.25,
    ":star:",
    "look",
    "request",
    { a: { b: [1, null] } },
  ]);
  assertEquals([first.serverConn!.tls!.alpn, first.clientConn.address.port, first.live], ["h2", 4711, false]);
  assertEquals([second.error!.message, second.error!.timestamp, second.error!.cause.code, second.response], [
    "It broke.",
    2500,
    "dns",
    null,
  ]);
  assertEquals(third.websocket!.messages.map(({ content, dropped }) => [content, dropped]), [[
    new TextEncoder().encode("hé"),
    false,
  ], [
    new Uint8Array([7]),
    true,
  ]]);
  assertEquals(third.websocket!.closeReason, "bye");
  assertEquals(fourth.messages.map(({ content }) => content), [new Uint8Array([1, 2])]);
});

Deno.test("a batch that is written again is there once", async () => {
  await using directory = await Directory.make();
  await using store = directory.store();
  const rows = flows.map(rowFor);
  await store.write(rows.slice(0, 2));
  await store.write(rows);
  assertEquals((await Array.fromAsync(store.rows(null))).map(({ id }) => id), rows.map(({ id }) => id));
});

Deno.test("rows are found by what filters narrow to, the oldest or the newest first", async () => {
  await using directory = await Directory.make();
  await using store = directory.store();
  const many = Array.from(
    { length: 3000 },
    (_, i) =>
      makeHttpFlow({
        id: String(i),
        timestampStart: i,
        request: { url: `http://${i % 3 === 0 ? "api" : "web"}.example/${i}` },
        response: { statusCode: i % 10 === 0 ? 500 : 200 },
      }),
  );
  await store.write(many.map(rowFor));
  const { narrow } = parseFilter("~d api & ~c 5xx & !~e");
  const wanted = many.filter((_, i) => i % 30 === 0).map(({ id }) => id);
  assertEquals((await Array.fromAsync(store.rows(narrow))).map(({ id }) => id), wanted);
  const newest = await store.newest(narrow, 7);
  assertEquals(newest.map(({ id }) => id), wanted.slice(-7).reverse());
  assertEquals(
    (await store.newest(narrow, 2, newest.at(-1)!.seq)).map(({ id }) => id),
    wanted.slice(-9, -7).reverse(),
  );
  assertEquals((await Array.fromAsync(store.rows(null))).length, 3000);
});

Deno.test("the oldest rows go, by age and by size, and their body files with them", async () => {
  await using directory = await Directory.make();
  await using store = directory.store();
  const files = new BodyFiles(`${directory.path}/bodies`);
  const { hash, size } = await files.write(ReadableStream.from([new Uint8Array(10), new Uint8Array(5)]));
  const shared = { bytes: null, hash, size };
  const now = Date.now();
  const row = (n: number, time: number, requestBody: KeptBody) =>
    rowOf(makeHttpFlow({ id: String(n), timestampStart: time, request: { url: "http://a.test/" } }), {
      instance: "i",
      requestBody,
      responseBody: NONE,
      messages: [],
    });
  await store.write([
    row(0, now - 10_000, shared),
    row(1, now - 9_000, NONE),
    row(2, now, shared),
    row(3, now, NONE),
  ]);
  const ids = async () => (await Array.fromAsync(store.rows(null))).map(({ id }) => id);
  const prune = async (keep: { ms: number | null; bytes: number | null }) => {
    while (await store.prune(keep, files));
  };
  await prune({ ms: 5_000, bytes: null });
  assertEquals(await ids(), ["2", "3"]);
  // Old enough that no row that names it can be on its way.
  await Deno.utime(`${directory.path}/bodies/${hash}`, new Date(now - 120_000), new Date(now - 120_000));
  assertEquals((await files.read(hash))!.size, 15);
  const [last] = (await Array.fromAsync(store.rows(null))).slice(-1);
  await prune({ ms: null, bytes: last.bytes });
  assertEquals(await ids(), ["3"]);
  assertEquals(await files.read(hash), null);
  await prune({ ms: null, bytes: last.bytes });
  assertEquals(await ids(), ["3"]);
});

Deno.test("a newer schema, and what is no database, are refused with a sentence and stay as they are", async () => {
  await using directory = await Directory.make();
  {
    await using store = directory.store();
    await store.prepare();
  }
  const path = `${directory.path}/flows.db`;
  {
    using db = new DatabaseSync(path);
    db.exec("update weir_meta set value = '2'");
  }
  for (const isReadOnly of [false, true]) {
    await using store = directory.store("flows.db", isReadOnly);
    const asked = isReadOnly ? store.check() : store.write(flows.map(rowFor));
    await assertRejects(() => asked, UnusableDatabase, "its tables are of version 2, and this weir knows 1");
  }
  await Deno.writeTextFile(
    `${directory.path}/text.db`,
    "not a database, but long enough to be looked at".repeat(100),
  );
  await using store = directory.store("text.db");
  await assertRejects(() => store.prepare(), UnusableDatabase, "file is not a database");
  assertEquals((await Deno.readTextFile(`${directory.path}/text.db`)).slice(0, 3), "not");
});

Deno.test("a file that is not there is an error for who reads, and a new one for who writes", async () => {
  await using directory = await Directory.make();
  {
    await using store = directory.store("none.db", true);
    await assertRejects(() => store.check(), Deno.errors.NotFound);
  }
  await using store = directory.store("new/dir/flows.db");
  await store.write([]);
  await using reader = directory.store("new/dir/flows.db", true);
  await reader.check();
});

Deno.test("two writers share a file", async () => {
  await using directory = await Directory.make();
  await using one = directory.store();
  await using two = directory.store();
  const rows = Array.from(
    { length: 400 },
    (_, i) => rowFor(makeHttpFlow({ id: String(i), request: { url: "http://a.test/" } })),
  );
  await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).write(rows.slice(i * 10, i * 10 + 10))),
  );
  assertEquals((await Array.fromAsync(one.rows(null))).length, 400);
});

Deno.test("URLs: what is none is said, and passwords are not shown", () => {
  for (const url of ["", "flows.db", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://[/x"]) {
    assertThrows(() => databaseOf(url), SyntaxError, undefined, url);
  }
  assertEquals(
    shownUrl("postgres://weir:s3cret@db/x?password=other&a=1"),
    "postgres://weir@db/x?password=…&a=1",
  );
  assertEquals(shownUrl("sqlite:/a/b.db"), "sqlite:/a/b.db");
  for (const password of ["s3/cret", "s3@cret", "s3#cret", "s3?cret", "s3:cret/x"]) {
    assertEquals(shownUrl(`postgres://weir:${password}@db/x`), "postgres://weir@db/x", password);
  }
  assertEquals(shownUrl("postgres:weir:s3cret@db/x"), "postgres:weir@db/x");
  assertEquals(shownUrl("postgres://db/x?password=a&password=b"), "postgres://db/x?password=…&password=…");
});
