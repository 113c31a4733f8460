/**
 * What the users of a redactor give it: secrets, and what takes their place.
 * @module
 */
import { asBytes, type BytesLike, nameOf } from "../bytes.ts";
import { type Form, inForm, wiped } from "./forms.ts";
import { type Redaction, Secrets } from "./redactor.ts";

/** A secret, or several: text (in UTF-8) or bytes. */
export type SecretList = string | Uint8Array | Iterable<string | Uint8Array>;

/** A secret that was found. */
export interface FoundSecret {
  /** Its number in the list, from 0. */
  readonly index: number;
  /** How it is written there: of mixed forms, the first escape tells. */
  readonly form: "plain" | "json" | "percent" | "html" | "hex" | "base64";
  /**
   * A text in that form; in Base64, where the form depends on what is around it, as many `A` as there were
   * digits.
   */
  write(text: string): Uint8Array;
}

/** What takes the place of secrets: the same for all, or what a function gives for each that is found. */
export type SecretReplacement = BytesLike | ((found: FoundSecret) => BytesLike);

/** Lists of secrets that were made ready, the one used last at the end. */
const ready = new Map<string, Secrets>();
const MAX_READY = 16;

/** What puts `by` in the place of what is found. @throws {TypeError} when it is no such thing. */
export function redaction(by: SecretReplacement): Redaction {
  if (typeof by !== "function") {
    const bytes = literal(by, "What replaces a secret").slice();
    return (_, form, found) => form === "base64" ? wiped(found) : bytes;
  }
  return (index: number, form: Form, found) =>
    literal(by({ index, form, write: (text) => inForm(text, form, found) }), "The function's result");
}

function literal(value: unknown, what: string): Uint8Array {
  const bytes = asBytes(value);
  if (bytes === null) throw new TypeError(`${what} must be a string or bytes, not ${nameOf(value)}.`);
  return bytes;
}

/** The secrets, made ready. @throws {TypeError} on one that is too short, or no text and no bytes. */
export function secretsOf(secrets: string | Uint8Array | Iterable<string | Uint8Array>): Secrets {
  const isOne = typeof secrets === "string" || ArrayBuffer.isView(secrets);
  if (!isOne && (typeof secrets !== "object" || secrets === null || !(Symbol.iterator in secrets))) {
    throw new TypeError(`redactStream takes a secret or a list of secrets, not ${nameOf(secrets)}.`);
  }
  const values = Array.from(isOne ? [secrets] : secrets, (secret) => {
    const bytes = asBytes(secret);
    if (bytes === null) throw new TypeError(`A secret must be a string or bytes, not ${nameOf(secret)}.`);
    return bytes;
  });
  const name = values.map((value) => value.toHex()).join();
  const found = ready.get(name) ?? new Secrets(values);
  ready.delete(name);
  ready.set(name, found);
  if (ready.size > MAX_READY) ready.delete(ready.keys().next().value!);
  return found;
}
