/**
 * The body of a web `Response` that an addon gave: known at once where it is, else a stream.
 * @module
 */
import { concat } from "@std/bytes";
import { WeirError } from "../errors.ts";
import { internals } from "../internals.ts";
import type { Response } from "../flow/response.ts";
import { describeHookError } from "../hooks/mod.ts";
import { type Body, bodyOf, bytesBody } from "../streams/mod.ts";
import type { Log } from "./context.ts";

/** Bodies in several chunks are looked at up to this size for their end, so that they get a `content-length`. */
const LOOK_AHEAD = 1024 * 1024;

type Read = ReadableStreamReadResult<Uint8Array>;

/**
 * Takes the body over. A `Response` made from a string or bytes is all there and gets its length; one whose stream
 * makes weir wait for longer than a turn of the event loop is passed on as it comes, unless `stream` was set.
 */
export async function webBody(response: Response, log: Log): Promise<Body | null> {
  const stream = response.takeWebBody();
  if (stream === null) return null;
  if (stream.locked) {
    throw new WeirError(
      "weir",
      "addon",
      "The body of flow.response is used elsewhere: make a new Response for each flow.",
    );
  }
  const { webSize } = response[internals];
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = new Promise<null>((resolve) => timer = setTimeout(resolve, 0, null));
  let pending: Promise<Read> = reader.read();
  try {
    // A long one whose length is known is passed on as it comes.
    while (webSize === null || webSize <= LOOK_AHEAD) {
      const read = await Promise.race([pending, later]);
      if (read === null) break;
      if (read.done) return size === 0 ? null : bytesBody(concat(chunks), null);
      if (!(read.value instanceof Uint8Array)) break;
      chunks.push(read.value);
      size += read.value.length;
      pending = reader.read();
      if (size > LOOK_AHEAD && chunks.length > 1) break;
    }
  } catch {
    // The stream failed: whoever reads the body below gets the same error where it belongs.
  } finally {
    clearTimeout(timer);
  }
  // It may fail before anybody gets to read on, and then it is no accident of the process.
  pending.catch(() => {});
  response[internals].stream ??= true;
  const addon = response[internals].responseSetBy ?? "without a name";
  return bodyOf(resumed(chunks, pending, reader), {
    size: webSize,
    what: "The body of flow.response",
    onError: (error) =>
      log.error(`${describeHookError(addon, "flow.response", error.cause ?? error)}; the flow is cut`),
  });
}

/** The stream again: what was read, the read that was under way, and the rest. */
function resumed(
  chunks: Uint8Array[],
  pending: Promise<Read> | null,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift();
      if (chunk !== undefined) return controller.enqueue(chunk);
      const read = await (pending ?? reader.read());
      pending = null;
      if (read.done) controller.close();
      else controller.enqueue(read.value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
