/**
 * Trailers of one's own behind a body that is streamed (RFC 9110 §6.5).
 * @module
 */
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";

/**
 * Ends a body with what `trailers` gives once it has ended in the place of its own trailers. Its size is left
 * open, as framing by length has no room for trailers (RFC 9112 §6.3).
 */
export function withTrailers(trailers: () => string[] | null): Stage {
  return new Stage((source) => new TrailedBody(source, trailers));
}

class TrailedBody extends PassingBody {
  readonly #trailers: () => string[] | null;
  #ended = false;

  constructor(body: Body, trailers: () => string[] | null) {
    super(body);
    this.#trailers = trailers;
  }

  override get size(): number | null {
    return null;
  }

  override get trailers(): string[] | null {
    return this.#ended ? this.#trailers() : null;
  }

  override take(): Uint8Array | null | undefined {
    const piece = this.source.take();
    if (piece === null) this.#ended = true;
    return piece;
  }
}
