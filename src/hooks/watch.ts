/**
 * Tells when any of some files may have changed.
 *
 * Files are looked at from time to time, by name, as mitmproxy does: whatever stands at that name now is what
 * counts, be it behind a symbolic link, in a directory that was renamed into place, on a network file system,
 * or not there yet. The system's events belong to the file or directory that was there when watching began,
 * and say nothing of these.
 * @module
 */

/**
 * How often to look, in ms. A save is told when the next look finds the files as they were: none is loaded
 * half-written.
 */
const LOOK_EVERY_MS = 150;

/** Watches a set of files that can be replaced at any time. */
export class FileWatcher {
  readonly #onChange: () => void;
  /** Files with what they were when last looked at; null until then. */
  #files = new Map<string, string | null>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #looking: Promise<void> | null = null;
  #isChanging = false;

  /** `onChange` is called when files that are new here, or have changed, are at rest. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Replaces the set of files. What is `known` of them, by {@linkcode traitsOf}, is no change. */
  watch(files: Iterable<string>, known: ReadonlyMap<string, string> = new Map()): void {
    const before = this.#files;
    this.#files = new Map(Array.from(files, (file) => [file, before.get(file) ?? known.get(file) ?? null]));
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    // While it looks, the next look is its matter.
    if (this.#looking === null) this.#schedule();
  }

  /** Stops; resolves when nothing is looked at any more. */
  async close(): Promise<void> {
    this.watch([]);
    await this.#looking;
  }

  #schedule(): void {
    if (this.#files.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = this.#look().finally(() => {
        this.#looking = null;
        this.#schedule();
      });
    }, LOOK_EVERY_MS);
  }

  async #look(): Promise<void> {
    const files = this.#files;
    const found = await Promise.all(
      Array.from(files.keys(), async (file) => [file, await traitsOf(file)] as const),
    );
    // Others are watched by now.
    if (files !== this.#files) return;
    let isChanged = false;
    for (const [file, traits] of found) {
      const before = files.get(file);
      if (before !== traits) isChanged = true;
      files.set(file, traits);
    }
    if (this.#isChanging && !isChanged) this.#onChange();
    this.#isChanging = isChanged;
  }
}

/** What is different of a file that has changed, links followed; "" when there is none that can be read. */
export async function traitsOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(file);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(" ");
  } catch {
    return "";
  }
}
