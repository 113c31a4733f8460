/**
 * Puts a script at the beginning of every HTML page's head while the page flows, compressed pages included.
 *
 * The expression is decided at the first `>`, so no more than a tag is held back.
 *
 *     weir -s addons/examples/inject_script.ts
 */
import { decoded, type HttpFlow, replaceStream } from "weir";

const SCRIPT = '<script src="/injected.js"></script>';

export function responseheaders(flow: HttpFlow) {
  const response = flow.response!;
  if (!response.headers.get("content-type")?.startsWith("text/html")) return;
  response.stream = decoded(response, replaceStream(/<head(?:\s[^>]*)?>/i, `$&${SCRIPT}`));
}
