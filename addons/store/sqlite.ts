/**
 * SQLite (`sqlite:FILE`), with the runtime's own `node:sqlite` in an isolate of its own.
 * @module
 */
import { stripTypeScriptTypes } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Database, UnusableDatabase, type Value } from "./database.ts";
import { RefusedRow } from "./queue.ts";
import { insertSql, SQLITE } from "./sql.ts";
import type { Answered, Asked } from "./sqlite_worker.ts";
import program from "./sqlite_worker.ts" with { type: "text" };

/** Result codes (https://sqlite.org/rescode.html): what a row can be refused for, and what is no database. */
const TOO_BIG = 18,
  CONSTRAINT = 19,
  MISMATCH = 20,
  NOT_A_DATABASE = 26,
  CORRUPT = 11,
  CANNOT_OPEN = 14,
  READ_ONLY = 8;

/** A file. */
export class SqliteDatabase implements Database {
  readonly dialect = SQLITE;
  readonly #path: string;
  readonly #isReadOnly: boolean;
  #worker: Worker | null = null;
  #opened: Promise<void> | null = null;
  #id = 0;
  readonly #asked = new Map<number, PromiseWithResolvers<Record<string, Value>[]>>();
  /** Statements of `alone` keep all others waiting. */
  #alone: Promise<void> = Promise.resolve();

  constructor(path: string, { isReadOnly = false } = {}) {
    this.#path = resolve(path);
    this.#isReadOnly = isReadOnly;
  }

  async query(sql: string, parameters: readonly Value[] = []): Promise<Record<string, Value>[]> {
    await this.#alone;
    return await this.#query(sql, parameters);
  }

  async insert(rows: readonly (readonly Value[])[]): Promise<void> {
    await this.#alone;
    await this.#open();
    await this.#ask({ sql: insertSql(SQLITE, 1), parameters: rows, isBatch: true });
  }

  async alone(work: (query: Database["query"]) => Promise<void>): Promise<void> {
    const before = this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    await before;
    try {
      await this.#query("begin immediate");
      try {
        await work((sql, parameters) => this.#query(sql, parameters));
        await this.#query("commit");
      } catch (error) {
        await this.#query("rollback");
        throw error;
      }
    } finally {
      resolve();
    }
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    try {
      await this.#ask({ close: true });
    } finally {
      this.#worker = null;
      worker.terminate();
    }
  }

  async #query(sql: string, parameters: readonly Value[] = []): Promise<Record<string, Value>[]> {
    await this.#open();
    return await this.#ask({ sql, parameters });
  }

  #open(): Promise<void> {
    return this.#opened ??= this.#openNow().catch((error) => {
      this.#opened = null;
      throw error;
    });
  }

  async #openNow(): Promise<void> {
    this.#start();
    if (!this.#isReadOnly) {
      await Deno.mkdir(dirname(this.#path), { recursive: true });
      await this.#ask({ open: { path: this.#path, isReadOnly: false } });
      return;
    }
    // SQLite would say "unable to open".
    await Deno.stat(this.#path);
    await this.#ask({ open: { path: this.#path, isReadOnly: true } });
    try {
      await this.#ask({ sql: "select count(*) from sqlite_schema" });
    } catch (error) {
      if (!(error instanceof SqliteError) || ![CANNOT_OPEN, READ_ONLY].includes(error.code ?? 0)) throw error;
      // A place where no lock files can be made: nobody writes there.
      await this.#ask({ close: true });
      await this.#ask({
        open: { path: `${pathToFileURL(this.#path).href}?immutable=1`, isReadOnly: true },
      });
    }
  }

  #start(): void {
    if (this.#worker !== null) return;
    const source = stripTypeScriptTypes(program);
    const worker = new Worker(`data:application/javascript,${encodeURIComponent(source)}`, {
      type: "module",
      name: "weir store",
    });
    worker.onmessage = ({ data: { id, rows, error } }: MessageEvent<Answered>) => {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (error === undefined) asked?.resolve(rows as Record<string, Value>[]);
      else asked?.reject(thrownFor(error.message, error.code));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#worker = null;
      this.#opened = null;
      for (const { reject } of this.#asked.values()) reject(new Error(event.message));
      this.#asked.clear();
    };
    this.#worker = worker;
  }

  #ask(asked: Omit<Asked, "id">): Promise<Record<string, Value>[]> {
    const id = ++this.#id;
    const answer = Promise.withResolvers<Record<string, Value>[]>();
    this.#asked.set(id, answer);
    this.#worker!.postMessage({ id, ...asked } satisfies Asked);
    return answer.promise;
  }
}

/** What SQLite says. */
class SqliteError extends Error {
  override readonly name = "SqliteError";
  readonly code: number | null;

  constructor(message: string, code: number | null) {
    super(message);
    this.code = code;
  }
}

function thrownFor(message: string, extended: number | null): Error {
  // The primary result code is in the low byte.
  const code = extended === null ? null : extended & 0xff;
  const error = new SqliteError(message, code);
  if (code === TOO_BIG || code === CONSTRAINT || code === MISMATCH) {
    return new RefusedRow(message, { cause: error });
  }
  if (code === NOT_A_DATABASE || code === CORRUPT) return new UnusableDatabase(message, { cause: error });
  return error;
}
