/**
 * Some bytes of a stored body: in memory only while somebody looks at them.
 * @module
 */
import type { StoredBody } from "./store.ts";

/** Bytes from `at` on, `size` of them. */
export class BodySlice {
  /** What it is a part of. */
  readonly body: StoredBody;
  /** Where it begins there. */
  readonly at: number;
  /** How many bytes it has. */
  readonly size: number;

  /** Nothing is copied. */
  constructor(body: StoredBody, at: number, size: number) {
    this.body = body;
    this.at = at;
    this.size = size;
  }

  /** A copy; blocks while the file is read. @throws {WeirError} "closed" when the body was thrown away. */
  read(): Uint8Array<ArrayBuffer> {
    return this.body.rangeSync(this.at, this.size);
  }
}
