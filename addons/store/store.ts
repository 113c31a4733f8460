/**
 * Flows in a database: written in batches, read in pages, thrown away when they are old.
 * @module
 */
import type { Condition } from "weir";
import type { BodyFiles } from "./bodies.ts";
import { type Database, UnusableDatabase, type Value } from "./database.ts";
import { PostgresDatabase } from "./postgres.ts";
import type { Keep } from "./retention.ts";
import type { FlowRow } from "./row.ts";
import { migrations, selectedColumns, valuesOf, VERSION, whereSql } from "./sql.ts";
import { SqliteDatabase } from "./sqlite.ts";

/** A row with its place in the order of writing. */
export type StoredRow = FlowRow & { readonly seq: number };

/** Rows that are thrown away in one step, so that nobody waits long for it. */
const PRUNE_ROWS = 500;
/** Bytes that a page of rows should have at most, and at least. */
const PAGE_BYTES = 4 * 1024 * 1024;
const FIRST_PAGE_ROWS = 32, MAX_PAGE_ROWS = 1_000;

/**
 * The database that a URL names: `sqlite:FILE`, `postgres://…` or `postgresql://…`.
 * @throws {SyntaxError} that says what is wrong with it; passwords are not shown.
 */
export function databaseOf(url: string, options: { isReadOnly?: boolean } = {}): Database {
  if (url.startsWith("sqlite:")) {
    const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "");
    if (path === "" || path === ":memory:") {
      throw new SyntaxError("sqlite: needs a file, as in sqlite:flows.db");
    }
    return new SqliteDatabase(path, options);
  }
  if (/^postgres(?:ql)?:\/\//.test(url)) {
    if (!URL.canParse(url)) throw new SyntaxError("a URL is needed, as in postgres://user@host/database");
    return new PostgresDatabase(url);
  }
  throw new SyntaxError("sqlite:FILE or postgres://user@host/database is needed");
}

/** The store in a database. */
export class FlowStore {
  readonly #database: Database;
  #isReady: Promise<void> | null = null;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Makes the tables, or those of an older version this version's.
   * @throws {UnusableDatabase} when they are of a newer weir.
   */
  prepare(): Promise<void> {
    return this.#isReady ??= this.#database.alone((query) => migrate(query, this.#database.dialect))
      .catch((error) => {
        this.#isReady = null;
        throw error;
      });
  }

  /** Whether there are tables that this weir can read. @throws {UnusableDatabase} when not. */
  async check(): Promise<void> {
    const version = await versionOf(
      (sql, values) => this.#database.query(sql, values),
      this.#database.dialect,
    );
    if (version === 0) throw new UnusableDatabase("there are no flows of weir in it");
  }

  /** Writes rows, all or none. */
  async write(rows: readonly FlowRow[]): Promise<void> {
    await this.prepare();
    await this.#database.insert(rows.map(valuesOf));
  }

  /** All rows that fulfil a condition, the oldest first, in constant memory. */
  async *rows(condition: Condition | null): AsyncGenerator<StoredRow, void> {
    let limit = FIRST_PAGE_ROWS, last: Value = 0;
    for (;;) {
      const { sql, parameters } = this.#select(condition, "seq > ", last, "order by seq", limit);
      const page = await this.#database.query(sql, parameters) as unknown as StoredRow[];
      yield* page;
      if (page.length < limit) return;
      last = page.at(-1)!.seq;
      const bytes = page.reduce((sum, row) => sum + row.heads.length + row.bytes, 0);
      if (bytes > PAGE_BYTES) limit = Math.max(1, limit >> 1);
      else if (bytes < PAGE_BYTES / 4) limit = Math.min(MAX_PAGE_ROWS, limit * 2);
    }
  }

  /** The newest rows that fulfil a condition, the newest first; `before` is the `seq` that is to follow. */
  async newest(
    condition: Condition | null,
    count: number,
    before = Number.MAX_SAFE_INTEGER,
  ): Promise<StoredRow[]> {
    const { sql, parameters } = this.#select(condition, "seq < ", before, "order by seq desc", count);
    return await this.#database.query(sql, parameters) as unknown as StoredRow[];
  }

