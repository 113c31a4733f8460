/**
 * The one schema of the store, in the dialects of its databases, and conditions of filters in SQL.
 * @module
 */
import type { Condition, FlowFacts } from "weir";
import { COLUMNS, type FlowRow } from "./row.ts";

/** Where databases differ. */
export interface Dialect {
  readonly types: Readonly<Record<"seq" | "text" | "integer" | "real" | "json" | "bytes", string>>;
  readonly like: string;
  /** The place of the n-th parameter, from 1. */
  parameter(n: number): string;
  /** The place of a parameter that is JSON in text. */
  jsonParameter(n: number): string;
  /** A column of JSON as text. */
  jsonText(column: string): string;
}

/** SQLite 3. */
export const SQLITE: Dialect = {
  types: {
    seq: "integer primary key autoincrement",
    text: "text",
    integer: "integer",
    real: "real",
    json: "text",
    bytes: "blob",
  },
  like: "like",
  parameter: (n) => `?${n}`,
  jsonParameter: (n) => `?${n}`,
  jsonText: (column) => column,
};

/** PostgreSQL 12 and later. */
export const POSTGRES: Dialect = {
  types: {
    seq: "bigserial primary key",
    text: "text",
    integer: "bigint",
    real: "double precision",
    json: "jsonb",
    bytes: "bytea",
  },
  like: "ilike",
  parameter: (n) => `$${n}`,
  // As text: the driver would else make JSON of it once more.
  jsonParameter: (n) => `$${n}::text::jsonb`,
  jsonText: (column) => `${column}::text as ${column}`,
};

/** The version of the schema that this weir writes, in `weir_meta`. */
export const VERSION = 1;

const COLUMN_TYPES: Readonly<Record<keyof FlowRow, keyof Dialect["types"]>> = {
  id: "text",
  time: "real",
  instance: "text",
  client: "text",
  type: "text",
  method: "text",
  scheme: "text",
  host: "text",
  host_field: "text",
  port: "integer",
  path: "text",
  status: "integer",
  request_size: "integer",
  response_size: "integer",
  size: "integer",
  duration_ms: "real",
  ttfb_ms: "real",
  streamed_by: "text",
  error: "text",
  heads: "json",
  metadata: "json",
  request_body: "bytes",
  response_body: "bytes",
  request_hash: "text",
  response_hash: "text",
  bytes: "integer",
};

const NOT_NULL: ReadonlySet<keyof FlowRow> = new Set(["id", "time", "type", "heads", "metadata", "bytes"]);

/** Statements that lead from the version before to each version, the first from nothing. */
export function migrations({ types }: Dialect): readonly (readonly string[])[] {
  const columns = COLUMNS.map((name) =>
    `${name} ${types[COLUMN_TYPES[name]]}${NOT_NULL.has(name) ? " not null" : ""}`
  );
  return [[
    `create table flows (seq ${types.seq}, ${columns.join(", ")})`,
    // A batch that is written again after its answer was lost is there once.
    "create unique index flows_once on flows (id, time)",
    "create index flows_time on flows (time)",
    "create index flows_search on flows (status, host, host_field, method, type, size, duration_ms, ttfb_ms)",
    "create index flows_request_hash on flows (request_hash) where request_hash is not null",
    "create index flows_response_hash on flows (response_hash) where response_hash is not null",
  ]];
}

/** The statement that writes so many rows; its parameters are those of {@linkcode valuesOf} for each. */
export function insertSql(dialect: Dialect, rows: number): string {
  const values = Array.from({ length: rows }, (_, row) =>
    `(${
      COLUMNS.map((name, i) => {
        const n = row * COLUMNS.length + i + 1;
        return COLUMN_TYPES[name] === "json" ? dialect.jsonParameter(n) : dialect.parameter(n);
      }).join(", ")
    })`);
  return `insert into flows (${COLUMNS.join(", ")}) values ${
    values.join(", ")
  } on conflict (id, time) do nothing`;
}

/** A row's values, in the order of its columns. */
export function valuesOf(row: FlowRow): FlowRow[keyof FlowRow][] {
  return COLUMNS.map((name) => row[name]);
}

/** What is asked for when rows are read. */
export function selectedColumns(dialect: Dialect): string {
  return ["seq", ...COLUMNS.map((name) => COLUMN_TYPES[name] === "json" ? dialect.jsonText(name) : name)]
    .join(
      ", ",
    );
}

const FACT_COLUMNS: Readonly<Record<Exclude<keyof FlowFacts, "hasError">, keyof FlowRow>> = {
  type: "type",
  host: "host",
  hostField: "host_field",
  method: "method",
  status: "status",
  size: "size",
  durationMs: "duration_ms",
  ttfbMs: "ttfb_ms",
};

/** A condition as an expression that is true or false, never null; its values are pushed to `parameters`. */
export function whereSql(condition: Condition, dialect: Dialect, parameters: (string | number)[]): string {
  switch (condition.kind) {
    case "all":
    case "any": {
      const parts = condition.parts.map((part) => whereSql(part, dialect, parameters));
      return `(${parts.join(condition.kind === "all" ? " and " : " or ")})`;
    }
    case "not":
      return `not ${whereSql(condition.part, dialect, parameters)}`;
    case "fact": {
      const { fact, test, value } = condition;
      if (fact === "hasError") return `(error is ${value === true ? "not " : ""}null)`;
      const column = FACT_COLUMNS[fact];
      const place = dialect.parameter(parameters.push(typeof value === "boolean" ? Number(value) : value));
      const holds = test === "like"
        ? `${column} ${dialect.like} ${place} escape '\\'`
        : `${column} ${test} ${place}`;
      return `(${column} is not null and ${holds})`;
    }
  }
}
