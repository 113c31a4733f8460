/**
 * Importing addon modules: the one place where weir does that.
 *
 * A `resolve` hook of the runtime's module loader hands the generation of a module on to the files that it imports by
 * a relative or absolute name, and notes who imports whom. Bare names (`weir`, `npm:…`, `node:…`) are libraries: they
 * keep their one instance, so that an addon's `weir` is the proxy's.
 * @module
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { buildKind } from "../build_kind.ts";
import { fromFileUrl, generationOf, tagged } from "./generation.ts";
import { LockFile } from "./lock_file.ts";

/** The exports of the module `weir`. They are given from above, since they tell of this floor as well. */
export type WeirModule = Readonly<Record<string, unknown>>;

/** What is known of a module of some generation. */
interface ModuleRecord {
  /** Hash of the file just before the runtime read it; null when it was not there. */
  readonly hash: string | null;
  readonly imports: Set<string>;
}

// The runtime has one module loader, so this is one for the process, too.
const records = new Map<string, ModuleRecord>();
let generations = 0;
let installed = false;
/** That of the checkout; an executable has none. */
const lockFile = new LockFile(new URL("../../deno.lock", import.meta.url));

/** A number that no module has been loaded under. */
export function nextGeneration(): number {
  return ++generations;
}

/**
 * Imports an addon's file under a generation. Rejects with whatever reading, compiling or running it throws.
 * @param weir what the name `weir` stands for in it; the same in all calls
 */
export async function importModule(
  path: string,
  generation: number,
  weir: WeirModule,
): Promise<Record<string, unknown>> {
  install(weir);
  const url = tagged(path, generation);
  record(url);
  try {
    return await import(url);
  } catch (error) {
    throw buildKind() === "compiled" ? explained(error) : error;
  } finally {
    lockFile.putBack();
  }
}

/** The runtime of a compiled weir says of modules that it cannot download no more than that they are not there. */
function explained(error: unknown): unknown {
  if (error instanceof Error && /\b(npm|jsr|https?):/.test(error.message)) {
    const [first, ...more] = error.message.split("\n");
    const hint = "a compiled weir cannot download modules; with an unpacking one, or under deno run, it can";
    error.message = [`${first} (${hint})`, ...more].join("\n");
  }
  return error;
}

/** The files that a module was made of, itself included, with their hashes when they were loaded. */
export function filesOf(path: string, generation: number): Map<string, string | null> {
  const files = new Map<string, string | null>();
  const waiting = [tagged(path, generation)];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    const known = records.get(url);
    const file = fromFileUrl(url);
    if (!known || files.has(file)) continue;
    files.set(file, known.hash);
    waiting.push(...known.imports);
  }
  return files;
}

/** Puts weir's lock file back as it was, should an import() of an addon's have written to it. */
export function keepLockFile(): void {
  lockFile.putBack();
}

/** Lets go of what is known about modules of generations that are no longer in use. */
export function forgetExcept(inUse: ReadonlySet<number>): void {
  for (const url of records.keys()) if (!inUse.has(generationOf(url)!)) records.delete(url);
}

/** A hash of a file's content, or null when it cannot be read. */
export function hashOf(path: string): string | null {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("base64");
  } catch {
    return null;
  }
}

function record(url: string): ModuleRecord {
  let known = records.get(url);
  if (!known) records.set(url, known = { hash: hashOf(fromFileUrl(url)), imports: new Set() });
  return known;
}

function install(weir: WeirModule): void {
  if (installed) return;
  installed = true;
  lockFile.remember();
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === "weir" && generationOf(context.parentURL) !== null) {
        return { url: weirUrl(weir), shortCircuit: true };
      }
      const resolved = nextResolve(specifier, context);
      const generation = generationOf(context.parentURL);
      // An import() that runs later. The runtime has noted it by now, unless the name was put together at run time.
      if (generation !== null && /^(npm|jsr|https?):/.test(specifier)) lockFile.putBack();
      if (generation === null || !/^(\.{0,2}\/|file:)/.test(specifier) || !resolved.url.startsWith("file:")) {
        return resolved;
      }
      const url = tagged(fromFileUrl(resolved.url), generation);
      record(context.parentURL!).imports.add(url);
      record(url);
      return { ...resolved, url, shortCircuit: true };
    },
  });
}

/** A module that hands out what the proxy itself uses under the name `weir`: an executable has no file of that name. */
function weirUrl(weir: WeirModule): string {
  const key = "weir.module";
  Object.defineProperty(globalThis, Symbol.for(key), { value: weir, configurable: true });
  const names = Object.keys(weir).join(", ");
  const code = `export const { ${names} } = globalThis[Symbol.for("${key}")];`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
