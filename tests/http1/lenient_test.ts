/** The option `lenient`: what sloppy origins may send, and what stays refused. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { MAX_LENIENT_FIELDS } from "../../src/http/limits.ts";
import { ChunkedDecoder } from "../../src/http1/chunked.ts";
import { Http1Connection } from "../../src/http1/client.ts";
import { parseResponseHead } from "../../src/http1/head.ts";
import { HeadScanner } from "../../src/http1/head_scanner.ts";
import { memoryConnPair, splitBy } from "../support/memory_conn.ts";
import { bytes, request, textOf } from "./support.ts";

/** Status, reason and fields of a head that is all there, or why it is refused. */
function head(text: string, lenient = true): string {
  const scanner = new HeadScanner("server", true, { lenient }), input = bytes(text);
  try {
    const length = scanner.scan(input, 0, input.length);
    if (length === -1) return "not complete";
    const { head } = parseResponseHead(input, 0, length, scanner.fieldsStart, { lenient });
    const rest = text.slice(length);
    return `${head.statusCode} ${head.reason} ${JSON.stringify(head.headers.raw)}${rest && ` + ${rest}`}`;
  } catch (error) {
    return error instanceof WeirError ? `${error.statusCode}` : String(error);
  }
}

const cases: [what: string, text: string, lenient: string, strict: string][] = [
  ["a head with LF alone", "HTTP/1.1 200 OK\nA: b\nC:  d \n\nbody", '200 OK ["A","b","C","d"] + body', "502"],
  ["a head with both line ends", "HTTP/1.1 200 OK\r\nA: b\n\r\nbody", '200 OK ["A","b"] + body', "502"],
  ["a head that ends with LF", "HTTP/1.1 200 OK\r\nA: b\r\n\nbody", '200 OK ["A","b"] + body', "502"],
  ["a status line alone with LF", "HTTP/1.1 200 OK\n\nbody", "200 OK [] + body", "502"],
  [
    "a folded line",
    "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\td\r\nE: f\r\n\r\n",
    '200 OK ["A","b c d","E","f"]',
    "502",
  ],
  ["a folded line with LF", "HTTP/1.1 200 OK\nA: b\n  c\n\n", '200 OK ["A","b c"]', "502"],
  ["a folded line of blanks", "HTTP/1.1 200 OK\r\nA: b\r\n \t \r\n\r\n", '200 OK ["A","b"]', "502"],
  ["a folded empty value", "HTTP/1.1 200 OK\r\nA:\r\n b\r\n\r\n", '200 OK ["A","b"]', "502"],
  ["1000 fields", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(1000)}\r\n`, `200 OK ${fields(1000)}`, "502"],
  // What it means is not told by repairing it: refused both ways.
  ["1001 fields", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(MAX_LENIENT_FIELDS + 1)}\r\n`, "502", "502"],
  ["a fold behind the status line", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "502", "502"],
  ["a bare CR", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "502", "502"],
  ["a CR CR LF", "HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", "502", "502"],
  ["a NUL", "HTTP/1.1 200 OK\nA: \0\n\n", "502", "502"],
  ["a space before the colon", "HTTP/1.1 200 OK\nA : b\n\n", "502", "502"],
  ["a line without a colon", "HTTP/1.1 200 OK\nA\n\n", "502", "502"],
  ["no status line", "\n\n", "502", "502"],
];
for (const [what, text, lenient, strict] of cases) {
  Deno.test(`lenient: ${what}`, () => assertEquals([head(text), head(text, false)], [lenient, strict]));
}

function fields(count: number): string {
  return JSON.stringify(Array.from({ length: count }, () => ["A", "b"]).flat());
}

Deno.test("lenient: requests stay strict, whatever their server's leg is", () => {
  for (const text of ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\n"]) {
    const scanner = new HeadScanner("client", true);
    assertThrows(() => scanner.scan(bytes(text), 0, text.length), WeirError, "bare LF");
  }
});

Deno.test("lenient: what is well-formed means the same as ever", () => {
  const line = fc.tuple(fc.stringMatching(/^[A-Za-z-]{1,8}$/), fc.stringMatching(/^[ -~]{0,12}$/));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = `HTTP/1.1 200 OK\r\n${lines.map(([name, value]) => `${name}:${value}\r\n`).join("")}\r\n`;
      assertEquals(head(text), head(text, false));
    }),
    { seed: 10 },
  );
});

Deno.test("lenient: trailers may be sloppy, sizes and data may not", () => {
  const read = (text: string, lenient: boolean) => {
    const decoder = new ChunkedDecoder("server", { lenient }), input = bytes(text);
    decoder.advance(input, 0, input.length);
    return decoder.trailers;
  };
  assertEquals(read("0\r\nA: b\n c\n\n", true), ["A", "b c"]);
  assertThrows(() => read("0\r\nA: b\n c\n\n", false), WeirError);
  assertThrows(() => read("0\n\n", true), WeirError);
  assertThrows(() => read("5\nhello\n0\n\n", true), WeirError);
});

Deno.test("lenient: a sloppy response is read however it arrives", async () => {
  for (const sizes of [[1], [3, 1, 7], [1000]]) {
    const [conn, origin] = memoryConnPair({ split: splitBy(sizes) });
    const connection = new Http1Connection(conn, { lenient: true });
    const answer = connection.exchange().send(request("GET", "/"), null, () => {});
    await origin.readUntil("\r\n\r\n");
    await origin.writeText(
      "HTTP/1.1 200 OK\nA: b\n c\nContent-Length: 2\n\nhi",
    );
    const { head, body } = await answer;
    assertEquals([head.headers.raw, await textOf(body)], [["A", "b c", "Content-Length", "2"], "hi"]);
    connection.close();
    origin.close();
  }
});
