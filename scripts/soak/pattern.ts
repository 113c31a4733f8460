/**
 * Bodies that say themselves whether they are right: the byte at each place follows from the place and a
 * seed.
 * @module
 */

/** Written at once. */
const PIECE = 16 * 1024;

/** `count` bytes from the place `from` on. */
export function pattern(seed: number, from: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = byteAt(seed, from + i);
  return bytes;
}

/** All of a body as a stream, in pieces. `failAt`: the sender dies there. */
export function patternStream(
  seed: number,
  size: number,
  failAt: number = Infinity,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      // Lets others have their turn, and a reader that is slower set the pace.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (at >= failAt) return controller.error(new Error("The sender dies here."));
      if (at >= size) return controller.close();
      const count = Math.min(PIECE, size - at, failAt - at);
      controller.enqueue(pattern(seed, at, count));
      at += count;
    },
  });
}

/** Checks a body piece by piece. */
export class PatternCheck {
  readonly #seed: number;
  /** Bytes that came. */
  size = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** @throws {Error} at the first byte that is wrong. */
  add(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== byteAt(this.#seed, this.size + i)) {
        throw new Error(`Byte ${this.size + i} is ${bytes[i]}, not ${byteAt(this.#seed, this.size + i)}.`);
      }
    }
    this.size += bytes.length;
  }

  /** @throws {Error} when it is longer or shorter than it should be. */
  end(size: number): void {
    if (this.size !== size) throw new Error(`${this.size} bytes came, not ${size}.`);
  }
}

function byteAt(seed: number, place: number): number {
  return (Math.imul(place, 31) + Math.imul(place >> 8, 7) + seed) & 0xff;
}

/** Numbers that look random, and are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
