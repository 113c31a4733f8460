/**
 * `redactStream`: takes secrets out of a body while it flows, in every form in which a body may carry them.
 * @module
 */
import { concat } from "@std/bytes";
import { asBytes, type BytesLike, nameOf } from "./bytes.ts";
import { perPiece } from "./chunk_hook.ts";
import { HOLD, holdOf, type HoldOptions } from "./hold.ts";
import { type Form, inForm, wiped } from "./redact/forms.ts";
import { type Redaction, Redactor, Secrets } from "./redact/redactor.ts";

/** A secret, or several: text (in UTF-8) or bytes. */
export type SecretList = string | Uint8Array | Iterable<string | Uint8Array>;

/** A secret that was found. */
export interface FoundSecret {
  /** Its number in the list, from 0. */
  readonly index: number;
  /** How it is written there: of mixed forms, the first escape tells. */
  readonly form: "plain" | "json" | "percent" | "html" | "hex" | "base64";
  /** A text in that form; in Base64, where the form depends on what is around it, as many `A` as there were digits. */
  write(text: string): Uint8Array;
}

/** What takes the place of secrets: the same for all, or what a function gives for each that is found. */
export type SecretReplacement = BytesLike | ((found: FoundSecret) => BytesLike);

/** Lists of secrets that were made ready, the one used last at the end. */
const ready = new Map<string, Secrets>();
const MOST_READY = 16;

/**
 * A stage that puts `by` in the place of each secret, wherever a body has it: as it is; escaped for JSON (any mix of `\uXXXX`, `\/` and the
 * other short escapes); percent-encoded (either case, `+` for a space); escaped for HTML; each character in its own way; all of
 * it in hexadecimal digits (either case); or in Base64 or base64url, also as a part of something longer. In Base64 those digits that
 * depend on the secret alone are replaced by as many `A`, so that what is around them can still be decoded.
 *
 * With a function, what it gives is sent, in Base64 too; `found.write(text)` is a text in the form in which the secret stood.
 *
 * Of secrets that begin at the same place the longest is taken. Nothing is held back that is not the beginning of one. Where that is
 * more than `hold` bytes (1 MiB), the stage fails (code `limit`).
 *
 * @example
 * ```ts
 * import { redactStream } from "weir";
 *
 * const body = new Response('{"url": "https:\\/\\/host\\/?key=s3cr3t%2Dkey"}').body!;
 * const clean = body.pipeThrough(redactStream(["s3cr3t-key", "other secret"]));
 * console.log(await new Response(clean).text()); // {"url": "https:\/\/host\/?key=[redacted]"}
 * ```
 *
 * @throws {TypeError} on a secret of less than 8 bytes, or one that is neither text nor bytes.
 */
export function redactStream(
  secrets: SecretList,
  by: SecretReplacement = "[redacted]",
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  const redactor = new Redactor(made(secrets), redaction(by), holdOf(options));
  return perPiece((piece) => piece.length === 0 ? redactor.end() : redactor.push(piece));
}

/**
 * The same for what is there as a whole: a header's value, a message.
 *
 * @example
 * ```ts
 * import { redactBytes } from "weir";
 *
 * const value = redactBytes("Bearer s3cr3t-key", "s3cr3t-key", "***");
 * console.log(new TextDecoder().decode(value)); // Bearer ***
 * ```
 *
 * @throws {TypeError} as {@linkcode redactStream}.
 */
export function redactBytes(
  data: BytesLike,
  secrets: SecretList,
  by: SecretReplacement = "[redacted]",
): Uint8Array {
  const bytes = asBytes(data);
  if (bytes === null) throw new TypeError(`redactBytes takes a string or bytes, not ${nameOf(data)}.`);
  const redactor = new Redactor(made(secrets), redaction(by), Math.max(HOLD, bytes.length));
  return concat([redactor.push(bytes), redactor.end()]);
}

function redaction(by: SecretReplacement): Redaction {
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

function made(secrets: string | Uint8Array | Iterable<string | Uint8Array>): Secrets {
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
  if (ready.size > MOST_READY) ready.delete(ready.keys().next().value!);
  return found;
}
