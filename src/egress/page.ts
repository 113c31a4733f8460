/**
 * What the client of a refused request is told: a short plain page.
 * @module
 */
import { reasonFor } from "../http/mod.ts";
import { escapeControl } from "../escape.ts";

/** The answer to a request that the policy, or the audit, refuses. */
export function refusalPage(status: number, sentence: string): Response {
  const isPolicy = status !== 503;
  return new Response(`${status} ${reasonFor(status)}\n\nweir: ${escapeControl(sentence)}\n`, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      ...isPolicy && { "x-weir-policy": "denied" },
    },
  });
}
