/**
 * Three values: yes, no, and not known yet (Kleene's logic).
 * @module
 */
import type { Flow } from "../flow/flow.ts";

/** Yes, no, or (undefined) not known yet. */
export type Verdict = boolean | undefined;

/** One of them holds. */
export function either(a: Verdict, b: Verdict): Verdict {
  return a === true || b === true ? true : a === undefined || b === undefined ? undefined : false;
}

/** Whether a flow has a response; not known while it may still get one. */
export function hasResponse(flow: Flow): Verdict {
  if (flow.type !== "http") return false;
  return flow.response !== null ? true : flow.live ? undefined : false;
}
