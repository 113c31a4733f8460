/**
 * The length of a body whose stages do not change it.
 * @module
 */
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";

/**
 * `body`, with `size` for its length: for stages that put as many bytes in the place of those they take out.
 */
export function withSize(body: Body, size: number | null): Body {
  return size === null ? body : new SizedBody(body, size);
}

class SizedBody extends PassingBody {
  readonly #size: number;

  constructor(body: Body, size: number) {
    super(body);
    this.#size = size;
  }

  override get size(): number {
    return this.#size;
  }
}
