/** `flow_store`: flows in SQLite and PostgreSQL, by the program (fleet.md, "A store for flows"). @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { exchange } from "./support/client.ts";
import { bulk, echo, origin, withLength } from "./support/origin.ts";
import { hasPostgres, Postgres } from "./support/postgres.ts";
import { runWeir, startWeir, type Weir } from "./support/weir.ts";
import { SOON, within } from "./support/within.ts";

/** What `weir -nr URL` prints, without addresses and times. */
async function read(url: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runWeir({ args: ["-nr", url, ...args] });
  assertEquals([code, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line.includes(": ")).map((line) => line.replace(/^.*?: /, ""));
}

/** Resolves when a count has come to what is wanted. */
async function until(wanted: number, count: () => number | Promise<number>): Promise<void> {
  const reached = async () => {
    while (await count() < wanted) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await within(SOON, reached(), `${wanted} rows`);
}

function countIn(file: string): number {
  using db = new DatabaseSync(file, { readOnly: true });
  return (db.prepare("select count(*) as n from flows").get() as { n: number }).n;
}

Deno.test("SQLite: flows are there when they have ended, found by filters, and read like a file", async () => {
  await using server = await origin(echo);
  await using weir = await startWeir({ args: ["--set", "flow_store=sqlite:$DIR/new/flows.db"] });
  const url = `sqlite:${weir.dir}/new/flows.db`;
  for (const path of ["/a", "/b", "/c"]) {
    await exchange(weir, server.url(path), { method: "POST", body: `body of ${path}` });
  }
  await exchange(weir, "http://127.0.0.1:1/gone").catch(() => {});
  await weir.stop();
  const urls = (...paths: string[]) => paths.map((path) => `POST ${server.url(path)} 10b`);
  const gone = "GET http://127.0.0.1:1/gone";
  assertEquals((await read(url)).slice(0, 3), urls("/a", "/b", "/c"));
  assertEquals(await read(url, "~d 127.0.0.1 & ~c 200 & ~u /b"), urls("/b"));
  assertEquals(await read(url, "~b 'of /c'"), urls("/c"));
  assertStringIncludes((await read(url, "~e"))[0], gone);
  const { code } = await runWeir({ args: ["-q", "-nr", url, "-w", `${weir.dir}/out.mitm`, "!~e"] });
  assertEquals(code, 0);
  assertEquals(await read(`${weir.dir}/out.mitm`), urls("/a", "/b", "/c"));
  using db = new DatabaseSync(`${weir.dir}/new/flows.db`);
  const columns = "method, scheme, host, port, path, status, request_size, response_size, streamed_by, error";
  assertEquals({ ...db.prepare(`select ${columns} from flows order by time`).get() }, {
    method: "POST",
    scheme: "http",
    host: "127.0.0.1",
    port: server.port,
    path: "/a",
    status: 200,
    request_size: 10,
    response_size: 10,
    streamed_by: null,
    error: null,
  });
  assertEquals(db.prepare("select value from weir_meta where key = 'version'").get()!.value, "1");
});

Deno.test("SQLite after kill -9: what ended is there but for the last moment, and the file is whole", async () => {
  const addon = `export function complete(flow) { console.error("ended " + flow.request.path); }`;
  await using server = await origin(withLength("x".repeat(500)));
  await using weir = await startWeir({ addon, args: ["--set", "flow_store=sqlite:$DIR/flows.db"] });
  let isOver = false;
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let i = 0; !isOver; i++) await exchange(weir, server.url(`/${client}/${i}`)).catch(() => {});
  });
  await until(400, () => {
    try {
      return countIn(`${weir.dir}/flows.db`);
    } catch {
      return 0;
    }
  });
  const before = weir.stderr.list.filter((line) => line.startsWith("ended ")).length;
  await new Promise((resolve) => setTimeout(resolve, 150));
  weir.signal("SIGKILL");
  await weir.exit();
  isOver = true;
  await Promise.all(clients);
  using db = new DatabaseSync(`${weir.dir}/flows.db`);
  assertEquals(db.prepare("pragma integrity_check").get()!.integrity_check, "ok");
  const kept = (db.prepare("select count(*) as n from flows").get() as { n: number }).n;
  // All that had ended 150 ms before.
  assert(kept >= before, `${kept} of ${before}`);
});

