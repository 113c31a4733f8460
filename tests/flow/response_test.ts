import { assertEquals, assertThrows } from "@std/assert";
import { Response } from "../../src/flow/response.ts";
import { reasonFor } from "../../src/http/status.ts";

Deno.test("a web Response becomes one with status, reason, fields, and its body unread", async () => {
  const web = new globalThis.Response("body", {
    status: 404,
    statusText: "Nothing here",
    headers: { "X-Id": "1", "Content-Type": "text/x" },
  });
  const response = Response.fromWeb(web);
  assertEquals([response.statusCode, response.reason, response.httpVersion], [
    404,
    "Nothing here",
    "HTTP/1.1",
  ]);
  assertEquals([response.headers.get("x-id"), response.headers.get("content-type")], ["1", "text/x"]);
  assertEquals([response.content, response.streamedBy], [null, null]);
  assertEquals(await new globalThis.Response(response.takeWebBody()).text(), "body");
  assertEquals(response.takeWebBody(), null);
});

Deno.test("cookies stay apart", () => {
  const headers = new globalThis.Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
  assertEquals(Response.fromWeb(new globalThis.Response(null, { headers })).headers.getSetCookie(), [
    "a=1",
    "b=2",
  ]);
});

Deno.test("the reason is the usual one where none was given", () => {
  assertEquals(Response.fromWeb(new globalThis.Response(null, { status: 403 })).reason, "Forbidden");
  assertEquals([reasonFor(502), reasonFor(299)], ["Bad Gateway", ""]);
});

Deno.test("without a body it is empty, and can be given content at once", () => {
  const response = Response.fromWeb(new globalThis.Response(null, { status: 204 }));
  assertEquals([response.content?.length, response.takeWebBody()], [0, null]);
  response.text = "x";
  assertEquals(response.text, "x");
});

Deno.test("a body that was read, or is being read, cannot be sent", async () => {
  const read = new globalThis.Response("once");
  await read.text();
  assertThrows(() => Response.fromWeb(read), TypeError, "make a new one for each flow");
  const locked = new globalThis.Response("locked");
  const reader = locked.body!.getReader();
  assertThrows(() => Response.fromWeb(locked), TypeError, "make a new one for each flow");
  await reader.cancel();
});

Deno.test("Response.error() has nothing that could be sent", () => {
  assertThrows(() => Response.fromWeb(globalThis.Response.error()), TypeError, "flow.kill()");
});
