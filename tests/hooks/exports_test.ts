import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { addonsOf, nearMisses } from "../../src/hooks/exports.ts";
import { EVENT_HOOK_NAMES, HOOK_NAMES } from "../../src/hooks/names.ts";
import { WeirError } from "../../src/errors.ts";

class Counter {
  made = true;
  request() {}
}

Deno.test("the hooks are those of the contract, and mitmproxy's that say how a CONNECT ended", () => {
  assertEquals(
    [...HOOK_NAMES].sort(),
    ("load configure running done http_connect http_connect_error http_connected " +
      "requestheaders request responseheaders response complete error " +
      "websocket_start websocket_message websocket_end tcp_start tcp_message tcp_end tcp_error tls_clienthello tls_failed_client tunnel_start socks5_auth " +
      "client_connected client_disconnected server_connect server_connected server_disconnected").split(" ")
      .sort(),
  );
  assertEquals(EVENT_HOOK_NAMES.length, HOOK_NAMES.length - 4);
});

Deno.test("exported functions are the hooks of the module", () => {
  const module = { request() {}, helper: 1 };
  assertEquals(addonsOf(module), [module]);
  assertEquals(addonsOf({ helper() {} } as object), []);
});

Deno.test("a default object and a default class are addons", () => {
  const object = { response() {} };
  assertStrictEquals(addonsOf({ default: object })[0], object);
  const [instance] = addonsOf({ default: Counter });
  assertEquals((instance as Counter).made, true);
});

Deno.test("a default array may hold objects, classes and arrays, in order", () => {
  const a = { request() {} }, b = { response() {} };
  const addons = addonsOf({ default: [a, [Counter, [b]]] });
  assertStrictEquals(addons[0], a);
  assertEquals(addons[1] instanceof Counter, true);
  assertStrictEquals(addons[2], b);
});

Deno.test("exported functions and a default export both count, functions first", () => {
  const object = { response() {} };
  const module = { request() {}, default: object };
  assertEquals(addonsOf(module), [module, object]);
});

Deno.test("a default export that is no addon is refused", () => {
  assertThrows(() => addonsOf({ default: () => {} }), WeirError, "the default export is a function");
  assertThrows(() => addonsOf({ default: 3 }), WeirError, "the default export is number");
  assertThrows(() => addonsOf({ default: [null] }), WeirError, "the default export");
});

Deno.test("names that are nearly those of hooks are found", () => {
  assertEquals(nearMisses({ responseHeaders() {}, reponse() {} } as object), [
    ["responseHeaders", "responseheaders"],
    ["reponse", "response"],
  ]);
  class Typo {
    websocketMessage() {}
  }
  assertEquals(nearMisses(new Typo() as object), [["websocketMessage", "websocket_message"]]);
});

Deno.test("other functions are left in peace", () => {
  assertEquals(
    nearMisses({ log() {}, replay() {}, requests: 3, request() {}, head() {}, dome() {} } as object),
    [],
  );
});
