/**
 * What the store needs of a database: one connection, and a way to have it alone.
 * @module
 */
import type { Dialect } from "./sql.ts";

/** A value that goes to a database or comes from it. */
export type Value = string | number | Uint8Array | null;

/** A connection, made when it is used first. */
export interface Database {
  readonly dialect: Dialect;
  /** Runs one statement. @throws {RefusedRow} when its values are what no state of the database takes; others may go well later. */
  query(sql: string, parameters?: readonly Value[]): Promise<Record<string, Value>[]>;
  /** Writes rows, all or none. @throws as `query` does. */
  insert(rows: readonly (readonly Value[])[]): Promise<void>;
  /** Runs statements as one, while all other weirs wait. */
  alone(work: (query: Database["query"]) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** A database that cannot be used, now or later: its schema is newer, it is no database. */
export class UnusableDatabase extends Error {
  override readonly name = "UnusableDatabase";
}
