/**
 * Waiting, but not for ever. No timer outlives the call.
 * @module
 */

/** True when `pending` settles, either way, within so many milliseconds. */
export async function settlesWithin(ms: number, pending: Promise<unknown>): Promise<boolean> {
  // A timer cannot be set for so long; nobody is late then.
  if (ms === Infinity) return await pending.then(() => true, () => true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(resolve, ms, false));
  try {
    return await Promise.race([pending.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What `pending` resolves to; rejects with `what` when that takes longer. */
export async function deadline<T>(ms: number, pending: Promise<T>, what: string): Promise<T> {
  if (await settlesWithin(ms, pending)) return await pending;
  pending.catch(() => {});
  throw new Error(`${what} within ${ms} ms`);
}
