/**
 * The digits of placeholders: random, and the same for one name as long as weir runs, in all its isolates.
 * @module
 */
import { createHash } from "node:crypto";

/**
 * Where the isolates of one weir find what their digits are made of: they share the environment. Commands that weir starts do not
 * get it.
 */
export const SEED = "WEIR_PLACEHOLDERS";

/** 32 hexadecimal digits for the placeholder of a secret. */
export function placeholderId(name: string): string {
  let seed = Deno.env.get(SEED);
  if (seed === undefined) Deno.env.set(SEED, seed = crypto.randomUUID());
  return createHash("sha256").update(`${seed} ${name}`).digest("hex").slice(0, 32);
}
