/**
 * `redactBytes`: takes secrets out of what is there as a whole, a header's value or a message.
 * @module
 */
import { concat } from "@std/bytes";
import { asBytes, type BytesLike, nameOf } from "./bytes.ts";
import { HOLD } from "./hold.ts";
import { redaction, type SecretList, type SecretReplacement, secretsOf } from "./redact/redaction.ts";
import { Redactor } from "./redact/redactor.ts";

/**
 * What {@linkcode redactStream} does to a body, for bytes or text that is there as a whole.
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
  const redactor = new Redactor(secretsOf(secrets), redaction(by), Math.max(HOLD, bytes.length));
  return concat([redactor.push(bytes).slice(), redactor.end()]);
}
