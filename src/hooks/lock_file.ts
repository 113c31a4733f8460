/**
 * Keeps weir's own `deno.lock` as it is: the runtime writes down there whatever is imported from npm or JSR,
 * what an addon imports included. That belongs to the addon, and the file to the checkout.
 * @module
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** What is looked at in a lock file (version 5); other versions are left alone. */
interface Lock {
  readonly version: string;
  readonly specifiers?: Readonly<Record<string, string>>;
  /** What the project's `deno.json` asks for. */
  readonly workspace?: unknown;
}

/** A lock file that what is imported at run time must not change. */
export class LockFile {
  readonly #file: URL;
  #text: string | null = null;

  constructor(file: URL) {
    this.#file = file;
  }

  /** Notes what is in it. */
  remember(): void {
    this.#text = this.#read();
  }

  /**
   * Writes back what was noted, if all that has changed since is that packages were added which `deno.json`
   * does not ask for. Anything else is somebody's work (`git pull`, `deno add`), and is what is to be kept
   * from now on.
   */
  putBack(): void {
    const noted = this.#text, text = this.#read();
    if (noted === null || text === null || text === noted) return;
    if (!isOnlyAddedTo(noted, text)) {
      this.#text = text;
      return;
    }
    const temporary = new URL(`${this.#file.href}.${Deno.pid}`);
    try {
      writeFileSync(temporary, noted);
      renameSync(temporary, this.#file);
    } catch {
      // Who may not write here (a checkout of root's) has not changed it either.
      rmSync(temporary, { force: true });
    }
  }

  #read(): string | null {
    try {
      return this.#file.protocol === "file:" ? readFileSync(this.#file, "utf8") : null;
    } catch {
      return null;
    }
  }
}

function isOnlyAddedTo(before: string, after: string): boolean {
  const old = parsed(before), now = parsed(after);
  if (old === null || now === null || old.version !== now.version) return false;
  const names = Object.entries(old.specifiers ?? {});
  return names.every(([name, version]) => now.specifiers?.[name] === version) &&
    JSON.stringify(old.workspace) === JSON.stringify(now.workspace);
}

function parsed(text: string): Lock | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
