import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { RequestHead } from "../../src/http/wire.ts";
import { prepareHandshake } from "../../src/proxy/websocket.ts";
import { checkResponse } from "../../src/websocket/mod.ts";
import { request } from "../http1/support.ts";
import { responseHead } from "./support.ts";

function handshake(...more: [string, string][]): RequestHead {
  return request("GET", "/", [
    ["Host", "a.example"],
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ...more,
  ]);
}

Deno.test("a request that asks for no WebSocket is left as it is", () => {
  const head = request("GET", "/", [["Host", "a.example"], ["Sec-WebSocket-Extensions", "x-unknown"]]);
  assertEquals(prepareHandshake(head), false);
  assertEquals(head.headers.get("sec-websocket-extensions"), "x-unknown");
});

Deno.test("extensions that weir does not know are taken out of the offer, the field with the last of them", () => {
  const rows: [string, string | null][] = [
    ["permessage-deflate", "permessage-deflate"],
    ["x-unknown, permessage-deflate", "permessage-deflate"],
    ["x-unknown", null],
  ];
  for (const [offer, left] of rows) {
    const head = handshake(["Sec-WebSocket-Extensions", offer]);
    assertEquals([prepareHandshake(head), head.headers.get("sec-websocket-extensions")], [true, left]);
  }
});

Deno.test("a broken handshake is the fault of whoever broke it", () => {
  const head = handshake();
  head.headers.delete("sec-websocket-key");
  assertEquals(assertThrows(() => prepareHandshake(head), WeirError).side, "client");
  const answer = responseHead(101, [["Upgrade", "websocket"], ["Connection", "Upgrade"]]);
  assertEquals(assertThrows(() => checkResponse(handshake(), answer), WeirError).side, "server");
});
