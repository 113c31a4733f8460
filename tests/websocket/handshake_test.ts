import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Headers } from "../../src/http/headers.ts";
import type { RequestHead, ResponseHead } from "../../src/http/wire.ts";
import { acceptValue, checkRequest, checkResponse, isWebSocketUpgrade } from "../../src/websocket/mod.ts";

/** The example of RFC 6455 §1.3. */
function request(change: Record<string, string | null> = {}, head: Partial<RequestHead> = {}): RequestHead {
  const headers = new Headers({
    "Host": "server.example.com",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "chat, superchat",
    "Sec-WebSocket-Version": "13",
  });
  edit(headers, change);
  return {
    method: "GET",
    form: "origin",
    scheme: "",
    host: "server.example.com",
    port: 80,
    path: "/chat",
    httpVersion: "HTTP/1.1",
    headers,
    ...head,
  };
}

function response(change: Record<string, string | null> = {}, statusCode = 101): ResponseHead {
  const headers = new Headers({
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Protocol": "chat",
  });
  edit(headers, change);
  return { statusCode, reason: "Switching Protocols", httpVersion: "HTTP/1.1", headers };
}

function edit(headers: Headers, change: Record<string, string | null>): void {
  for (const [name, value] of Object.entries(change)) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
}

Deno.test("an upgrade request is known by its fields", () => {
  assertEquals(isWebSocketUpgrade(request()), true);
  assertEquals(isWebSocketUpgrade(request({ Upgrade: "h2c, WebSocket" })), true);
  assertEquals(isWebSocketUpgrade(request({ Upgrade: "h2c" })), false);
  assertEquals(isWebSocketUpgrade(request({ Connection: "close" })), false);
  assertEquals(isWebSocketUpgrade(request({ Upgrade: "\xa0websocket" })), false);
  assertEquals(isWebSocketUpgrade(request({}, { httpVersion: "HTTP/1.0" })), false);
});

Deno.test("the request's key and version are checked", () => {
  checkRequest(request());
  // It would be a WebSocket that no hook sees.
  assertEquals(isWebSocketUpgrade(request({}, { method: "POST" })), true);
  assertEquals(assertThrows(() => checkRequest(request({}, { method: "POST" })), WeirError).statusCode, 400);
  for (const key of [null, "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZTEyMzQ1"]) {
    const error = assertThrows(() => checkRequest(request({ "Sec-WebSocket-Key": key })), WeirError);
    assertEquals([error.side, error.statusCode], ["client", 400]);
  }
  for (const version of [null, "8", "13, 8"]) {
    const error = assertThrows(() => checkRequest(request({ "Sec-WebSocket-Version": version })), WeirError);
    assertEquals(error.statusCode, 426);
  }
});

Deno.test("RFC 6455 §1.3's accept value", () => {
  assertEquals(acceptValue("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("the response is checked against the request", () => {
  assertEquals(checkResponse(request(), response()), { subprotocol: "chat", deflate: null });
  assertEquals(checkResponse(request(), response({ "Sec-WebSocket-Protocol": null })).subprotocol, null);
  const deflate = { "Sec-WebSocket-Extensions": "permessage-deflate" };
  assertEquals(checkResponse(request(deflate), response(deflate)).deflate?.serverMaxWindowBits, 15);
  for (
    const wrong of [
      response({}, 200),
      response({ Upgrade: null }),
      response({ Connection: "close" }),
      response({ "Sec-WebSocket-Accept": null }),
      response({ "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=" }),
      response({ "Sec-WebSocket-Protocol": "other" }),
      response(deflate),
    ]
  ) {
    assertEquals(assertThrows(() => checkResponse(request(), wrong), WeirError).side, "server");
  }
});
