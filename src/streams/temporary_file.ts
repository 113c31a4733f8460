/**
 * Files that must not outlive what they were made for.
 *
 * They lie in one directory per process, are readable by the user alone (0600), and are removed with their
 * owner: when it says so, when it is collected as garbage, or when the process ends in order; else by the
 * next process (see `../temporary.ts`).
 * @module
 */
import { TemporaryDirectory } from "../temporary.ts";

/** The directory of this process, by the place in which it was made, and the paths in it. */
const directories = new Map<string, { directory: TemporaryDirectory; files: Set<string> }>();

const forgotten = new FinalizationRegistry<() => void>((remove) => remove());

/** One file, made at once, empty. */
export class TemporaryFile {
  readonly path: string;
  readonly #remove: () => void;

  /** @throws when the file cannot be made. */
  constructor(parent = "") {
    let place = directories.get(parent);
    if (place === undefined) {
      place = { directory: new TemporaryDirectory("", parent), files: new Set() };
      if (directories.size === 0) globalThis.addEventListener("unload", removeTemporaryFiles);
      directories.set(parent, place);
    }
    const path = this.path = `${place.directory.path}/${crypto.randomUUID()}`;
    place.files.add(path);
    this.#remove = () => removeFile(parent, path);
    try {
      Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
    } catch (thrown) {
      this.#remove();
      throw thrown;
    }
    forgotten.register(this, this.#remove, this);
  }

  /** Removes the file; once is enough. */
  remove(): void {
    forgotten.unregister(this);
    this.#remove();
  }
}

function removeFile(parent: string, path: string): void {
  const place = directories.get(parent);
  if (place === undefined || !place.files.delete(path)) return;
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already, or somebody holds it: there is nothing more to do about it.
  }
  if (place.files.size > 0) return;
  directories.delete(parent);
  place.directory.remove();
  if (directories.size === 0) globalThis.removeEventListener("unload", removeTemporaryFiles);
}

/** Removes all that are left: for a worker, which is ended without an `unload` event. */
export function removeTemporaryFiles(): void {
  for (const { directory } of directories.values()) directory.remove();
  directories.clear();
}
