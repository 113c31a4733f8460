import { assert, assertEquals } from "@std/assert";
import type { IncomingExchange } from "../../src/http/wire.ts";
import { settingsPayload, STREAM_WINDOW } from "../../src/http2/settings.ts";
import { Flag, FrameType, pieces, POST, responseHead, TestBody } from "./support.ts";
import { withServer } from "./serve_support.ts";
import { settled } from "../support/fake_clock.ts";

Deno.test("a stream stops its client at its window and holds up no other; credit comes when bytes are taken", async () => {
  const stalled = Promise.withResolvers<IncomingExchange>();
  const go = Promise.withResolvers<void>();
  await withServer(async (x) => {
    if (x.head.path !== "/stall") {
      return await x.respond(responseHead(200, [["x-n", String((await pieces(x.body)).length)]]), null);
    }
    stalled.resolve(x);
    await go.promise;
    await pieces(x.body);
    await x.respond(responseHead(), null);
  }, async (peer) => {
    const frame = new Uint8Array(16_384);
    await peer.request(
      1,
      [":method", "POST", ":scheme", "http", ":path", "/stall", ":authority", "a"],
      false,
    );
    for (let sent = 0; sent < STREAM_WINDOW; sent += frame.length) await peer.data(1, frame);
    await stalled.promise;
    // Many times a stream's window goes through on the same connection, with its credit given back.
    let id = 3, credit = 0;
    for (; id < 3 + 2 * 16; id += 2) {
      await peer.request(id, POST, false);
      for (let i = 0; i < 8; i++) await peer.data(id, frame, i === 7);
      for (;;) {
        const line = await peer.line(true);
        if (line.startsWith("WINDOW_UPDATE 1 ")) credit++;
        if (line === `HEADERS ${id} :status=200 x-n=8 +END`) break;
      }
    }
    assertEquals(credit, 0, "credit for bytes that nobody took");
    go.resolve();
    for (let line = ""; !line.startsWith("WINDOW_UPDATE 1 "); line = await peer.line(true));
    // More than the window is a fault of the stream alone.
    await peer.data(1, "", true);
    assertEquals(await peer.line(), "HEADERS 1 :status=200 +END");
  });
});

Deno.test("a client that sends beyond the window of a stream loses that stream", () =>
  withServer((x) => new Promise((resolve) => x.onGone(() => resolve())), async (peer) => {
    await peer.request(1, POST, false);
    for (let sent = 0; sent <= STREAM_WINDOW; sent += 16_384) {
      await peer.data(1, new Uint8Array(16_384));
    }
    assertEquals(await peer.line(), "RST_STREAM 1 FLOW_CONTROL_ERROR");
  }));

Deno.test("weir sends no more than the client's windows allow, and streams share what there is", async () => {
  const bodies = new Map<string, TestBody>();
  await withServer((x) => {
    const body = new TestBody();
    bodies.set(x.head.path, body);
    body.push(new Uint8Array(40_000));
    body.end();
    return x.respond(responseHead(), body);
  }, async (peer) => {
    const get = (path: string) => [":method", "GET", ":scheme", "http", ":path", path, ":authority", "a"];
    await peer.request(1, get("/1"));
    assertEquals(await peer.lines(2), ["HEADERS 1 :status=200", "DATA 1 1000 bytes"]);
    // A shrinking window is counted too (§6.9.2).
    await peer.send(FrameType.SETTINGS, 0, 0, settingsPayload([[4, 500]]));
    await peer.windowUpdate(1, 600);
    assertEquals(await peer.line(), "DATA 1 100 bytes");
    await peer.request(3, get("/3"));
    assertEquals(await peer.lines(2), ["HEADERS 3 :status=200", "DATA 3 500 bytes"]);
    await peer.windowUpdate(3, 39_500);
    assertEquals(await peer.lines(3), ["DATA 3 16384 bytes", "DATA 3 16384 bytes", "DATA 3 6732 bytes +END"]);
    await peer.windowUpdate(1, 40_000);
    // 65535 for the connection: 1600 and 39500 are used.
    assertEquals(await peer.lines(2), ["DATA 1 16384 bytes", "DATA 1 8051 bytes"]);
    // The connection's window is empty: a head passes, DATA waits.
    await peer.request(5, get("/5"));
    assertEquals(await peer.line(), "HEADERS 5 :status=200");
    await peer.windowUpdate(5, 40_000);
    await peer.windowUpdate(0, 100_000);
    const lines = await peer.lines(4);
    assertEquals(lines.slice(0, 2).sort(), ["DATA 1 14465 bytes +END", "DATA 5 16384 bytes"]);
  }, { settings: [[4, 1000]] });
});

