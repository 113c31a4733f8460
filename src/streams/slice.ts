/**
 * Some bytes of a stored body: in memory only while somebody looks at them.
 * @module
 */
import type { StoredBody } from "./store.ts";

/** Bytes from `at` on, `size` of them. */
export class BodySlice {
  readonly body: StoredBody;
  readonly at: number;
  readonly size: number;

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
