/**
 * Generations: a module that is loaded again gets a new URL, `file:///x.ts?weir=2`, so that the runtime does not hand
 * out the old instance; so do the files that it imports, and theirs.
 * @module
 */
import { fileURLToPath, pathToFileURL } from "node:url";

/** The tag at the end of a URL. */
const GENERATION = /\?weir=(\d+)/;

/** The URL of a file in a generation. */
export function tagged(path: string, generation: number): string {
  return `${pathToFileURL(path).href}?weir=${generation}`;
}

/** The generation of a module by its URL, or null. */
export function generationOf(url: string | undefined): number | null {
  const match = url === undefined ? null : GENERATION.exec(url);
  return match ? Number(match[1]) : null;
}

/** The path of a file: URL, its generation left out; what is no file: URL stays as it is. */
export function fromFileUrl(url: string): string {
  const plain = url.replace(GENERATION, "");
  return plain.startsWith("file:") ? fileURLToPath(plain) : plain;
}
