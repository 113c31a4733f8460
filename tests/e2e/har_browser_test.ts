/** The importer of Chromium's own DevTools reads weir's HARs: it refuses a whole file for one member that is missing or null. @module */
import { assertEquals } from "@std/assert";
import type { HarContent } from "../../src/formats/mod.ts";
import { type Flow, type HttpFlow, readFlows, toHar } from "weir";
import { DevToolsPage } from "./support/devtools.ts";

/** Flows of all kinds: failed, cut, streamed, WebSockets, HTTP/2 with trailers. */
async function flows(): Promise<HttpFlow[]> {
  const list: Flow[] = [];
  const file = await Deno.open(new URL("../formats/data/all.mitm", import.meta.url));
  for await (const flow of readFlows(file.readable)) list.push(flow);
  return list.filter((flow): flow is HttpFlow => flow.type === "http");
}

/** Runs in DevTools: what its importer makes of a HAR. */
const IMPORT = `(async (har) => {
  const { HARFormat, Importer } = await import("devtools://devtools/bundled/models/har/har.js");
  const requests = Importer.Importer.requestsFromHARLog(new HARFormat.HARRoot(JSON.parse(har)).log);
  return await Promise.all(requests.map(async (request) => {
    const data = await request.requestContentData();
    return {
      method: request.requestMethod,
      url: request.url(),
      status: request.statusCode,
      type: request.resourceType().name(),
      frames: request.frames().length,
      headers: request.responseHeaders.length,
      content: data.isTextContent ? data.text : data.base64 ?? null,
    };
  }));
})`;

/** As DevTools show it: text in another charset than UTF-8 is base64 in the file, and text again there. */
function shown({ text = "", encoding, mimeType }: HarContent): string {
  const charset = /^text\/.*charset=(?!utf-8)(\S+)/.exec(mimeType)?.[1];
  return encoding === "base64" && charset
    ? new TextDecoder(charset).decode(Uint8Array.fromBase64(text))
    : text;
}

Deno.test("Chromium's DevTools import a HAR with flows of all kinds, and show what they are", async () => {
  const all = await flows();
  const har = toHar(all);
  await using page = await DevToolsPage.open("devtools://devtools/bundled/devtools_app.html");
  const seen = await page.evaluate(`${IMPORT}(${JSON.stringify(String(har))})`);
  const wanted = har.log.entries
    // It orders them by their time.
    .toSorted((a, b) => Date.parse(a.startedDateTime) - Date.parse(b.startedDateTime))
    .map(({ request, response, _resourceType, _webSocketMessages }) => ({
      method: request.method,
      url: request.url,
      status: response.status,
      type: _resourceType,
      frames: _webSocketMessages?.length ?? 0,
      headers: response.headers.length,
      content: shown(response.content),
    }));
  assertEquals(seen, wanted);
});
