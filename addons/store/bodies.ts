/**
 * Bodies that are too long for a row: files in one directory, named by the SHA-256 of their bytes, so each is there once.
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { StoredBody } from "weir";

/** A file that was used within this time (ms) is not removed: a row that names it may be on its way. */
const YOUNG_MS = 60_000;

/** The directory. */
export class BodyFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Writes a body. Resolves to its hash. @throws what the disk says. */
  async write(pieces: AsyncIterable<Uint8Array>): Promise<{ hash: string; size: number }> {
    await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const unfinished = await Deno.makeTempFile({ dir: this.#directory, prefix: ".", suffix: ".part" });
    try {
      const sha256 = createHash("sha256");
      let size = 0;
      using file = await Deno.open(unfinished, { write: true });
      for await (const piece of pieces) {
        sha256.update(piece);
        size += piece.length;
        for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
      }
      const hash = sha256.digest("hex");
      await Deno.rename(unfinished, this.#path(hash));
      return { hash, size };
    } catch (error) {
      await Deno.remove(unfinished).catch(() => {});
      throw error;
    }
  }

  /** A copy of a body, to be read; null where it is not there. */
  async read(hash: string): Promise<StoredBody | null> {
    let file;
    try {
      file = await Deno.open(this.#path(hash));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
    const body = new StoredBody();
    for await (const piece of file.readable) await body.append(piece);
    body.end(null);
    return body;
  }

  /** Removes a body that no row names any more. */
  async remove(hash: string): Promise<void> {
    try {
      const { mtime } = await Deno.stat(this.#path(hash));
      if (mtime !== null && Date.now() - mtime.getTime() < YOUNG_MS) return;
      await Deno.remove(this.#path(hash));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #path(hash: string): string {
    // A row may come from anywhere.
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new TypeError(`${JSON.stringify(hash)} is no SHA-256`);
    return join(this.#directory, hash);
  }
}
