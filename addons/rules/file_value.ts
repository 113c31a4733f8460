/**
 * `@file` in place of a value: the bytes of a file, read again whenever it changes.
 * @module
 */
import type { Spec } from "./spec.ts";
import { expandHome } from "../flows/paths.ts";

/** The file behind the `@` of a rule. */
export class FileValue {
  readonly #path: string;
  #bytes: Uint8Array;
  #version: string;

  /** @throws {OptionError} when it cannot be read. */
  constructor(spec: Spec, path: string) {
    this.#path = expandHome(path);
    try {
      this.#version = versionOf(this.#path);
      this.#bytes = Deno.readFileSync(this.#path);
    } catch (error) {
      spec.refuse(`the file ${this.#path} cannot be read (${reasonOf(error)})`, null, error);
    }
  }

  /** What is in it now; where it cannot be read any more, what was in it, and `warn` is told. */
  read(warn: (text: string) => void): Uint8Array {
    try {
      const version = versionOf(this.#path);
      if (version !== this.#version) {
        this.#bytes = Deno.readFileSync(this.#path);
        this.#version = version;
      }
    } catch (error) {
      warn(`The file ${this.#path} cannot be read any more (${reasonOf(error)}): what was in it is used.`);
    }
    return this.#bytes;
  }
}

function versionOf(path: string): string {
  const { mtime, size, ino, isDirectory } = Deno.statSync(path);
  if (isDirectory) throw new Error("it is a directory");
  return `${mtime?.getTime()}/${size}/${ino}`;
}

/** What the system says, without the call that it said it to. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ \(os error \d+\).*$/s, "");
}
