/**
 * PostgreSQL (`postgres://user:password@host/database`), with the driver `postgres`.
 * @module
 */
import type { Sql } from "postgres";
import { type Database, type Value } from "./database.ts";
import { RefusedRow } from "./queue.ts";
import { insertSql, POSTGRES } from "./sql.ts";

/** Seconds in which a server that is there answers a new connection. */
const CONNECT_SECONDS = 5;
/** How long (ms) a statement may take, so that a server that is lost without a word is noticed. */
const STATEMENT_MS = 30_000;
/** Parameters that one statement may have. */
const MAX_PARAMETERS = 65_535;
/** What advisory lock all weirs agree on while they change the schema. */
const SCHEMA_LOCK = 0x77656972;

/** A server. */
export class PostgresDatabase implements Database {
  readonly dialect = POSTGRES;
  readonly #url: string;
  #sql: Promise<Sql> | null = null;

  constructor(url: string) {
    this.#url = url;
  }

  async query(sql: string, parameters: readonly Value[] = []): Promise<Record<string, Value>[]> {
    return await this.#run(async (driver) => Array.from(await driver.unsafe(sql, [...parameters])));
  }

  async insert(rows: readonly (readonly Value[])[]): Promise<void> {
    if (rows.length === 0) return;
    const most = Math.floor(MAX_PARAMETERS / rows[0].length);
    await this.#run((driver) =>
      driver.begin(async (transaction) => {
        for (let at = 0; at < rows.length; at += most) {
          const part = rows.slice(at, at + most);
          await transaction.unsafe(insertSql(POSTGRES, part.length), part.flat());
        }
      })
    );
  }

  async alone(work: (query: Database["query"]) => Promise<void>): Promise<void> {
    await this.#run((driver) =>
      driver.begin(async (transaction) => {
        await transaction.unsafe("select pg_advisory_xact_lock($1)", [SCHEMA_LOCK]);
        await work(async (sql, parameters = []) =>
          Array.from(await transaction.unsafe(sql, [...parameters])) as Record<string, Value>[]
        );
      })
    );
  }

  async close(): Promise<void> {
    const sql = this.#sql;
    this.#sql = null;
    await (await sql?.catch(() => null))?.end({ timeout: 1 });
  }

  async #run<T>(work: (driver: Sql) => Promise<T>): Promise<T> {
    this.#sql ??= connect(this.#url);
    const driver = await this.#sql;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`PostgreSQL gives no answer within ${STATEMENT_MS / 1000} s`)),
        STATEMENT_MS,
      );
    });
    try {
      return await Promise.race([work(driver), late]);
    } catch (error) {
      throw thrownFor(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function connect(url: string): Promise<Sql> {
  const { default: postgres } = await import("postgres");
  return postgres(url, {
    max: 2,
    connect_timeout: CONNECT_SECONDS,
    // Who tries again, and when, is decided by the queue.
    backoff: () => 0,
    connection: { application_name: "weir" },
    onnotice: () => {},
    types: {
      // As numbers: no count here is beyond 2^53.
      int8: { to: 20, from: [20], serialize: String, parse: Number },
    },
  }) as unknown as Sql;
}

/** Classes of errors (PostgreSQL, appendix A) that are the values' own: data exception, integrity, program limit. */
const REFUSED = /^(?:22|23|54)/;

function thrownFor(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && REFUSED.test(code) && code.length === 5) {
    return new RefusedRow((error as Error).message, { cause: error });
  }
  return error;
}
