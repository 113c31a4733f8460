import { assertEquals, assertThrows } from "@std/assert";
import { Headers } from "../../src/http/headers.ts";
import type { RequestHead, ResponseHead } from "../../src/http/wire.ts";
import { WeirError } from "../../src/errors.ts";
import {
  encodeHead,
  type ResponseLeg,
  serialiseRequest,
  serialiseResponse,
  serialiseTrailers,
} from "../../src/http1/serialise.ts";
import { latin1 } from "../support/memory_conn.ts";
import { request, requestHead, response, responseHead, ScriptedBody } from "./support.ts";

const HTTP11: ResponseLeg = { method: "GET", http11: true, persist: true };
const sized = (size: number) => new ScriptedBody([], { size });
const unsized = new ScriptedBody([]);

function lines(text: string): string[] {
  return text.split("\r\n").slice(0, -2);
}

function requestLines(head: RequestHead, body: ScriptedBody | null = null): string[] {
  return lines(serialiseRequest(head, body).text);
}

function responseLines(
  head: ResponseHead,
  body: ScriptedBody | null,
  leg: Partial<ResponseLeg> = {},
): string[] {
  return lines(serialiseResponse(head, body, { ...HTTP11, ...leg }).text);
}

/** Fields of a request that came in as `fields`, on their way out. */
function forwarded(fields: string, body: ScriptedBody | null = null): string[] {
  return requestLines(requestHead(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`).head, body).slice(2);
}

Deno.test("a request goes out in origin-form with all its fields in order and case", () => {
  const text =
    "GET http://a.example/x?y HTTP/1.1\r\nx-A: 1\r\nHOST: a.example\r\nX-a: 2\r\nAccept: */*\r\n\r\n";
  assertEquals(
    serialiseRequest(requestHead(text).head, null).text,
    "GET /x?y HTTP/1.1\r\nx-A: 1\r\nHOST: a.example\r\nX-a: 2\r\nAccept: */*\r\n\r\n",
  );
});

Deno.test("OPTIONS * and CONNECT have their own targets", () => {
  assertEquals(requestLines(request("OPTIONS", "*"))[0], "OPTIONS * HTTP/1.1");
  const { head } = requestHead("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
  assertEquals(requestLines(head)[0], "CONNECT [::1]:443 HTTP/1.1");
});

Deno.test("a request without Host (HTTP/1.0) gets one, first", () => {
  const { head } = requestHead("GET http://a.example:81/ HTTP/1.0\r\nA: b\r\n\r\n");
  assertEquals(requestLines(head), ["GET / HTTP/1.1", "Host: a.example:81", "A: b"]);
});

Deno.test("Connection names a field when it is an element of its list, blanks aside", () => {
  assertEquals(forwarded("Connection: close,\tx-a \r\nX-A: 1\r\nX-B: 2\r\n"), ["X-B: 2"]);
  for (const blank of ["\xa0", "\x85"]) {
    assertEquals(forwarded(`Connection: ${blank}x-a\r\nX-A: 1\r\n`), ["X-A: 1"]);
  }
});

Deno.test("what would change a message's meaning stays, also when Connection names it; Proxy-Authorization never does", () => {
  const names = [
    "Authorization",
    "Cookie",
    "Content-Type",
    "Content-Encoding",
    "Cache-Control",
    "Expect",
    "Trailer",
  ];
  const fields = names.map((name) => `${name}: x\r\n`).join("");
  assertEquals(
    forwarded(`Connection: ${names.join(", ")}, proxy-authorization\r\n${fields}Proxy-Authorization: y\r\n`),
    names.map((name) => `${name}: x`),
  );
  assertEquals(forwarded("Proxy-Authorization: Basic eA==\r\n"), []);
});

Deno.test("Upgrade is HTTP/1.1's: a request of HTTP/1.0 loses it", () => {
  const fields = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  const sent = (version: string) =>
    requestLines(requestHead(`GET / ${version}\r\n${fields}\r\n`).head).slice(1);
  assertEquals(sent("HTTP/1.1"), ["Host: a", "Connection: Upgrade", "Upgrade: websocket"]);
  assertEquals(sent("HTTP/1.0"), ["Host: a"]);
});

Deno.test("a word of Connection that only contains upgrade is none", () => {
  assertEquals(forwarded("Connection: x-upgrade\r\nUpgrade: raw\r\n"), []);
});

Deno.test("what was set in hooks is refused when it could not be received", () => {
  for (const path of ["/a b", "/a#b", "/\x01", "/\x7f", "/\u0100", ""]) {
    assertThrows(() => serialiseRequest(request("GET", path), null), WeirError, "nothing was sent");
  }
  for (const text of ["X: a\x01\r\n", "X: a\x7f\r\n", "X: \x0b\r\n", "X: \u0100\r\n"]) {
    assertThrows(() => encodeHead(text, 1, new Uint8Array(99), 0), WeirError, "nothing was sent");
  }
});

Deno.test("hop-by-hop fields end at their leg, with the fields that Connection names", () => {
  assertEquals(
    forwarded(
      "Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nA: b\r\nx-hop: 1\r\n" +
        "Proxy-Authorization: Basic eA==\r\nTE: gzip\r\n",
    ),
    ["A: b"],
  );
});

Deno.test("Connection cannot take away fields that carry the message's meaning or framing", () => {
  assertEquals(
    forwarded(
      "Connection: close, host, content-length, authorization, cookie\r\nContent-Length: 5\r\nAuthorization: x\r\nCookie: y\r\n",
      sized(5),
    ),
    ["Content-Length: 5", "Authorization: x", "Cookie: y"],
  );
});

Deno.test("TE: trailers passes on, other codings in it do not", () => {
  assertEquals(forwarded("TE: gzip;q=0.5, trailers\r\nConnection: TE\r\n"), [
    "TE: trailers",
    "Connection: TE",
  ]);
  assertEquals(forwarded("TE: trailers\r\n"), ["TE: trailers"]);
});

Deno.test("TE of a request over HTTP/2 is named in Connection, as HTTP/1 wants it (RFC 9110 §10.1.4)", () => {
  const { head } = requestHead("GET / HTTP/1.1\r\nHost: a\r\nte: trailers\r\n\r\n");
  assertEquals(requestLines({ ...head, httpVersion: "HTTP/2.0" }).slice(2), [
    "te: trailers",
    "Connection: TE",
  ]);
});

Deno.test("an upgrade is passed on when Connection asks for it, and dropped when not", () => {
  assertEquals(forwarded("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), [
    "Connection: Upgrade",
    "Upgrade: websocket",
  ]);
  assertEquals(forwarded("Upgrade: websocket\r\n"), []);
  assertEquals(
    forwarded("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
    [],
  );
});

Deno.test("framing follows the body, in the place and case of the field that was there", () => {
  assertEquals(forwarded("content-LENGTH: 5\r\nA: b\r\n", sized(7)), ["content-LENGTH: 7", "A: b"]);
  assertEquals(forwarded("content-LENGTH: 5\r\nA: b\r\n", unsized), ["Transfer-Encoding: chunked", "A: b"]);
  assertEquals(forwarded("transfer-encoding: chunked\r\nA: b\r\n", unsized), [
    "transfer-encoding: chunked",
    "A: b",
  ]);
  assertEquals(forwarded("transfer-encoding: chunked\r\nA: b\r\n", sized(7)), ["Content-Length: 7", "A: b"]);
  assertEquals(forwarded("A: b\r\n", sized(7)), ["A: b", "Content-Length: 7"]);
  assertEquals(forwarded("A: b\r\n", unsized), ["A: b", "Transfer-Encoding: chunked"]);
  assertEquals(forwarded("Content-Length: 5\r\ncontent-length: 5\r\n", sized(5)), ["Content-Length: 5"]);
});

Deno.test("a request without a body keeps its content-length 0 and is given none it did not have", () => {
  assertEquals(forwarded("content-length: 0\r\nA: b\r\n"), ["content-length: 0", "A: b"]);
  assertEquals(forwarded("A: b\r\n"), ["A: b"]);
});

Deno.test("a response keeps order and case; framing follows the body and the client's version", () => {
  const { head } = responseHead(
    "HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: close\r\ncontent-length: 5\r\nA: b\r\n\r\n",
  );
  assertEquals(responseLines(head, sized(5)), [
    "HTTP/1.1 200 Fine",
    "Server: x",
    "content-length: 5",
    "A: b",
  ]);
  assertEquals(responseLines(head, unsized), [
    "HTTP/1.1 200 Fine",
    "Server: x",
    "Transfer-Encoding: chunked",
    "A: b",
  ]);
  assertEquals(responseLines(head, unsized, { http11: false, persist: true }), [
    "HTTP/1.1 200 Fine",
    "Server: x",
    "A: b",
  ]);
  assertEquals(serialiseResponse(head, unsized, { ...HTTP11, http11: false }).mode, "close");
});

Deno.test("each version is told only what is not its default", () => {
  const head = response(200);
  const last = (body: ScriptedBody | null, leg: Partial<ResponseLeg>) =>
    responseLines(head, body, leg).at(-1);
  assertEquals(last(sized(1), { persist: false }), "Connection: close");
  assertEquals(last(sized(1), { http11: false }), "Connection: keep-alive");
  assertEquals(last(sized(1), { http11: false, persist: false }), "Content-Length: 1");
  assertEquals(last(sized(1), {}), "Content-Length: 1");
});

Deno.test("responses that have no body say so in their own way", () => {
  const withLength: [string, string][] = [["Content-Length", "5"]];
  assertEquals(responseLines(response(200), null), ["HTTP/1.1 200 OK", "Content-Length: 0"]);
  assertEquals(responseLines(response(200, withLength), null, { method: "HEAD" })[1], "Content-Length: 5");
  assertEquals(responseLines(response(304, withLength), null)[1], "Content-Length: 5");
  assertEquals(responseLines(response(204, withLength), null), ["HTTP/1.1 204 OK"]);
  assertEquals(responseLines(response(103, withLength), null), ["HTTP/1.1 103 OK"]);
  assertEquals(responseLines(response(200), null, { method: "HEAD" }), ["HTTP/1.1 200 OK"]);
  assertEquals(responseLines(response(200), sized(9), { method: "HEAD" }), [
    "HTTP/1.1 200 OK",
    "Content-Length: 9",
  ]);
  assertEquals(serialiseResponse(response(200), sized(9), { ...HTTP11, method: "HEAD" }).mode, "none");
});

Deno.test("a 101 keeps its upgrade, a 2xx to CONNECT has no framing", () => {
  const fields: [string, string][] = [["Connection", "upgrade"], ["Upgrade", "websocket"]];
  assertEquals(responseLines(response(101, fields, "Switching Protocols"), null, { persist: false }), [
    "HTTP/1.1 101 Switching Protocols",
    "Connection: upgrade",
    "Upgrade: websocket",
  ]);
  assertEquals(responseLines(response(200), null, { method: "CONNECT" }), ["HTTP/1.1 200 OK"]);
  assertEquals(responseLines(response(200, fields), sized(1)).length, 2);
});

Deno.test("a response that came by HTTP/2 gets the reason phrase it could not have", () => {
  assertEquals(
    responseLines({ ...response(404), reason: "", httpVersion: "HTTP/2.0" }, null)[0],
    "HTTP/1.1 404 Not Found",
  );
  assertEquals(responseLines({ ...response(404), reason: "" }, null)[0], "HTTP/1.1 404 ");
});

Deno.test("trailers lose what would be framing or routing", () => {
  assertEquals(
    serialiseTrailers(["A", "b", "Content-Length", "5", "Transfer-Encoding", "chunked", "Host", "x", "c", ""])
      .text,
    "0\r\nA: b\r\nc: \r\n\r\n",
  );
  assertEquals(serialiseTrailers(null).text, "0\r\n\r\n");
});

const raw = (...fields: string[]) => Headers.fromRaw(["Host", "a", ...fields]);
const INJECTIONS: Record<string, RequestHead> = {
  "a line break in a value": { ...request("GET", "/"), headers: raw("A", "b\r\nC: d") },
  "a bare LF in a value": { ...request("GET", "/"), headers: raw("A", "b\nC: d") },
  "a bare CR in a value": { ...request("GET", "/"), headers: raw("A", "b\rC: d") },
  "a NUL in a value": { ...request("GET", "/"), headers: raw("A", "b\0") },
  "a character beyond Latin-1": { ...request("GET", "/"), headers: raw("A", "\u010a") },
  "a colon in a name": { ...request("GET", "/"), headers: raw("Transfer-Encoding: chunked\r\nA", "b") },
  "an empty name": { ...request("GET", "/"), headers: raw("", "b") },
  "a space in a name": { ...request("GET", "/"), headers: raw("Content-Length ", "5") },
  "a line break in the path": request("GET", "/ HTTP/1.1\r\nA: b\r\n"),
  "a space in the path": request("GET", "/a b"),
  "an empty path": request("GET", ""),
  "a space in the method": request("GET /x", "/"),
  "a line break in the method": request("GET\r\n", "/"),
};
for (const [what, head] of Object.entries(INJECTIONS)) {
  Deno.test(`injection: ${what} is never written`, () => {
    assertThrows(() => {
      const wire = serialiseRequest(head, null);
      encodeHead(wire.text, wire.lines, new Uint8Array(1024), 0);
    }, WeirError);
  });
}

Deno.test("injection: a line break in a reason, a trailer or a status code is never written", () => {
  const encode = ({ text, lines }: { text: string; lines: number }) =>
    encodeHead(text, lines, new Uint8Array(1024), 0);
  assertThrows(() => encode(serialiseResponse(response(200, [], "OK\r\nA: b"), null, HTTP11)), WeirError);
  assertThrows(() => encode(serialiseTrailers(["A", "b\r\n\r\nGET / HTTP/1.1"])), WeirError);
  assertThrows(() => serialiseTrailers(["A:", "b"]), WeirError);
  for (const code of [20, 2000, 200.5, NaN]) {
    assertThrows(() => serialiseResponse(response(code), null, HTTP11), WeirError);
  }
});

Deno.test("heads are encoded byte for byte", () => {
  const head = responseHead("HTTP/1.1 200 \xe9\r\nA: \x80\x9f\xff\r\n\r\n").head;
  const wire = serialiseResponse(head, null, HTTP11), into = new Uint8Array(256);
  const end = encodeHead(wire.text, wire.lines, into, 3);
  assertEquals(
    latin1(into.subarray(3, end)),
    "HTTP/1.1 200 \xe9\r\nA: \x80\x9f\xff\r\nContent-Length: 0\r\n\r\n",
  );
});

Deno.test("to a proxy a request goes in absolute-form, with who asks, and in place of what the client said of itself", () => {
  const proxy = { authorization: "Basic eDp5", sendsConnectHost: true };
  const sent = (head: RequestHead) => lines(serialiseRequest(head, null, proxy).text);
  const fields = "Host: a.example\r\nProxy-Authorization: Basic c3B5\r\nA: b\r\n\r\n";
  assertEquals(sent(requestHead(`GET http://a.example:81/x?y HTTP/1.1\r\n${fields}`).head), [
    "GET http://a.example:81/x?y HTTP/1.1",
    "Host: a.example:81",
    "A: b",
    "Proxy-Authorization: Basic eDp5",
  ]);
  const { head } = requestHead("OPTIONS http://[::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n");
  assertEquals(sent({ ...head, path: "*" })[0], "OPTIONS http://[::1] HTTP/1.1");
  const connect = requestHead("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").head;
  const without = { ...connect, headers: new Headers() };
  assertEquals(sent(without), [
    "CONNECT a.example:443 HTTP/1.1",
    "Host: a.example:443",
    "Proxy-Authorization: Basic eDp5",
  ]);
  assertEquals(
    lines(serialiseRequest(without, null, { authorization: null, sendsConnectHost: false }).text),
    [
      "CONNECT a.example:443 HTTP/1.1",
    ],
  );
});
