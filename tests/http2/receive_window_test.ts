import { assertEquals } from "@std/assert";
import { ReceiveWindow } from "../../src/http2/receive_window.ts";

Deno.test("a window takes what it has room for, and not a byte more", () => {
  const window = new ReceiveWindow(100);
  assertEquals([window.receive(60), window.receive(40), window.receive(1)], [true, true, false]);
});

Deno.test("credit is given when half a window was taken, for all of that", () => {
  const window = new ReceiveWindow(100);
  window.receive(100);
  assertEquals([window.take(49), window.take(1), window.take(49), window.take(1)], [0, 50, 0, 50]);
  assertEquals([window.receive(100), window.receive(1)], [true, false]);
});

Deno.test("a window that may grow doubles with its credit, up to its maximum", () => {
  const window = new ReceiveWindow(100, 400);
  window.receive(100);
  assertEquals(window.take(100), 200);
  window.receive(200);
  assertEquals(window.take(200), 400);
  window.receive(400);
  assertEquals(window.take(400), 400);
  assertEquals([window.receive(400), window.receive(1)], [true, false]);
});

Deno.test("bytes taken of a stream that has ended give no credit", () => {
  const window = new ReceiveWindow(100);
  window.receive(100);
  assertEquals(window.take(100, false), 0);
});
