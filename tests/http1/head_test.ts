import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { HeadScanner } from "../../src/http1/head_scanner.ts";
import { MAX_FIELD_BLOCK, MAX_FIELDS, MAX_START_LINE } from "../../src/http/limits.ts";
import { bytes, requestHead, responseHead } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

function refused(text: string, statusCode: number, parse: (text: string) => unknown = requestHead): void {
  const error = assertThrows(() => parse(text), WeirError);
  assertEquals(error.statusCode, statusCode, error.message);
  assertEquals(error.side, parse === responseHead ? "server" : "client");
}

const HOST = "Host: a.example\r\n";

Deno.test("a request head keeps the order, case and bytes of its fields", () => {
  const { head } = requestHead(
    "GET /a?b HTTP/1.1\r\nHOST: a.example\r\nx-B:  two words \t\r\nX-b:\r\nCaf\x43: \xe9\xff\r\n\r\n",
  );
  assertEquals(head.method, "GET");
  assertEquals(head.path, "/a?b");
  assertEquals(head.form, "origin");
  assertEquals(head.host, "a.example");
  assertEquals(head.port, 0);
  assertEquals(head.httpVersion, "HTTP/1.1");
  assertEquals(head.headers.raw, [
    "HOST",
    "a.example",
    "x-B",
    "two words",
    "X-b",
    "",
    "CafC",
    "\xe9\xff",
  ]);
});

Deno.test("bytes 0x80 to 0x9f in a field stay what they are", () => {
  const value = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => 128 + i));
  assertEquals(requestHead(`GET / HTTP/1.1\r\n${HOST}X: ${value}\r\n\r\n`).head.headers.get("x"), value);
});

Deno.test("a response head is taken apart, with or without a reason", () => {
  const { head } = responseHead("HTTP/1.0 404 Not  Found\r\nA: b\r\n\r\n");
  assertEquals([head.httpVersion, head.statusCode, head.reason], ["HTTP/1.0", 404, "Not  Found"]);
  assertEquals(responseHead("HTTP/1.1 200 \r\n\r\n").head.reason, "");
  assertEquals(responseHead("HTTP/1.1 200\r\n\r\n").head.reason, "");
});

