/**
 * A body that is fed with text as it comes, and tells when everything that was fed has been asked for.
 * @module
 */
import type { WeirError } from "../../../errors.ts";
import type { Body } from "../../body.ts";

/** What goes into the stages of a channel. */
export class Feed implements Body {
  readonly size = null;
  readonly chunked = true;
  readonly chunkLeft = 0;
  readonly trailers = null;
  readonly #pieces: Uint8Array[] = [];
  #isEnded = false;
  #reason: WeirError | null = null;
  #filling: PromiseWithResolvers<void> | null = null;
  #onDry: (() => void) | null = null;

  /** Somebody waits for more than there is. */
  get isDry(): boolean {
    return this.#filling !== null;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pieces.push(bytes);
    if (bytes.length > 0) this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Resolves when it is dry. */
  dry(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isDry) resolve();
      else this.#onDry = resolve;
    });
  }

  take(): Uint8Array | null | undefined {
    if (this.#reason !== null) throw this.#reason;
    const piece = this.#pieces.shift();
    return piece ?? (this.#isEnded ? null : undefined);
  }

  fill(): Promise<void> {
    if (this.#reason !== null) return Promise.reject(this.#reason);
    if (this.#pieces.length > 0 || this.#isEnded) return Promise.resolve();
    this.#filling ??= Promise.withResolvers();
    this.#onDry?.();
    this.#onDry = null;
    return this.#filling.promise;
  }

  cancel(reason: WeirError): void {
    this.#reason ??= reason;
    this.#filling?.reject(reason);
    this.#filling?.promise.catch(() => {});
    this.#filling = null;
  }

  #wake(): void {
    const filling = this.#filling;
    this.#filling = null;
    filling?.resolve();
  }
}
