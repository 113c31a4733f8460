/**
 * `multipartStream`: a function for each part of a multipart body, whose content flows.
 * @module
 */
import type { CodedMessage } from "../coding_stream.ts";
import { nameOf } from "../bytes.ts";
import { holdOf, type HoldOptions } from "../hold.ts";
import { Stage } from "../stage.ts";
import { boundaryOf, MultipartCutter } from "./multipart.ts";
import { MultipartBody } from "./multipart_body.ts";
import type { MultipartPart, PartOutput } from "./multipart_part.ts";
import { checkFunction } from "./unit_body.ts";

/**
 * A stage that calls `fn` for each part of a multipart body (RFC 2046 §5.1; RFC 7578 for forms) when its head
 * is complete. The function may change `part.headers`, set `part.stream` to what `message.stream` takes, or
 * return `null` (or `drop`) to leave the part out; it may be async. The part's content is never held: it
 * flows through the part's stages.
 *
 * What is not changed goes out byte for byte as it came: preamble, delimiters, line ends, epilogue. A part
 * whose content is changed loses its `content-length`, if it has one.
 *
 * A head of more than `hold` bytes (1 MiB) fails the stage (code `limit`), as does a function that throws or
 * gives something else (code `addon`): the body is cut.
 *
 * @example
 * ```ts
 * import { multipartStream, replaceStream } from "weir";
 *
 * const form = new FormData();
 * form.set("comment", "my password is hunter2");
 * const request = new Response(form);
 * const stage = multipartStream(request, (part) => {
 *   if (part.name === "comment") part.stream = replaceStream("hunter2", "***");
 * });
 * const changed = new Response(request.body!.pipeThrough(stage), { headers: request.headers });
 * const comment = (await changed.formData()).get("comment");
 * if (comment !== "my password is ***") throw new Error(`${comment}`);
 * ```
 *
 * @throws {TypeError} when `fn` is no function, and when the message is not multipart or names no boundary.
 */
export function multipartStream(
  message: CodedMessage,
  fn: (part: MultipartPart) => PartOutput | PromiseLike<PartOutput>,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  if (typeof message?.headers?.get !== "function") {
    throw new TypeError(
      `multipartStream takes the message first, multipartStream(flow.request, (part) => …); not ${
        nameOf(message)
      }.`,
    );
  }
  checkFunction(fn, "multipartStream", "multipartStream(flow.request, (part) => { part.stream = … })");
  const boundary = boundaryOf(message.headers.get("content-type"));
  const hold = holdOf(options);
  return new Stage((source, onFault, warn) =>
    new MultipartBody(source, new MultipartCutter(boundary, hold), fn, onFault, warn)
  );
}
