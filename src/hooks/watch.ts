/**
 * Tells when any of some files may have changed.
 *
 * Directories are watched, not files: editors write a new file and rename it over the old one, and a file that is not
 * there yet can be waited for.
 * @module
 */
import { basename, dirname } from "node:path";

/** How long files must be quiet: an editor's save is several events, and a half-written file should not be loaded. */
const DEBOUNCE_MS = 75;

/** Watches a set of files that can be replaced at any time. */
export class FileWatcher {
  readonly #onChange: () => void;
  readonly #onFailure: (directory: string, error: unknown) => void;
  readonly #watchers = new Map<string, Deno.FsWatcher>();
  readonly #loops = new Set<Promise<void>>();
  #names = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `onChange` is called a moment after the last of a row of events; `onFailure` when a directory cannot be watched. */
  constructor(onChange: () => void, onFailure: (directory: string, error: unknown) => void) {
    this.#onChange = onChange;
    this.#onFailure = onFailure;
  }

  /** Replaces the set of files. */
  watch(files: Iterable<string>): void {
    const directories = new Set<string>();
    this.#names = new Set();
    for (const file of files) {
      directories.add(dirname(file));
      this.#names.add(basename(file));
    }
    for (const [directory, watcher] of this.#watchers) {
      if (directories.has(directory)) continue;
      this.#watchers.delete(directory);
      watcher.close();
    }
    for (const directory of directories) if (!this.#watchers.has(directory)) this.#open(directory);
  }

  /** Stops; resolves when no event can come any more. */
  async close(): Promise<void> {
    this.watch([]);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await Promise.all(this.#loops);
  }

  #open(directory: string): void {
    try {
      const watcher = Deno.watchFs(directory, { recursive: false });
      this.#watchers.set(directory, watcher);
      const loop = this.#follow(directory, watcher).finally(() => this.#loops.delete(loop));
      this.#loops.add(loop);
    } catch (error) {
      this.#onFailure(directory, error);
    }
  }

  async #follow(directory: string, watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const { kind, paths } of watcher) {
        if (kind === "access" || !paths.some((path) => this.#names.has(basename(path)))) continue;
        if (this.#timer !== null) clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#timer = null;
          this.#onChange();
        }, DEBOUNCE_MS);
      }
    } catch (error) {
      this.#onFailure(directory, error);
    }
  }
}
