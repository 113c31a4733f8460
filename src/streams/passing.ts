/**
 * A body made of another one: what a subclass does not change is passed on.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";

/** The common part of all that stands in a body's way. */
export abstract class PassingBody implements Body {
  protected readonly source: Body;

  constructor(source: Body) {
    this.source = source;
  }

  get size(): number | null {
    return this.source.size;
  }

  get chunked(): boolean {
    return this.source.chunked;
  }

  get chunkLeft(): number {
    return this.source.chunkLeft;
  }

  get trailers(): string[] | null {
    return this.source.trailers;
  }

  take(): Uint8Array | null | undefined {
    return this.source.take();
  }

  fill(): Promise<void> {
    return this.source.fill();
  }

  cancel(reason: WeirError): void {
    this.source.cancel(reason);
  }
}
