/**
 * Flows out of files: the one way in which all addons that read flows open them.
 * @module
 */
import { type ByteSource, type Flow, FormatError, readFlows, type ReadOptions } from "weir";
import { expandHome } from "./paths.ts";

/**
 * The flows of a file (`-` is standard input), one by one.
 * @throws {Error} `path: at byte N: …` where the file is broken, after all flows before that place; `path: …` when it cannot be read.
 */
export async function* openFlows(path: string, options: ReadOptions = {}): AsyncGenerator<Flow, void> {
  const name = path === "-" ? "standard input" : path;
  try {
    yield* readFlows(await sourceOf(path), options);
  } catch (error) {
    if (error instanceof FormatError) throw new Error(`${name}: ${error.message}`, { cause: error });
    throw new Error(`${name} cannot be read: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
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
