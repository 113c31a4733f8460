/**
 * Bytes that are held back until a unit is whole, within a bound.
 * @module
 */
import { EMPTY } from "./bytes.ts";
import { tooMuchHeld } from "./hold.ts";

/** What is allocated first; doubled as it fills. */
const FIRST = 1024;

/** A list of bytes that grows up to a limit. */
export class HeldBytes {
  readonly #what: string;
  readonly #most: number;
  #bytes: Uint8Array = EMPTY;
  #length = 0;

  /** `what` is the stage's name, for the error; `most` how many bytes may be held. */
  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  /** @throws {WeirError} `limit` when a unit of `length` bytes may not be held. */
  check(length: number): void {
    if (length > this.#most) throw tooMuchHeld(this.#what, this.#most);
  }

  /** Holds a copy of these as well. @throws {WeirError} `limit` */
  add(bytes: Uint8Array): void {
    this.check(this.#length + bytes.length);
    this.#put(bytes);
  }

  #put(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(FIRST, length, Math.min(2 * length, this.#most)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** What is held, as it is held. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /**
   * What is held, and these behind it, for good: nothing is held afterwards. The last `uncounted` bytes,
   * which decided it, never had to be held. @throws {WeirError} `limit`
   */
  release(more: Uint8Array = EMPTY, uncounted = 0): Uint8Array {
    this.check(this.#length + more.length - uncounted);
    if (this.#length === 0) return more;
    if (more.length > 0) this.#put(more);
    const all = this.view();
    this.#bytes = EMPTY;
    this.#length = 0;
    return all;
  }
}
