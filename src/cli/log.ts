/**
 * The log: one line per message on stderr, with the time, as mitmdump writes it (mitmproxy `addons/termlog.py`).
 * @module
 */
import { escapeControl } from "../escape.ts";
import type { LOG_LEVELS } from "../options/mod.ts";
import { type SyncWriter, writeText } from "./output.ts";

/** From least to most: "error", "warn", "info", "debug". */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a log is made of. */
export interface LogInit {
  /** Asked for every message: what is beyond it is not shown. */
  readonly level: () => LogLevel;
  /** Asked for every message: one JSON object a line, or text (the default). */
  readonly format?: () => "text" | "json";
  readonly writer?: SyncWriter;
  readonly color?: boolean;
  readonly now?: () => Date;
}

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** SGR codes (ECMA-48 §8.3.117): red, yellow, none, dim. */
const COLOR: Readonly<Record<LogLevel, string>> = { error: "31", warn: "33", info: "", debug: "2" };

/** What stands before the text; information goes without saying. */
const TAG: Readonly<Record<LogLevel, string>> = {
  error: "error: ",
  warn: "warn: ",
  info: "",
  debug: "debug: ",
};

/** Writes messages to stderr. */
export class TermLog {
  readonly #level: () => LogLevel;
  readonly #format: () => "text" | "json";
  readonly #writer: SyncWriter;
  readonly #color: boolean;
  readonly #now: () => Date;
  #gone = false;

  constructor(init: LogInit) {
    this.#level = init.level;
    this.#format = init.format ?? (() => "text");
    this.#writer = init.writer ?? Deno.stderr;
    this.#color = init.color ?? (Deno.stderr.isTerminal() && !Deno.noColor);
    this.#now = init.now ?? (() => new Date());
  }

  debug(text: string): void {
    this.#log("debug", text);
  }

  info(text: string): void {
    this.#log("info", text);
  }

  warn(text: string): void {
    this.#log("warn", text);
  }

  error(text: string): void {
    this.#log("error", text);
  }

  #log(level: LogLevel, text: string): void {
    if (this.#gone || RANK[level] > RANK[this.#level()]) return;
    const isJson = this.#format() === "json";
    const line = (isJson ? jsonLine : formatLine)(level, String(text), this.#now());
    const color = this.#color && !isJson ? COLOR[level] : "";
    // Who reads the log is gone: flows go on, and trying again for each message would only cost.
    this.#gone = !writeText(this.#writer, color === "" ? `${line}\n` : `\x1b[${color}m${line}\x1b[0m\n`);
  }
}

/** `[17:03:19.123] warn: text`; lines after the first are indented, so that none can pass for a message of its own. */
export function formatLine(level: LogLevel, text: string, now: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  const prefix = `[${time}.${String(now.getMilliseconds()).padStart(3, "0")}] `;
  const lines = text.trimEnd().split(/\r?\n/).map(escapeControl);
  return `${prefix}${TAG[level]}${lines.join(`\n${" ".repeat(prefix.length)}`)}`;
}

/** The same as a JSON object. */
export function jsonLine(level: LogLevel, text: string, now: Date): string {
  return JSON.stringify({ time: now.toISOString(), level, msg: text.trimEnd() });
}
