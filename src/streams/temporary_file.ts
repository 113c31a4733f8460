/**
 * Files that must not outlive what they were made for.
 *
 * They lie in one directory per process that only the user can enter (mode 0700), are readable by the user alone (0600), and are
 * removed with their owner: when it says so, when it is collected as garbage, or when the process ends in order.
 * @module
 */

const PREFIX = "weir-";

/** The directory of this process, by the place in which it was made, and the paths in it. */
const directories = new Map<string, { path: string; files: Set<string> }>();

const forgotten = new FinalizationRegistry<() => void>((remove) => remove());

/** One file, made at once, empty. */
export class TemporaryFile {
  readonly path: string;
  readonly #remove: () => void;

  /** @throws when the file cannot be made. */
  constructor(parent = "") {
    let directory = directories.get(parent);
    if (directory === undefined) {
      const path = Deno.makeTempDirSync({ prefix: PREFIX, ...(parent === "" ? {} : { dir: parent }) });
      if (directories.size === 0) globalThis.addEventListener("unload", removeTemporaryFiles);
      directory = { path, files: new Set() };
      directories.set(parent, directory);
    }
    this.path = `${directory.path}/${crypto.randomUUID()}`;
    const { path } = this;
    directory.files.add(path);
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
  const directory = directories.get(parent);
  if (directory === undefined || !directory.files.delete(path)) return;
  tryRemove(path, false);
  if (directory.files.size > 0) return;
  directories.delete(parent);
  tryRemove(directory.path, true);
  if (directories.size === 0) globalThis.removeEventListener("unload", removeTemporaryFiles);
}

/** Removes all that are left: for a worker, which is ended without an `unload` event. */
export function removeTemporaryFiles(): void {
  for (const { path } of directories.values()) tryRemove(path, true);
  directories.clear();
}

function tryRemove(path: string, recursive: boolean): void {
  try {
    Deno.removeSync(path, { recursive });
  } catch {
    // Gone already, or somebody holds it: there is nothing more to do about it.
  }
}