Deno.test("a body beyond the limit is a file by its hash, and comes back from there", async () => {
  await using server = await origin(bulk(3 * 1024 * 1024));
  await using weir = await startWeir({
    args: [
      "--set",
      "flow_store=sqlite:$DIR/flows.db",
      "--set",
      "flow_store_bodies=$DIR/bodies",
      "--stream-large-bodies",
      "2m",
      "--set",
      "store_streamed_bodies=true",
    ],
  });
  await exchange(weir, server.url("/big"));
  await exchange(weir, server.url("/again"));
  await weir.stop();
  const files = [...Deno.readDirSync(`${weir.dir}/bodies`)].map(({ name }) => name);
  assertEquals(files.length, 1);
  assertMatch(files[0], /^[0-9a-f]{64}$/);
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${weir.dir}/bodies/${files[0]}`));
  assertEquals(new Uint8Array(digest).toHex(), files[0]);
  const url = `sqlite:${weir.dir}/flows.db`;
  const { code } = await runWeir({
    args: [
      "-q",
      "-nr",
      url,
      "--set",
      `flow_store_bodies=${weir.dir}/bodies`,
      "-w",
      `${weir.dir}/out.mitm`,
      "~bs .",
    ],
  });
  assertEquals(code, 0);
  const lines = await read(`${weir.dir}/out.mitm`);
  assertEquals(lines.filter((line) => line.startsWith("GET")).length, 2);
});

Deno.test("what cannot be a store is said with a sentence, and weir does not start", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/text.db`, "no database ".repeat(1000));
    {
      using db = new DatabaseSync(`${dir}/newer.db`);
      db.exec(
        "create table weir_meta (key text primary key, value text); insert into weir_meta values ('version', '99')",
      );
    }
    const cases: [string[], RegExp][] = [
      [
        ["flow_store=mysql://x:pw@y"],
        /flow_store: sqlite:FILE or postgres:\/\/user@host\/database is needed, not mysql:\/\/x@y/,
      ],
      [["flow_store=sqlite:"], /flow_store: sqlite: needs a file/],
      [[`flow_store=sqlite:${dir}/text.db`], /text\.db: file is not a database/],
      [
        [`flow_store=sqlite:${dir}/newer.db`],
        /newer\.db: its tables are of version 99, and this weir knows 1/,
      ],
      [[`flow_store=sqlite:${dir}/x.db`, "flow_store_keep=7w"], /flow_store_keep: 7w is no age/],
    ];
    for (const [sets, message] of cases) {
      const { code, stderr } = await runWeir({ args: sets.flatMap((set) => ["--set", set]) });
      assertEquals(code, 1, stderr);
      assertMatch(stderr, message);
      assert(!stderr.includes("listening"), stderr);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a place where SQLite cannot write: a sentence, and exchanges go on", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({ args: ["--set", "flow_store=sqlite:/proc/no/flows.db"] });
  await weir.waitForLog(
    /Flows are not written to sqlite:\/proc\/no\/flows\.db: .*They wait, and it is tried again/,
  );
  assertEquals((await exchange(weir, server.url("/"))).text, "x");
  weir.signal("SIGINT");
  assertEquals(await weir.exit(), 0);
});

Deno.test("old flows go", async () => {
  await using server = await origin(withLength("x"));
  await using weir = await startWeir({
    args: ["--set", "flow_store=sqlite:$DIR/flows.db", "--set", "flow_store_keep=1d"],
  });
  await exchange(weir, server.url("/"));
  const file = `${weir.dir}/flows.db`;
  await until(1, () => countIn(file));
  {
    using db = new DatabaseSync(file);
    db.exec("pragma busy_timeout = 5000; update flows set time = time - 2 * 86400000");
  }
  const gone = async () => {
    while (countIn(file) > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  await within(SOON, gone(), "the old flow to go");
  await weir.stop();
});

if (hasPostgres("PostgreSQL as a store")) {
  const started = (server: Postgres, ...args: string[]): Promise<Weir> =>
    startWeir({ args: ["--set", `flow_store=${server.url()}`, ...args] });
  const count = async (server: Postgres) => Number((await server.query("select count(*) from flows"))[0]);

  Deno.test("PostgreSQL: flows of many, odd ones too, away and back, and nothing of it holds the wire up", async () => {
    const addon = `
      export function response(flow) {
        if (flow.request.path !== "/odd") return;
        flow.metadata.cycle = flow.metadata;
        flow.metadata.text = "nul \\0 and half \\ud800";
        flow.metadata.big = 1e308;
        flow.comment = "nul \\0";
      }`;
    await using database = await Postgres.start();
    await using server = await origin(echo);
    await using one = await startWeir({ addon, args: ["--set", `flow_store=${database.url()}`] });
    await using two = await started(database);
    await exchange(one, server.url("/odd"), { method: "POST", body: "\0\xff" });
    await exchange(two, server.url("/two"), { method: "POST", body: "b" });
    await until(2, () => count(database));
    assertEquals(
      await database.query("select path, status, metadata->>'text', request_body from flows order by path"),
      [
        "/odd|200|nul \ufffd and half \ufffd|\\x00ff",
        "/two|200||\\x62",
      ],
    );
    assertEquals((await database.query("select distinct instance from flows")).length, 2);

    await database.pause();
    for (let i = 0; i < 20; i++) await exchange(one, server.url(`/away/${i}`));
    const [line] = await one.waitForLog(/Flows are not written to postgres:.*/);
    assert(!line.includes("s3cret"), line);
    await database.resume();
    await one.waitForLog(/Flows are written to .* again; it was away since/);
    await until(22, () => count(database));

    assertEquals((await read(database.url(), "~u away")).length, 20);
    assertEquals((await read(database.url(), "~c 200 & ~d 127.0.0.1 & ~m POST")).length, 2);
    await database.query("update weir_meta set value = '99'");
    const newer = await runWeir({ args: ["--set", `flow_store=${database.url()}`] });
    assertEquals(newer.code, 1);
    assertMatch(newer.stderr, /its tables are of version 99/);
    for (const weir of [one, two]) {
      await weir.stop();
      assert(!weir.stderr.list.join("\n").includes("s3cret"));
    }
  });

  Deno.test("PostgreSQL: a wrong password and a server that is gone are told, and weir goes on", async () => {
    await using database = await Postgres.start();
    await using server = await origin(withLength("x"));
    {
      await using weir = await startWeir({
        args: ["--set", `flow_store=${database.url("weir:wrong-password")}`],
      });
      const [line] = await weir.waitForLog(/Flows are not written to .*/);
      assertMatch(line, /password authentication failed/);
      assert(!line.includes("wrong-password"), line);
      assertEquals((await exchange(weir, server.url("/"))).text, "x");
      weir.signal("SIGINT");
      assertEquals(await weir.exit(), 0);
    }
    const { port } = database;
    await database.pause();
    await using weir = await startWeir({
      args: ["--set", `flow_store=postgres://weir@127.0.0.1:${port}/postgres`],
    });
    await weir.waitForLog(/Flows are not written to .*ECONNREFUSED|Flows are not written to .*refused/);
    assertEquals((await exchange(weir, server.url("/"))).text, "x");
  });
}
