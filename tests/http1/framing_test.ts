import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { type BodyLength, requestBodyLength, responseBodyLength } from "../../src/http1/framing.ts";
import { requestHead, responseHead } from "./support.ts";

function requestLength(fields: string, method = "POST", version = "HTTP/1.1"): BodyLength {
  const target = method === "CONNECT" ? "a.example:443" : "/";
  const { head, fields: summary } = requestHead(`${method} ${target} ${version}\r\nHost: a\r\n${fields}\r\n`);
  return requestBodyLength(head.method, head.httpVersion, summary);
}

function responseLength(fields: string, statusCode = 200, method = "GET", version = "HTTP/1.1"): BodyLength {
  const { head, fields: summary } = responseHead(`${version} ${statusCode} OK\r\n${fields}\r\n`);
  return responseBodyLength(method, head.statusCode, head.httpVersion, summary);
}

const CHUNKED = "Transfer-Encoding: chunked\r\n", FIVE = "Content-Length: 5\r\n";

Deno.test("RFC 9112 §6.3: request bodies", () => {
  assertEquals(requestLength(""), 0);
  assertEquals(requestLength(FIVE), 5);
  assertEquals(requestLength(FIVE, "GET"), 5);
  assertEquals(requestLength("content-length: 0\r\n"), 0);
  assertEquals(requestLength("Content-Length: 0005\r\n"), 5);
  assertEquals(requestLength("Content-Length: 9007199254740991\r\n"), Number.MAX_SAFE_INTEGER);
  assertEquals(requestLength(CHUNKED), "chunked");
  assertEquals(requestLength("transfer-encoding: Chunked\r\n"), "chunked");
  assertEquals(requestLength("Content-Length: 0\r\n", "CONNECT"), 0);
  assertEquals(requestLength("Content-Length: 5, 5\r\n"), 5);
  assertEquals(requestLength(FIVE + FIVE), 5);
});

Deno.test("RFC 9112 §6.3: response bodies", () => {
  assertEquals(responseLength(""), "close");
  assertEquals(responseLength("", 200, "GET", "HTTP/1.0"), "close");
  assertEquals(responseLength(FIVE), 5);
  assertEquals(responseLength(CHUNKED), "chunked");
  assertEquals(responseLength(FIVE, 200, "HEAD"), 0);
  assertEquals(responseLength(CHUNKED, 200, "HEAD"), 0);
  assertEquals(responseLength(FIVE, 304), 0);
  assertEquals(responseLength("", 204), 0);
  assertEquals(responseLength("", 103), 0);
  assertEquals(responseLength(FIVE + CHUNKED, 200, "CONNECT"), 0);
  assertEquals(responseLength(FIVE, 407, "CONNECT"), 5);
});

const REFUSED: Record<string, string> = {
  "content-length with transfer-encoding": FIVE + CHUNKED,
  "transfer-encoding with content-length 0": `${CHUNKED}Content-Length: 0\r\n`,
  "two lengths that differ": `${FIVE}Content-Length: 6\r\n`,
  "a list of lengths that differ": "Content-Length: 5, 6\r\n",
  "a list of lengths spelled differently": "Content-Length: 5, 05\r\n",
  "a length with a plus": "Content-Length: +5\r\n",
  "a length with a minus": "Content-Length: -5\r\n",
  "a hexadecimal length": "Content-Length: 0x5\r\n",
  "a length with a fraction": "Content-Length: 5.0\r\n",
  "a length with an exponent": "Content-Length: 1e3\r\n",
  "an empty length": "Content-Length:\r\n",
  "a list with an empty length": "Content-Length: 5,\r\n",
  "a length with a space in it": "Content-Length: 5 5\r\n",
  "a length with an underscore": "Content-Length: 5_0\r\n",
  "a length beyond 2^53": "Content-Length: 9007199254740993\r\n",
  "a length beyond 2^64": "Content-Length: 18446744073709551621\r\n",
  "a coding that is not chunked": "Transfer-Encoding: gzip\r\n",
  "a coding before chunked": "Transfer-Encoding: gzip, chunked\r\n",
  "a coding after chunked": "Transfer-Encoding: chunked, gzip\r\n",
  "chunked twice": "Transfer-Encoding: chunked, chunked\r\n",
  "chunked in two lines": CHUNKED + CHUNKED,
  "chunked with a parameter": "Transfer-Encoding: chunked;a=b\r\n",
  "chunked with a vertical tab": "Transfer-Encoding: \vchunked\r\n",
  "identity": "Transfer-Encoding: identity\r\n",
  "xchunked": "Transfer-Encoding: xchunked\r\n",
  "a list of lengths with a VT": "Content-Length: 5\r\nContent-Length: 5\v\r\n",
  "a list of lengths with a NBSP": "Content-Length: 5, \xa05\r\n",
  "a length with a NBSP": "Content-Length: \xa05\r\n",
  "chunked with a NBSP": "Transfer-Encoding: chunked\xa0\r\n",
  "an empty coding": "Transfer-Encoding:\r\n",
};
for (const [what, fields] of Object.entries(REFUSED)) {
  Deno.test(`smuggling: ${what} is refused with 400 from a client, 502 from a server`, () => {
    assertEquals(assertThrows(() => requestLength(fields), WeirError).statusCode, 400);
    const error = assertThrows(() => responseLength(fields), WeirError);
    assertEquals([error.side, error.statusCode], ["server", 502]);
    assertThrows(() => responseLength(fields, 200, "HEAD"), WeirError);
  });
}

Deno.test("smuggling: transfer-encoding in an HTTP/1.0 message is refused", () => {
  assertThrows(() => requestLength(CHUNKED, "POST", "HTTP/1.0"), WeirError);
  assertThrows(() => responseLength(CHUNKED, 200, "GET", "HTTP/1.0"), WeirError);
});

Deno.test("smuggling: CONNECT with a body is refused", () => {
  assertThrows(() => requestLength(FIVE, "CONNECT"), WeirError);
  assertThrows(() => requestLength(CHUNKED, "CONNECT"), WeirError);
});
