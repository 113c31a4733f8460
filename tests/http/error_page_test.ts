import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { errorPage } from "../../src/http/error_page.ts";
import { wholeText } from "../streams/support.ts";

Deno.test("the page is plain text with its length, the status, and the reason with control characters escaped", async () => {
  const { head, body } = errorPage(new WeirError("server", "timeout", "ü.example is slow\x1b[31m\r\n."));
  const text = await wholeText(body);
  assertEquals(text, "504 Gateway Timeout\n\nweir: ü.example is slow\\x1b[31m\\r\\n.\n");
  assertEquals([head.statusCode, head.reason], [504, "Gateway Timeout"]);
  assertEquals(head.headers.raw, [
    "Content-Type",
    "text/plain; charset=utf-8",
    "Content-Length",
    String(new TextEncoder().encode(text).length),
  ]);
});

Deno.test("426 says which upgrade would do", () => {
  const { head } = errorPage(new WeirError("client", "protocol", "Version 8.", { statusCode: 426 }));
  assertEquals(head.headers.raw.slice(4), [
    ...["Sec-WebSocket-Version", "13"],
    ...["Upgrade", "websocket"],
    ...["Connection", "Upgrade"],
  ]);
});
