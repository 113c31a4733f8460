/**
 * Changes a streamed body with a function that is called for each chunk, and once more with an empty one at the end.
 *
 * It returns what is sent: bytes, a string, several of them, or nothing. As each chunk is looked at on its own, one
 * that ends with a beginning of "foo" gives it to the next.
 *
 *     weir -s addons/examples/replace_chunks.ts
 */
import { Buffer } from "node:buffer";
import type { HttpFlow } from "weir";

export function responseheaders(flow: HttpFlow) {
  // Compressed bytes contain no "foo"; see `decoded` in the module weir for those.
  if (!flow.response!.headers.has("content-encoding")) flow.response!.stream = fooToBar();
}

/** Makes one function per body, for what it holds belongs to that body alone. */
function fooToBar() {
  let held = "";
  return (chunk: Uint8Array) => {
    // Latin-1 gives each byte one character, so that bytes which are no text come out as they were.
    const text = (held + Buffer.from(chunk).toString("latin1")).replaceAll("foo", "bar");
    const isLast = chunk.length === 0;
    held = isLast ? "" : /fo?$/.exec(text)?.[0] ?? "";
    return Buffer.from(text.slice(0, text.length - held.length), "latin1");
  };
}