Deno.test("streams take turns, frame by frame", () =>
  withServer((x) => x.respond(responseHead(), TestBody.of([new Uint8Array(400_000)])), async (peer) => {
    await peer.windowUpdate(0, 10_000_000);
    for (const id of [1, 3, 5]) {
      await peer.windowUpdate(0, 1);
      await peer.request(id);
    }
    const order: string[] = [];
    for (let line = ""; order.length < 60; order.push(line.split(" ")[1])) {
      do line = await peer.line(); while (!line.startsWith("DATA"));
    }
    // After the first buffer no stream gets two frames in a row.
    const later = order.slice(20);
    for (let i = 1; i < later.length; i++) assert(later[i] !== later[i - 1], `order: ${order.join("")}`);
  }, { settings: [[4, 1_000_000]], capacity: 32 * 1024 }));

Deno.test("a client that reads nothing makes weir take a bounded part of the body", async () => {
  const body = new TestBody();
  for (let i = 0; i < 200; i++) body.push(new Uint8Array(65_536));
  await withServer((x) => x.respond(responseHead(), body).catch(() => {}), async (peer) => {
    await peer.windowUpdate(0, 1_000_000_000);
    await peer.request(1);
    await peer.conn.peerStuck;
    await settled(() => body.taken);
    assert(body.taken <= 512 * 1024, `${body.taken} bytes were taken`);
  }, { settings: [[4, 0x7fffffff]] });
});

Deno.test("padding is credited although nobody can take it", () =>
  withServer((x) => pieces(x.body).then(() => x.respond(responseHead(204), null)), async (peer) => {
    await peer.request(1, POST, false);
    const padded = new Uint8Array(256);
    padded[0] = 255;
    let credit = 0;
    const reading = (async () => {
      for (let line = ""; !line.startsWith("HEADERS"); line = await peer.line(true)) {
        if (line.startsWith("WINDOW_UPDATE 1 ")) credit += Number(line.split(" ")[2]);
      }
    })();
    const frames = STREAM_WINDOW / 2 / padded.length;
    for (let i = 0; i < frames; i++) await peer.send(FrameType.DATA, Flag.PADDED, 1, padded);
    await peer.data(1, "", true);
    await reading;
    // The half that is given back, and as much again as the window was.
    assertEquals(credit, STREAM_WINDOW / 2 + STREAM_WINDOW);
  }));

Deno.test("the connection's credit comes back on receipt: 40 MiB go through while one stream stalls", async () => {
  const leave = Promise.withResolvers<void>();
  await withServer(async (x) => {
    if (x.head.path === "/stall") return await leave.promise;
    await pieces(x.body);
    await x.respond(responseHead(204), null);
  }, async (peer) => {
    const frame = new Uint8Array(16_384);
    await peer.request(
      1,
      [":method", "POST", ":scheme", "http", ":path", "/stall", ":authority", "a"],
      false,
    );
    for (let i = 0; i < 8; i++) await peer.data(1, frame);
    await peer.request(3, POST, false);
    // Counts as a client does.
    let connection = 65_535 - 8 * frame.length, stream: number = STREAM_WINDOW, wake = () => {};
    const reading = (async () => {
      for (;;) {
        const line = await peer.line(true);
        const [what, id, count] = line.split(" ");
        if (what === "HEADERS") return line;
        if (what === "WINDOW_UPDATE" && id === "0") connection += Number(count);
        if (what === "WINDOW_UPDATE" && id === "3") stream += Number(count);
        wake();
      }
    })();
    for (let sent = 0; sent < 40 * 1024 * 1024; sent += frame.length) {
      while (connection < frame.length || stream < frame.length) {
        await new Promise<void>((resolve) => wake = resolve);
      }
      connection -= frame.length;
      stream -= frame.length;
      await peer.data(3, frame);
    }
    await peer.data(3, "", true);
    assertEquals(await reading, "HEADERS 3 :status=204 +END");
    leave.resolve();
  });
});
