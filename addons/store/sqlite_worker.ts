/**
 * The isolate in which SQLite runs: it is synchronous, and the disk may be slow. Started from its text (`./sqlite.ts`), so it imports
 * nothing but the runtime's own.
 * @module
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";

/** What it is asked. */
export interface Asked {
  readonly id: number;
  /** Opens, when nothing is open: a path or URL. */
  readonly open?: { readonly path: string; readonly isReadOnly: boolean };
  readonly sql?: string;
  /** Parameters of one run, or (`isBatch`) of many in one transaction. */
  readonly parameters?: readonly SQLInputValue[] | readonly (readonly SQLInputValue[])[];
  readonly isBatch?: boolean;
  readonly close?: boolean;
}

/** What it answers. */
export interface Answered {
  readonly id: number;
  readonly rows?: Record<string, unknown>[];
  /** SQLite's result code, where it is its error. */
  readonly error?: { readonly message: string; readonly code: number | null };
}

let db: DatabaseSync | null = null;
const prepared = new Map<string, StatementSync>();

function statement(sql: string): StatementSync {
  let found = prepared.get(sql);
  if (found === undefined) {
    if (prepared.size >= 64) prepared.clear();
    prepared.set(sql, found = db!.prepare(sql));
  }
  return found;
}

function open(path: string, isReadOnly: boolean): void {
  db = new DatabaseSync(path.startsWith("file:") ? new URL(path) : path, { readOnly: isReadOnly });
  // Many weirs may have one file; each waits for the others. Prepared: what `exec` throws has no result code.
  db.prepare("pragma busy_timeout = 10000").get();
  if (isReadOnly) return;
  db.prepare("pragma journal_mode = wal").get();
  db.prepare("pragma synchronous = normal").get();
}

function batch(sql: string, rows: readonly (readonly SQLInputValue[])[]): void {
  db!.exec("begin immediate");
  try {
    const insert = statement(sql);
    for (const row of rows) insert.run(...row);
    db!.exec("commit");
  } catch (error) {
    if (db!.isTransaction) db!.exec("rollback");
    throw error;
  }
}

function answer({ open: opening, sql, parameters = [], isBatch, close }: Asked): Record<string, unknown>[] {
  if (opening !== undefined) open(opening.path, opening.isReadOnly);
  if (sql !== undefined) {
    if (isBatch) batch(sql, parameters as SQLInputValue[][]);
    else return statement(sql).all(...parameters as SQLInputValue[]) as Record<string, unknown>[];
  }
  if (close) {
    prepared.clear();
    db?.close();
    db = null;
  }
  return [];
}

/** The other side of the worker; the types of windows have it not. */
const asker = globalThis as unknown as {
  onmessage: (event: MessageEvent<Asked>) => void;
  postMessage(answer: Answered): void;
};

asker.onmessage = ({ data }) => {
  const { id } = data;
  let answered: Answered;
  try {
    answered = { id, rows: answer(data) };
  } catch (thrown) {
    const { message, errcode } = thrown as Error & { errcode?: number };
    // After a failed opening there is nothing to be asked.
    if (data.open !== undefined) db = null;
    answered = { id, error: { message, code: errcode ?? null } };
  }
  asker.postMessage(answered);
};
