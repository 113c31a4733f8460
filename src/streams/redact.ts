/**
 * `redactStream`: takes secrets out of a body while it flows, in every form in which a body may carry them.
 * @module
 */
import { holdOf, type HoldOptions } from "./hold.ts";
import { editorStage } from "./piece_stage.ts";
import { redaction, type SecretList, type SecretReplacement, secretsOf } from "./redact/redaction.ts";
import { Redactor, type Secrets } from "./redact/redactor.ts";
import type { Stage } from "./stage.ts";

/** Secrets that are looked for all the time: made ready once. */
export class Redacting {
  readonly #secrets: Secrets;

  /** @throws {TypeError} as {@linkcode redactStream}. */
  constructor(secrets: SecretList) {
    this.#secrets = secretsOf(secrets);
  }

  /** For whoever has pieces of its own: a field, a message of a WebSocket. */
  editor(by: SecretReplacement): Redactor {
    return new Redactor(this.#secrets, redaction(by));
  }

  /** For one body. */
  stage(by: SecretReplacement): Stage {
    return editorStage(this.editor(by));
  }
}

/**
 * A stage that puts `by` in the place of each secret, wherever a body has it: as it is; escaped for JSON (any
 * mix of `\uXXXX`, `\/` and the other short escapes); percent-encoded (either case, `+` for a space); escaped
 * for HTML; each character in its own way; all of it in hexadecimal digits (either case); or in Base64 or
 * base64url, also as a part of something longer. In Base64 those digits that depend on the secret alone are
 * replaced by as many `A`, so that what is around them can still be decoded.
 *
 * With a function, what it gives is sent, in Base64 too; `found.write(text)` is a text in the form in which
 * the secret stood.
 *
 * Of secrets that begin at the same place the longest is taken. Nothing is held back that is not the
 * beginning of one. Where that is more than `hold` bytes (1 MiB), the stage fails (code `limit`).
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
  return editorStage(new Redactor(secretsOf(secrets), redaction(by), holdOf(options)));
}
