/**
 * Ports for what cannot take port 0.
 * @module
 */

/** Below the ranges that systems choose ports from on their own, so that no other test gets it by chance. */
const FIRST = 10_000;
const COUNT = 22_000;

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
