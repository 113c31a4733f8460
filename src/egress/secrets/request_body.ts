/**
 * Placeholders in the body of a request, while it flows.
 * @module
 */
import { Automaton, decoded, observe, replaceStream, type Stage, stagesOf } from "../../streams/mod.ts";
import type { Headers } from "../../http/mod.ts";
import type { SecretUse } from "./counts.ts";
import type { Secret } from "./secret.ts";

/** What becomes of a body. */
export interface BodyChange {
  readonly stages: readonly Stage[];
  /** Its length stays what it is. */
  readonly keepsLength: boolean;
}

const encoder = new TextEncoder();

/** How values are written in a body of this media type. */
function writerFor(contentType: string | null): (value: string) => string {
  const type = (contentType ?? "").toLowerCase();
  if (/^[^;]*[/+](?:json|x-ndjson|jsonl)\s*(?:;|$)/.test(type)) {
    return (value) => JSON.stringify(value).slice(1, -1);
  }
  if (type.startsWith("application/x-www-form-urlencoded")) return encodeURIComponent;
  return (value) => value;
}

/**
 * What the body of a request goes through: `meant` are the secrets whose values may be put into it, `all` those whose
 * placeholders are counted. Null where there is nothing to do.
 */
export function requestBody(
  headers: Headers,
  meant: readonly Secret[],
  all: readonly Secret[],
  use: SecretUse,
): BodyChange | null {
  const coding = headers.get("content-encoding");
  if (meant.length === 0) {
    // What is coded is not decoded to be counted.
    return all.length === 0 || coding !== null ? null : { stages: [counter(all, use)], keepsLength: true };
  }
  const write = writerFor(headers.get("content-type"));
  const stage = replaceStream(all.map((secret) => {
    const isMeant = meant.includes(secret);
    const bytes = encoder.encode(isMeant ? write(secret.reveal()) : secret.placeholder);
    return [secret.placeholder, () => {
      (isMeant ? use.injected : use.carried).add(secret.name);
      return bytes;
    }] as const;
  }));
  const keepsLength = coding === null &&
    meant.every((secret) => encoder.encode(write(secret.reveal())).length === secret.placeholder.length);
  return { stages: stagesOf(decoded({ headers }, stage)), keepsLength };
}

/** Placeholders as one automaton: made once for each set of secrets. */
const automata = new WeakMap<readonly Secret[], Automaton>();

/** A stage that counts placeholders and changes nothing. */
function counter(secrets: readonly Secret[], use: SecretUse): Stage {
  let automaton = automata.get(secrets);
  if (automaton === undefined) {
    automaton = new Automaton(secrets.map(({ placeholder }) => encoder.encode(placeholder)));
    automata.set(secrets, automaton);
  }
  const { next, width, columnOf, match } = automaton;
  let state = 0;
  return observe({
    piece(bytes) {
      for (let i = 0; i < bytes.length; i++) {
        state = next[state * width + columnOf[bytes[i]]];
        if (match[state] >= 0) use.carried.add(secrets[match[state]].name);
      }
    },
  });
}
