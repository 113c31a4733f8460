/**
 * Directories that must not outlive the process that made them: only their user can enter them (mode 0700), and each holds a
 * file on which the process has a lock for as long as it lives. What a process left behind that was ended by force (SIGKILL, a
 * power cut) is known by its lock, which nobody has, and is removed by the next weir that starts.
 * @module
 */

const PREFIX = "weir-";
/** Its name says that the directory is weir's. */
const LOCK = ".weir-lock";

/** A directory of this process. */
export class TemporaryDirectory {
  /** Where it is. */
  readonly path: string;
  /** Descriptor of the lock; -1 where there is none. */
  #lock = -1;

  /**
   * `what` goes into its name. With a `parent` of the caller's it is the caller's matter what becomes of it after a crash.
   * @throws when it cannot be made.
   */
  constructor(what = "", parent = "") {
    const prefix = what === "" ? PREFIX : `${PREFIX}${what}-`;
    if (parent !== "") {
      this.path = Deno.makeTempDirSync({ prefix, dir: parent });
      return;
    }
    this.path = Deno.makeTempDirSync({ prefix });
    try {
      // It has its name only once it is locked, so that nobody takes it for a dead one's.
      const path = `${this.path}/${LOCK}`;
      Deno.writeTextFileSync(`${path}-new`, "", { createNew: true, mode: 0o600 });
      this.#lock = openLocked(`${path}-new`);
      if (this.#lock >= 0) Deno.renameSync(`${path}-new`, path);
    } catch (thrown) {
      this.remove();
      throw thrown;
    }
  }

  /** Removes it with all that is in it. What cannot be removed now is, by the next weir. */
  remove(): void {
    this.#unlock();
    removeNow(this.path);
  }

  /** The same, where somebody may still write to it: tries again for `ms` milliseconds. */
  async removeWithin(ms: number): Promise<void> {
    this.#unlock();
    for (const late = performance.now() + ms; !removeNow(this.path) && performance.now() < late;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #unlock(): void {
    const lock = this.#lock;
    this.#lock = -1;
    if (lock >= 0) withLibc((libc) => libc.close(lock));
  }
}

/** Where libc is, and its O_RDWR with O_CLOEXEC. */
const PLATFORMS: Partial<Record<typeof Deno.build.os, { libc: string; flags: number }>> = {
  linux: { libc: "libc.so.6", flags: 0o2000002 },
  darwin: { libc: "libSystem.B.dylib", flags: 0x1000002 },
};
const FUNCTIONS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;
/** LOCK_EX with LOCK_NB. */
const LOCK_NOW = 2 | 4;

/** The descriptor is libc's and not a resource of Deno's: it is held for the process and not for whoever asks first. */
function openLocked(path: string): number {
  return withLibc((libc) => {
    const fd = libc.open(new TextEncoder().encode(`${path}\0`), PLATFORMS[Deno.build.os]!.flags);
    return fd >= 0 && libc.flock(fd, LOCK_NOW) === 0 ? fd : -1;
  }) ?? -1;
}

/** Null where libc cannot be asked: then nothing is locked, and nothing found out about others. */
function withLibc<T>(use: (libc: Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"]) => T): T | null {
  const platform = PLATFORMS[Deno.build.os];
  if (platform === undefined || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  try {
    const library = Deno.dlopen(platform.libc, FUNCTIONS);
    try {
      return use(library.symbols);
    } finally {
      library.close();
    }
  } catch {
    return null;
  }
}

const RETRY_MS = 100;

/** True when it is not there any more. */
function removeNow(path: string): boolean {
  try {
    Deno.removeSync(path, { recursive: true });
    return true;
  } catch (thrown) {
    return thrown instanceof Deno.errors.NotFound;
  }
}

/** Removes the directories of processes that have ended without removing them. Never rejects. */
export async function removeAbandoned(parent: string = placeForTemporaryFiles()): Promise<void> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(parent)) {
      if (isDirectory && name.startsWith(PREFIX)) await removeIfAbandoned(`${parent}/${name}`);
    }
  } catch {
    // There is no such place, or it may not be listed.
  }
}

async function removeIfAbandoned(path: string): Promise<void> {
  try {
    const { isDirectory, uid } = await Deno.lstat(path);
    if (!isDirectory || (uid !== null && uid !== Deno.uid())) return;
    const lock = await Deno.open(`${path}/${LOCK}`, { write: true });
    const isAbandoned = await lock.tryLock(true).finally(() => lock.close());
    if (isAbandoned) await Deno.remove(path, { recursive: true });
  } catch {
    // It is none of weir's, or somebody else was faster.
  }
}

/** Where `Deno.makeTempDir` makes them. */
function placeForTemporaryFiles(): string {
  const names = Deno.build.os === "windows" ? ["TMP", "TEMP", "USERPROFILE"] : ["TMPDIR"];
  for (const name of names) {
    const value = Deno.env.get(name);
    if (value) return value;
  }
  return Deno.build.os === "windows" ? "C:\\Windows\\Temp" : "/tmp";
}
