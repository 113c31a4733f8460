/**
 * Holding a body up: by a rate, or altogether until somebody lets it go on. What is held up stops its source.
 * @module
 */
import type { WeirError } from "../errors.ts";
import { Wakeup } from "../timing.ts";
import type { Body } from "./body.ts";
import { PassingBody } from "./passing.ts";
import { Stage } from "./stage.ts";
import type { TokenBucket } from "./token_bucket.ts";

/** What can be done to bodies on their way. */
export class Valve {
  #isPaused = false;
  #bucket: TokenBucket | null = null;
  /** Bodies that wait for it. */
  readonly #waiting = new Set<() => void>();

  /** Nothing goes through. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(value: boolean) {
    this.#isPaused = value;
    this.#changed();
  }

  /** The rate at which bytes go through; null for any. */
  get bucket(): TokenBucket | null {
    return this.#bucket;
  }

  set bucket(value: TokenBucket | null) {
    this.#bucket = value;
    this.#changed();
  }

  /** Calls back, once, when any of it is set; the function that is returned takes that back. */
  onChange(callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback();
  }
}

/** Whoever may get a valve while the body is on its way. */
export interface ValveHolder {
  readonly valve: Valve | null;
}

/** A stage that a valve holds up, from the moment that there is one. */
export function valved(holder: ValveHolder): Stage {
  return new Stage((source) => valvedBody(source, holder));
}

/** The same without a stage, for who has the body at hand. */
export function valvedBody(source: Body, holder: ValveHolder): Body {
  return new ValveBody(source, holder);
}

class ValveBody extends PassingBody {
  readonly #holder: ValveHolder;
  /** What of a piece may not go yet. */
  #rest: Uint8Array | null = null;
  #wakeup: Wakeup | null = null;
  #error: WeirError | null = null;

  constructor(source: Body, holder: ValveHolder) {
    super(source);
    this.#holder = holder;
  }

  override get chunkLeft(): number {
    return this.source.chunkLeft + (this.#rest?.length ?? 0);
  }

  override take(): Uint8Array | null | undefined {
    const { valve } = this.#holder;
    if (valve === null) return this.source.take();
    if (this.#error !== null) throw this.#error;
    if (valve.isPaused) return undefined;
    const piece = this.#rest ?? this.source.take();
    if (!piece) return piece;
    const granted = valve.bucket === null ? piece.length : valve.bucket.take(piece.length);
    this.#rest = granted === piece.length ? null : piece.subarray(granted);
    return granted === 0 ? undefined : piece.subarray(0, granted);
  }

  override fill(): Promise<void> {
    const { valve } = this.#holder;
    if (this.#error !== null) return Promise.reject(this.#error);
    if (valve === null || !valve.isPaused && this.#rest === null) return this.source.fill();
    const ms = valve.isPaused ? null : valve.bucket?.waitMs(this.#rest!.length) ?? 0;
    const wakeup = this.#wakeup ??= new Wakeup();
    const forget = valve.onChange(() => wakeup.wake());
    return wakeup.wait(ms).finally(forget);
  }

  override cancel(reason: WeirError): void {
    this.#error ??= reason;
    this.#rest = null;
    this.source.cancel(reason);
    this.#wakeup?.fail(reason);
  }
}
