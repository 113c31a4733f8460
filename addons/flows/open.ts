/**
 * Flows out of files: the one way in which all addons that read flows open them.
 * @module
 */
import { type ByteSource, type Filter, type Flow, FormatError, readFlows, type ReadOptions } from "weir";
import { expandHome } from "./paths.ts";
import { isStoreUrl, shownUrl } from "./store_url.ts";

/** How flows are opened. */
export interface OpenOptions extends ReadOptions {
  /** Only flows that match are wanted: a database leaves out what it can. Others may come nevertheless. */
  readonly filter?: Filter | null;
  /** Where a database has its long bodies (`flow_store_bodies`). */
  readonly bodies?: string | null;
}

/**
 * The flows of a file (`-` is standard input), or of a database (`flow_store`), one by one.
 * @throws {Error} `path: at byte N: …` where the file is broken, after all flows before that place; `path: …` when it cannot be read.
 */
export async function* openFlows(path: string, options: OpenOptions = {}): AsyncGenerator<Flow, void> {
  const name = path === "-" ? "standard input" : shownUrl(path);
  try {
    if (isStoreUrl(path)) yield* storedFlows(path, options);
    else yield* readFlows(await sourceOf(path), options);
  } catch (error) {
    if (error instanceof FormatError) throw new Error(`${name}: ${error.message}`, { cause: error });
    throw new Error(`${name} cannot be read: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

async function* storedFlows(url: string, { filter, bodies }: OpenOptions): AsyncGenerator<Flow, void> {
  const { BodyFiles, databaseOf, flowOf, FlowStore } = await import("../store/mod.ts");
  const store = new FlowStore(databaseOf(url, { isReadOnly: true }));
  const files = bodies ? new BodyFiles(bodies) : null;
  try {
    await store.check();
    for await (const row of store.rows(filter?.narrow ?? null)) {
      yield await flowOf(row, (hash) => files?.read(hash) ?? Promise.resolve(null));
    }
  } finally {
    await store.close();
  }
}

async function sourceOf(path: string): Promise<ByteSource> {
  return path === "-" ? Deno.stdin.readable : piecesOf(await Deno.open(expandHome(path)));
}

/** Bytes per read; one buffer serves them all. */
const READ_BYTES = 256 * 1024;

async function* piecesOf(file: Deno.FsFile): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(READ_BYTES);
  try {
    for (let count; (count = await file.read(buffer)) !== null;) yield buffer.subarray(0, count);
  } finally {
    file.close();
  }
}