  /** Throws away a few of what is not to be kept. Resolves to false when there is no more of it. */
  async prune(keep: Keep, bodies: BodyFiles | null): Promise<boolean> {
    const { dialect } = this.#database;
    let old = keep.ms === null ? 0 : await this.#delete(
      `select seq from flows where time < ${dialect.parameter(1)} order by time limit ${PRUNE_ROWS}`,
      [Date.now() - keep.ms],
      bodies,
    );
    if (keep.bytes !== null) old += await this.#pruneBytes(keep.bytes, bodies);
    return old > 0;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  async #pruneBytes(most: number, bodies: BodyFiles | null): Promise<number> {
    const { dialect } = this.#database;
    const [{ total }] = await this.#database.query("select coalesce(sum(bytes), 0) as total from flows");
    const excess = Number(total) - most;
    if (excess <= 0) return 0;
    // The oldest, as many as are too many.
    return await this.#delete(
      `select seq from (select seq, coalesce(sum(bytes) over (order by seq rows between unbounded preceding and 1 preceding), 0)` +
        ` as before from (select seq, bytes from flows order by seq limit ${PRUNE_ROWS}) as oldest) as added` +
        ` where before < ${dialect.parameter(1)}`,
      [excess],
      bodies,
    );
  }

  async #delete(which: string, parameters: readonly Value[], bodies: BodyFiles | null): Promise<number> {
    const gone = await this.#database.query(
      `delete from flows where seq in (${which}) returning request_hash, response_hash`,
      parameters,
    );
    if (bodies !== null) {
      const hashes = new Set(gone.flatMap((row) => [row.request_hash, row.response_hash]));
      for (const hash of hashes) {
        if (typeof hash === "string" && !await this.#isNamed(hash)) await bodies.remove(hash);
      }
    }
    return gone.length;
  }

  async #isNamed(hash: string): Promise<boolean> {
    const place = this.#database.dialect.parameter(1);
    const found = await this.#database.query(
      `select 1 as found from flows where request_hash = ${place} or response_hash = ${place} limit 1`,
      [hash],
    );
    return found.length > 0;
  }

  /** The rows are looked up by an index first, and then read: most of what lies between them is bodies. */
  #select(condition: Condition | null, from: string, seq: Value, order: string, limit: number) {
    const { dialect } = this.#database;
    const parameters: (string | number)[] = [];
    const place = dialect.parameter(parameters.push(Number(seq)));
    const where = condition === null ? "" : ` and ${whereSql(condition, dialect, parameters)}`;
    const chosen = `select seq from flows where ${from}${place}${where} ${order} limit ${limit}`;
    return {
      sql: `select ${selectedColumns(dialect)} from flows where seq in (${chosen}) ${order}`,
      parameters,
    };
  }
}

async function migrate(query: Database["query"], dialect: Database["dialect"]): Promise<void> {
  const version = await versionOf(query, dialect);
  const steps = migrations(dialect);
  if (version === VERSION) return;
  if (version === 0) {
    await query("create table if not exists weir_meta (key text primary key, value text not null)");
  }
  for (const statements of steps.slice(version)) {
    for (const statement of statements) await query(statement);
  }
  await query(
    `insert into weir_meta (key, value) values ('version', '${VERSION}')` +
      " on conflict (key) do update set value = excluded.value",
  );
}

/** 0 where there are no tables. */
async function versionOf(query: Database["query"], dialect: Database["dialect"]): Promise<number> {
  const tables = await query(
    dialect.like === "like"
      ? "select name from sqlite_schema where name = 'weir_meta'"
      : "select 1 as name where to_regclass('weir_meta') is not null",
  );
  if (tables.length === 0) return 0;
  const [row] = await query("select value from weir_meta where key = 'version'");
  const version = Number(row?.value ?? 0);
  if (version > VERSION) {
    throw new UnusableDatabase(
      `its tables are of version ${version}, and this weir knows ${VERSION}: a newer weir wrote it; use that one, or another database`,
    );
  }
  return version;
}