const REFUSED_REQUESTS: Record<string, [string, number]> = {
  "a folded field line": [`GET / HTTP/1.1\r\n${HOST}A: b\r\n c\r\n\r\n`, 400],
  "a field line that starts with a tab": [`GET / HTTP/1.1\r\n${HOST}A: b\r\n\tc: d\r\n\r\n`, 400],
  "whitespace before the first field": [`GET / HTTP/1.1\r\n ${HOST}\r\n`, 400],
  "a NUL in a value": [`GET / HTTP/1.1\r\n${HOST}A: b\0c\r\n\r\n`, 400],
  "a NUL in the request line": [`GET /\0 HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a bare CR in a value": [`GET / HTTP/1.1\r\n${HOST}A: b\rc\r\n\r\n`, 400],
  "a bare LF at the end of a line": [`GET / HTTP/1.1\r\n${HOST}A: b\nB: c\r\n\r\n`, 400],
  "a bare LF at the end of the request line": [`GET / HTTP/1.1\n${HOST}\r\n`, 400],
  "a head that ends with two bare LF": [`GET / HTTP/1.1\r\nHost: a\n\n`, 400],
  "a space before the colon": [`GET / HTTP/1.1\r\n${HOST}Content-Length : 5\r\n\r\n`, 400],
  "a tab before the colon": [`GET / HTTP/1.1\r\n${HOST}Content-Length\t: 5\r\n\r\n`, 400],
  "an empty field name": [`GET / HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400],
  "a field line without a colon": [`GET / HTTP/1.1\r\n${HOST}nothing\r\n\r\n`, 400],
  "a field name with a delimiter": [`GET / HTTP/1.1\r\n${HOST}a(b): c\r\n\r\n`, 400],
  "a field name beyond ASCII": [`GET / HTTP/1.1\r\n${HOST}caf\xe9: c\r\n\r\n`, 400],
  "an invalid method": [`G@T / HTTP/1.1\r\n${HOST}\r\n`, 400],
  "an empty method": [` / HTTP/1.1\r\n${HOST}\r\n`, 400],
  "two spaces in the request line": [`GET  / HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a fragment in the target": [`GET /a#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a fragment in an absolute target": [`GET http://a.example/#b HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a fragment in place of a path": [`GET http://a.example# HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a DEL in the target": [`GET /\x7f HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a form feed around a value": [`GET / HTTP/1.1\r\n${HOST}A: \f\r\n\r\n`, 400],
  "a space in the target": [`GET /a b HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a tab for a space": [`GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a space after the version": [`GET / HTTP/1.1 \r\n${HOST}\r\n`, 400],
  "a space before the method": [` GET / HTTP/1.1\r\n${HOST}\r\n`, 400],
  "no version (HTTP/0.9)": ["GET /\r\n\r\n", 400],
  "a text line claiming HTTP/2": [`GET / HTTP/2.0\r\n${HOST}\r\n`, 400],
  "a text line claiming HTTP/2 without minor": [`GET / HTTP/2\r\n${HOST}\r\n`, 400],
  "a version in lower case": [`GET / http/1.1\r\n${HOST}\r\n`, 400],
  "HTTP/1.2": [`GET / HTTP/1.2\r\n${HOST}\r\n`, 505],
  "HTTP/3.0": [`GET / HTTP/3.0\r\n${HOST}\r\n`, 505],
  "HTTP/1.10": [`GET / HTTP/1.10\r\n${HOST}\r\n`, 400],
  "more than one Host": [`GET / HTTP/1.1\r\n${HOST}host: a.example\r\n\r\n`, 400],
  "no Host in HTTP/1.1": ["GET / HTTP/1.1\r\nA: b\r\n\r\n", 400],
  "a Host that is a list": ["GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", 400],
  "a Host with a path": ["GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n", 400],
  "a Host with userinfo": ["GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", 400],
  "a Host with a bad port": ["GET / HTTP/1.1\r\nHost: a.example:99999\r\n\r\n", 400],
  "asterisk-form for GET": [`GET * HTTP/1.1\r\n${HOST}\r\n`, 400],
  "authority-form for GET": [`GET a.example:80 HTTP/1.1\r\n${HOST}\r\n`, 400],
  "a scheme that is not http": [`GET ftp://a.example/ HTTP/1.1\r\n${HOST}\r\n`, 400],
  "CONNECT without a port": ["CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", 400],
  "CONNECT with a path": ["CONNECT /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 400],
  "a request line that is too long": [`GET /${"a".repeat(MAX_START_LINE)} HTTP/1.1\r\n${HOST}\r\n`, 414],
  "a header block that is too long": [
    `GET / HTTP/1.1\r\n${HOST}${`A: ${"b".repeat(1000)}\r\n`.repeat(66)}\r\n`,
    431,
  ],
  "too many fields": [`GET / HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(MAX_FIELDS)}\r\n`, 431],
};
for (const [what, [text, statusCode]] of Object.entries(REFUSED_REQUESTS)) {
  Deno.test(`${what} is refused with ${statusCode}`, () => refused(text, statusCode));
}

const REFUSED_RESPONSES: Record<string, string> = {
  "a bare LF": "HTTP/1.1 200 OK\nA: b\r\n\r\n",
  "a folded field line": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
  "a space before the colon": "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
  "a text line claiming HTTP/2": "HTTP/2.0 200 OK\r\n\r\n",
  "a status code of two digits": "HTTP/1.1 20 OK\r\n\r\n",
  "a status code of four digits": "HTTP/1.1 2000 OK\r\n\r\n",
  "a status code below 100": "HTTP/1.1 099 OK\r\n\r\n",
  "two spaces before the code": "HTTP/1.1  200 OK\r\n\r\n",
  "a NUL in the reason": "HTTP/1.1 200 O\0K\r\n\r\n",
  "a bare CR in the reason": "HTTP/1.1 200 O\rK\r\n\r\n",
  "a bare LF in the reason": "HTTP/1.1 200 O\nK\r\n\r\n",
  "an empty status line": "\r\n",
  "what is not HTTP at all": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  "a header block that is too long": `HTTP/1.1 200 OK\r\n${`A: ${"b".repeat(1000)}\r\n`.repeat(66)}\r\n`,
};
for (const [what, text] of Object.entries(REFUSED_RESPONSES)) {
  Deno.test(`from a server, ${what} is refused with 502`, () => refused(text, 502, responseHead));
}

const CONTROLS = Array.from({ length: 32 }, (_, byte) => byte).filter((byte) => ![9, 10, 13].includes(byte));
for (const byte of [...CONTROLS, 127]) {
  const hex = `0x${byte.toString(16).padStart(2, "0")}`, char = String.fromCharCode(byte);
  Deno.test(`the control character ${hex} is refused wherever it is: 400 from a client, 502 from a server`, () => {
    refused(`GET / HTTP/1.1\r\n${HOST}A: b${char}c\r\n\r\n`, 400);
    refused(`GET / HTTP/1.1\r\n${HOST}A${char}: b\r\n\r\n`, 400);
    refused(`GET /${char} HTTP/1.1\r\n${HOST}\r\n`, 400);
    refused(`HTTP/1.1 200 OK\r\nA: ${char}\r\n\r\n`, 502, responseHead);
    refused(`HTTP/1.1 200 O${char}K\r\n\r\n`, 502, responseHead);
    refused(`HTTP/1.1 103 Hints\r\nA: b${char}\r\n\r\n`, 502, responseHead);
  });
}

Deno.test("bytes 0x80 to 0xff in a target stay what they are", () => {
  const path = `/${String.fromCharCode(...Array.from({ length: 128 }, (_, i) => 128 + i))}?\xff`;
  assertEquals(requestHead(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`).head.path, path);
});

Deno.test("the bounds themselves are allowed", () => {
  const line = `GET /${"a".repeat(MAX_START_LINE - "GET / HTTP/1.1".length)} HTTP/1.1\r\n`;
  requestHead(`${line}${HOST}\r\n`);
  requestHead(`GET / HTTP/1.1\r\n${HOST}${"A: b\r\n".repeat(MAX_FIELDS - 1)}\r\n`);
  const filler = MAX_FIELD_BLOCK - HOST.length - "A: \r\n".length;
  requestHead(`GET / HTTP/1.1\r\n${HOST}A: ${"b".repeat(filler)}\r\n\r\n`);
  refused(`GET / HTTP/1.1\r\n${HOST}A: ${"b".repeat(filler + 1)}\r\n\r\n`, 431);
});

Deno.test("a line or block without an end is refused once it is too long, not kept", () => {
  const scanner = new HeadScanner("client", true), line = bytes("a".repeat(MAX_START_LINE + 3));
  assertEquals(assertThrows(() => scanner.scan(line, 0, line.length), WeirError).statusCode, 414);
  const block = bytes(`GET / HTTP/1.1\r\nA: ${"b".repeat(MAX_FIELD_BLOCK)}`);
  assertEquals(
    assertThrows(() => new HeadScanner("client", true).scan(block, 0, block.length), WeirError).statusCode,
    431,
  );
});

Deno.test("a head's end is found in the same place however the bytes arrive", () => {
  const text = `POST /x HTTP/1.1\r\n${HOST}A: b\r\nC:\r\n\r\nbody\r\n\r\n`, input = bytes(text);
  const wanted = text.indexOf("body");
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (splits) => {
    const scanner = new HeadScanner("client", true);
    let end = 0, turn = 0, found = -1;
    while (found === -1 && end < input.length) {
      end = Math.min(input.length, end + splits[turn++ % splits.length]);
      // A base other than 0: buffers move, positions are relative.
      const moved = new Uint8Array(end + 7);
      moved.set(input.subarray(0, end), 7);
      found = scanner.scan(moved, 7, end + 7);
    }
    assertEquals(found, wanted);
    assertEquals(scanner.fieldsStart, "POST /x HTTP/1.1\r\n".length);
  }));
});

Deno.test("a bare CR is seen when its next byte comes in another read", () => {
  const scanner = new HeadScanner("client", true), input = bytes("GET / HTTP/1.1\rX");
  assertEquals(scanner.scan(input, 0, input.length - 1), -1);
  assertThrows(() => scanner.scan(input, 0, input.length), WeirError, "bare CR");
});
