/**
 * Writing what flows are saved as to stdout. Whoever reads it may take all the time in the world, until weir is asked to end:
 * from then on a reader that takes nothing for a while is given up.
 * @module
 */

/** Milliseconds in which some bytes must go. */
const STUCK_MS = 2_000;

/** Writes all of `bytes`. @throws when the reader is gone, or stuck after `hurry` was aborted. */
export async function writeToStdout(bytes: Uint8Array, hurry: AbortSignal): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await writeSome(bytes.subarray(at), hurry);
}

async function writeSome(bytes: Uint8Array, hurry: AbortSignal): Promise<number> {
  const { promise: stuck, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => timer = setTimeout(() => reject(new Error("nobody reads stdout")), STUCK_MS);
  if (hurry.aborted) watch();
  else hurry.addEventListener("abort", watch);
  try {
    return await Promise.race([Deno.stdout.write(bytes), stuck]);
  } finally {
    clearTimeout(timer);
    hurry.removeEventListener("abort", watch);
  }
}
