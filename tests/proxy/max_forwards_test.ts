import { assertEquals } from "@std/assert";
import { Headers } from "../../src/http/headers.ts";
import { Request } from "../../src/flow/request.ts";
import { countForward } from "../../src/proxy/max_forwards.ts";
import { request as head } from "../http1/support.ts";

function request(method: string, fields: [string, string][]): Request {
  return new Request({ ...head(method, "/"), headers: new Headers(fields) });
}

const cases: [method: string, said: string, left: string][] = [
  ["OPTIONS", "5", "4"],
  ["TRACE", "1", "0"],
  ["TRACE", "010", "9"],
  ["TRACE", "18446744073709551616", "18446744073709551615"],
  // No number: not ours to understand.
  ["OPTIONS", "-1", "-1"],
  ["OPTIONS", "1, 1", "1, 1"],
  ["OPTIONS", "\xa05", "\xa05"],
  // Other methods go on whatever it says.
  ["GET", "0", "0"],
  ["POST", "5", "5"],
];
for (const [method, said, left] of cases) {
  Deno.test(`Max-Forwards: ${JSON.stringify(said)} with ${method} goes on as ${JSON.stringify(left)}`, () => {
    const passed = request(method, [["MAX-Forwards", said], ["A", "b"]]);
    assertEquals(countForward(passed), null);
    assertEquals(passed.headers.raw, ["MAX-Forwards", left, "A", "b"]);
  });
}

Deno.test("TRACE with Max-Forwards: 0 is answered with the request, without what may be secret", async () => {
  const answer = countForward(
    request("TRACE", [["Max-Forwards", "0"], ["Cookie", "a"], ["X-A", "\xe9"], ["authorization", "b"]]),
  );
  assertEquals([answer?.status, answer?.headers.get("content-type")], [200, "message/http"]);
  const text = new TextDecoder("latin1").decode(await answer!.bytes());
  assertEquals(text, "TRACE http://a.example/ HTTP/1.1\r\nMax-Forwards: 0\r\nX-A: \xe9\r\n\r\n");
});

Deno.test("OPTIONS with Max-Forwards: 0 is answered without a body", async () => {
  const answer = countForward(request("OPTIONS", [["Max-Forwards", "0"]]));
  assertEquals([answer?.status, await answer!.text()], [200, ""]);
});
