/**
 * Ending what an addon handed over, without letting anything that it does then be missed or escape.
 * @module
 */

/** Does nothing: the handler for promises whose outcome no longer matters. */
export function ignore(): void {}

/** True for promises and whatever else can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Runs the `finally` blocks of a generator (closes any iterator) that will not be asked again. */
export function closeIterator(iterator: Iterator<unknown> | AsyncIterator<unknown> | null): void {
  try {
    const closing: unknown = iterator?.return?.();
    if (isThenable(closing)) closing.then(ignore, ignore);
  } catch {
    // It has failed to clean up after itself; there is nobody left to tell.
  }
}

/** Closes an iterable that came too late to be used, a `ReadableStream` for instance. */
export function closeIterable(value: unknown): void {
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return;
  try {
    closeIterator((value as AsyncIterable<unknown>)[Symbol.asyncIterator]());
  } catch {
    // Locked or broken: then it is not ours to close.
  }
}
