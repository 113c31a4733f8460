/**
 * `tapStream`, `countStream` and `hashStream`: stages that look at a body. What they see cannot change it.
 * @module
 */
import { createHash, getHashes } from "node:crypto";
import { checkFunction } from "./arguments.ts";
import { observe } from "./observe.ts";

/**
 * `fn` sees each chunk as it comes (a copy), and an empty one at the end; of a body that was cut there is no
 * end. A promise that it returns holds the body up until it settles.
 *
 * @example
 * ```ts
 * import { tapStream } from "weir";
 *
 * const sizes: number[] = [];
 * const stage = tapStream((chunk) => void sizes.push(chunk.length));
 * await new Response(new Response("hello").body!.pipeThrough(stage)).text();
 * if (sizes.join() !== "5,0") throw new Error(sizes.join());
 * ```
 *
 * @throws {TypeError} when it is no function.
 */
export function tapStream(
  fn: (chunk: Uint8Array) => void | Promise<void>,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction("tapStream", fn);
  return observe({
    piece: (bytes) => fn(bytes.slice()),
    end: (error) => error === null ? fn(new Uint8Array(0)) : undefined,
  });
}

/**
 * `fn` is told at the end how many bytes there were; null: the body was cut.
 *
 * @example
 * ```ts
 * import { countStream } from "weir";
 *
 * let bytes: number | null = 0;
 * const stage = countStream((count) => void (bytes = count));
 * await new Response(new Response("hello").body!.pipeThrough(stage)).text();
 * if (bytes !== 5) throw new Error(`${bytes}`);
 * ```
 *
 * @throws {TypeError} when it is no function.
 */
export function countStream(fn: (bytes: number | null) => void): TransformStream<Uint8Array, Uint8Array> {
  checkFunction("countStream", fn);
  let count = 0;
  return observe({
    piece: ({ length }) => void (count += length),
    end: (error) => fn(error === null ? count : null),
  });
}

/** A digest, in both forms that people ask for. */
export interface Digest {
  /** As many as the algorithm makes: 32 of SHA-256. */
  readonly bytes: Uint8Array;
  /** Lower case. */
  readonly hex: string;
}

/**
 * `fn` is told at the end the digest of all bytes; null: the body was cut. `algorithm` is a name as WebCrypto
 * or Node have it: `SHA-256`, `sha256`, `md5`, `sha512-256`, …
 *
 * @example
 * ```ts
 * import { hashStream } from "weir";
 *
 * let hex = "";
 * const stage = hashStream("md5", (digest) => void (hex = digest?.hex ?? "cut"));
 * await new Response(new Response("hello").body!.pipeThrough(stage)).text();
 * if (hex !== "5d41402abc4b2a76b9719d911017c592") throw new Error(hex);
 * ```
 *
 * @throws {TypeError} on an algorithm that is not known, or when `fn` is no function.
 */
export function hashStream(
  algorithm: string,
  fn: (digest: Digest | null) => void,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction("hashStream", fn);
  const hash = hashOf(algorithm);
  return observe({
    piece: (bytes) => void hash.update(bytes),
    end(error) {
      if (error !== null) return fn(null);
      const digest = hash.digest();
      return fn({ bytes: new Uint8Array(digest), hex: digest.toString("hex") });
    },
  });
}

/** Made here so that a wrong name is told when the stage is made. */
function hashOf(algorithm: string): ReturnType<typeof createHash> {
  // WebCrypto writes SHA-256 where Node writes sha256.
  const name = String(algorithm).toLowerCase().replace(/^sha-(?=\d)/, "sha");
  try {
    return createHash(name);
  } catch {
    throw new TypeError(
      `hashStream does not know the algorithm ${JSON.stringify(algorithm)}; known are ${
        getHashes().join(", ")
      }.`,
    );
  }
}
