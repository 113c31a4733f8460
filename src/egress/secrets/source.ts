/**
 * Reading a secret's value from where the policy says it is. What goes wrong is told without a word of the value.
 * @module
 */
import { isAbsolute, join } from "node:path";
import { messageOf } from "../../errors.ts";
import { expandHome } from "../../options/mod.ts";
import type { SecretInit } from "../policy/file.ts";

/** Shorter values would be found where they are not meant. */
const MIN_BYTES = 8;
/** A command that takes longer has probably asked somebody a question. */
const COMMAND_MS = 60_000;

/** Where values are looked for. */
export interface Sources {
  /** The directory of the policy file: relative paths begin there. */
  readonly directory: string;
  /** A variable of weir's own environment. */
  env(name: string): string | undefined;
}

/** The value, a line break at its end cut off. Rejects with an Error whose message is the end of a sentence about the secret. */
export async function readValue({ from }: SecretInit, sources: Sources): Promise<string> {
  const text = (await rawValue(from, sources)).replace(/\r?\n$/, "");
  if (text === "") throw new Error(`${nameOf(from)} is empty`);
  if (/[\r\n]/.test(text)) throw new Error(`${nameOf(from)} has line breaks in it`);
  // deno-lint-ignore no-control-regex
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(text)) throw new Error(`${nameOf(from)} has control characters in it`);
  if (new TextEncoder().encode(text).length < MIN_BYTES) {
    throw new Error(`${nameOf(from)} has less than ${MIN_BYTES} bytes: it would be found everywhere`);
  }
  return text;
}

function nameOf(from: SecretInit["from"]): string {
  if (from.kind === "env") return `the variable ${from.name}`;
  return from.kind === "file" ? `the file ${from.path}` : `what ${from.command[0]} prints`;
}

async function rawValue(from: SecretInit["from"], { directory, env }: Sources): Promise<string> {
  if (from.kind === "env") {
    const value = env(from.name);
    if (value === undefined) throw new Error(`the variable ${from.name} is not set`);
    return value;
  }
  if (from.kind === "command") return await outputOf(from.command);
  const path = expandHome(from.path);
  try {
    return utf8(
      await Deno.readFile(isAbsolute(path) ? path : join(directory, path)),
      `the file ${from.path}`,
    );
  } catch (error) {
    if (error instanceof NotText) throw error;
    throw new Error(
      error instanceof Deno.errors.NotFound
        ? `the file ${from.path} is not there`
        : `the file ${from.path} cannot be read (${nameOfError(error)})`,
    );
  }
}

class NotText extends Error {}

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new NotText(`${what} is not UTF-8`);
  }
}

async function outputOf([name, ...args]: readonly string[]): Promise<string> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(name, { args, stdin: "inherit", stdout: "piped", stderr: "inherit" }).spawn();
  } catch (error) {
    throw new Error(
      error instanceof Deno.errors.NotFound
        ? `${name} is not found`
        : `${name} cannot be run (${messageOf(error)})`,
    );
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS);
  try {
    const { code, signal, stdout } = await child.output();
    if (signal === "SIGKILL") throw new Error(`${name} took longer than ${COMMAND_MS / 1000} s`);
    if (code !== 0) throw new Error(`${name} has failed with status ${code}`);
    return utf8(stdout, `what ${name} prints`);
  } finally {
    clearTimeout(timer);
  }
}

/** The kind of an error: its text could quote what it is about. */
function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
