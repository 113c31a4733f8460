/**
 * Changes a streamed body with an async generator: it gets all chunks, and what it yields is sent.
 *
 * A chunk ends wherever the network cut it, so "foo" may be "fo" here and "o" in the next. The end of each chunk that
 * might become a "foo" is therefore kept until the next one is here.
 *
 *     weir -s addons/examples/replace_generator.ts
 */
import { Buffer } from "node:buffer";
import type { HttpFlow } from "weir";

export function responseheaders(flow: HttpFlow) {
  // Compressed bytes contain no "foo"; see `decoded` in the module weir for those.
  if (!flow.response!.headers.has("content-encoding")) flow.response!.stream = fooToBar;
}

async function* fooToBar(chunks: AsyncIterable<Uint8Array>) {
  let held = "";
  for await (const chunk of chunks) {
    // Latin-1 gives each byte one character, so that bytes which are no text come out as they were.
    const text = (held + Buffer.from(chunk).toString("latin1")).replaceAll("foo", "bar");
    held = /fo?$/.exec(text)?.[0] ?? "";
    yield Buffer.from(text.slice(0, text.length - held.length), "latin1");
  }
  yield Buffer.from(held, "latin1");
}
