/** How WebSocket connections end (contract section 7): closed, lost, killed or broken, and each told as what it is. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { closeFrame, type TestFrame } from "../websocket/support.ts";
import type { Addon } from "weir";
import { type Conversation, type ConversationSetup, converse, type RawPeer } from "./support/websocket.ts";
import { Events, Gate, SOON, standsStill, within } from "./support/within.ts";

/** Contract section 4. */
const KILL_MS = 50;
const GONE_MS = 1000;

const SIDES = ["client", "server"] as const;
type SideName = typeof SIDES[number];
const other = (side: SideName): SideName => side === "client" ? "server" : "client";

/** The last hooks: `websocket_end` and then the one end, once. */
function assertEnd(test: Conversation, code: number, end: string): void {
  assertEquals(test.events.list.slice(-2), [`websocket_end ${code}`, end]);
  assertEquals(test.events.list.filter((event) => /^(websocket_end|complete|error)/.test(event)).length, 2);
}

async function seenEnd(test: Conversation): Promise<void> {
  await test.events.until(
    () => test.events.list.some((event) => /^(complete|error)/.test(event)),
    "the flow's end",
  );
}

for (const side of SIDES) {
  Deno.test(`a Close from the ${side} is passed on with code and reason, and its answer awaited`, async () => {
    await using test = await converse();
    const from = test[side], to = test[other(side)];
    await from.send(closeFrame(4321, "Grüße"));
    assertEquals(await to.brief(), "close 4321 Grüße");
    // Until it answers, the peer may go on with what it was saying.
    await to.text("last words");
    assertEquals(await from.brief(), "text last words");
    await to.send(closeFrame(4322, "and back"));
    assertEquals(await from.brief(), "close 4322 and back");
    test.server.wire.close();
    assertEquals(await test.client.ended(), "fin");
    test.client.wire.close();
    await seenEnd(test);
    assertEnd(test, 4321, "complete");
    assertEquals(test.flow.websocket!.closedByClient, side === "client");
    assertEquals(test.flow.websocket!.closeReason, "Grüße");
  });

  Deno.test(`a Close without a code from the ${side} stays one, and is noted as 1005`, async () => {
    await using test = await converse();
    const from = test[side], to = test[other(side)];
    await from.send({ opcode: 8 });
    assertEquals((await to.frame()).payload.length, 0);
    await to.send({ opcode: 8 });
    assertEquals((await from.frame()).payload.length, 0);
    test.server.wire.close();
    test.client.wire.close();
    await seenEnd(test);
    assertEnd(test, 1005, "complete");
  });

  for (const how of ["close", "reset"] as const) {
    Deno.test(`a ${side} whose connection is lost (${how}) is lost for its peer too: no Close frame is made up`, async () => {
      await using test = await converse({ resettable: true });
      const from = test[side], to = test[other(side)];
      await from.text("before");
      assertEquals(await to.brief(), "text before");
      from.wire[how]();
      await within(GONE_MS, to.ended(), "the peer to be told");
      to.wire.close();
      await seenEnd(test);
      assertEnd(test, 1006, "error closed");
      assertEquals(test.flow.websocket!.closedByClient, side === "client");
    });
  }

  for (const how of ["close", "reset"] as const) {
    Deno.test(`a ${side} that is lost (${how}) while its own message is with a slow hook is noticed within a second`, async () => {
      const gate = new Gate(), started = new Events();
      await using test = await converse({
        resettable: true,
        addons: [{
          async websocket_message() {
            started.push("started");
            await gate.opened;
          },
        }],
      });
      const from = test[side], to = test[other(side)];
      await from.text("slow");
      await started.seen("started");
      from.wire[how]();
      await within(GONE_MS + 500, to.ended(), "the peer to be told");
      gate.open();
      to.wire.close();
      await seenEnd(test);
      assertEnd(test, 1006, "error closed");
    });
  }

  Deno.test(`messages that the ${side} sent right before its end still pass, and its Close too`, async () => {
    const gate = new Gate(), started = new Events();
    await using test = await converse({
      addons: [{
        async websocket_message() {
          started.push("started");
          await gate.opened;
        },
      }],
    });
    const from = test[side], to = test[other(side)];
    await from.text("one");
    await started.seen("started");
    await from.send({ opcode: 1, payload: "two" }, closeFrame(1001, "leaving"));
    from.wire.close();
    // Longer than the connection would be given up after if nothing were to come any more.
    await standsStill(() => started.list.length);
    await standsStill(() => started.list.length);
    gate.open();
    assertEquals(await to.brief(), "text one");
    assertEquals(await to.brief(), "text two");
    assertEquals(await to.brief(), "close 1001 leaving");
    await to.send(closeFrame(1001));
    to.wire.close();
    await seenEnd(test);
    assertEnd(test, 1001, "complete");
  });

  const masked = (frame: TestFrame, peer: RawPeer) => peer.encode(frame);
  const VIOLATIONS: { name: string; code: number; bytes: (peer: RawPeer) => Uint8Array }[] = [
    { name: "a reserved opcode", code: 1002, bytes: (peer) => masked({ opcode: 3 }, peer) },
    { name: "a reserved bit", code: 1002, bytes: (peer) => masked({ opcode: 1, rsv: 4 }, peer) },
    { name: "a bad close code", code: 1002, bytes: (peer) => masked(closeFrame(1006), peer) },
    {
      name: "wrong masking",
      code: 1002,
      bytes: (peer) => {
        const frame = masked({ opcode: 1, payload: "as long as a key" }, peer);
        frame[1] ^= 0x80;
        return frame;
      },
    },
    {
      name: "text that is not UTF-8",
      code: 1007,
      bytes: (peer) => masked({ opcode: 1, payload: new Uint8Array([0xc3, 0x28]) }, peer),
    },
    {
      name: "a message over websocket_message_limit",
      code: 1009,
      bytes: (peer) => masked({ opcode: 2, payload: new Uint8Array(2000) }, peer),
    },
  ];
  for (const { name, code, bytes } of VIOLATIONS) {
    Deno.test(`${side}: ${name} is answered with ${code}; the peer is told of an end that is not normal`, async () => {
      await using test = await converse({ options: { websocket_message_limit: "1k" } });
      const from = test[side], to = test[other(side)];
      await from.wire.send(bytes(from));
      assertMatch(await from.brief(), new RegExp(`^close ${code} .`));
      const told = await to.brief();
      assertMatch(told, side === "client" ? /^close 1001 / : /^close 1011 /);
      from.wire.close();
      to.wire.close();
      await seenEnd(test);
      assertEnd(test, code, code === 1009 ? "error limit" : "error protocol");
    });
  }
}

Deno.test("a message that inflates beyond websocket_message_limit is closed with 1009", async () => {
  const { deflateRawSync } = await import("node:zlib");
  const deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  await using test = await converse({
    options: { websocket_message_limit: "64k" },
    clientFields: deflate,
    serverFields: deflate,
  });
  const payload = new Uint8Array(deflateRawSync(new Uint8Array(4 << 20)));
  assert(payload.length < 64 * 1024);
  await test.client.send({ opcode: 2, rsv: 4, payload });
  assertMatch(await test.client.brief(), /^close 1009 /);
  assertMatch(await test.server.brief(), /^close 1001 /);
  await Promise.all([test.client.wire.untilEnd(), test.server.wire.untilEnd()]);
  test.client.wire.close();
  test.server.wire.close();
  await seenEnd(test);
  assertEnd(test, 1009, "error limit");
});

/** When to kill, and what leads to it. */
const KILLS: Record<string, (addon: Addon, test: () => Conversation) => Promise<void>> = {
  "while it is idle": (_, test) => {
    test().flow.kill();
    return Promise.resolve();
  },
  "in the middle of a frame": async (_, test) => {
    const { client, server, flow } = test();
    const frame = client.encode({ opcode: 2, payload: new Uint8Array(100_000) });
    await client.wire.send(frame.subarray(0, 50_000));
    if (flow.websocket!.stream) await server.wire.readExactly(10_000);
    flow.kill();
  },
  "inside websocket_message": async (addon, test) => {
    addon.websocket_message = (flow) => flow.kill();
    await test().client.text("kill me");
  },
};
for (const stream of [false, true]) {
  for (const [when, act] of Object.entries(KILLS)) {
    Deno.test(`flow.kill() ${when} (${stream ? "stream" : "message"} mode) cuts both sides at once`, async () => {
      const addon: Addon = { websocket_message() {} };
      const setup: ConversationSetup = {
        options: { stream_websockets: stream },
        addons: [{ websocket_message: (flow, ctx) => addon.websocket_message!(flow, ctx) }],
      };
      await using test = await converse(setup);
      await act(addon, () => test);
      // The rest is for a machine that is busy.
      const ends = Promise.all([test.client.wire.untilEnd(), test.server.wire.untilEnd()]);
      await within(KILL_MS * 4, ends, "both ends");
      test.client.wire.close();
      test.server.wire.close();
      await seenEnd(test);
      assertEnd(test, 1006, "error killed");
    });
  }
}

Deno.test("a client that stops reading stops the server, and gets every byte afterwards", async () => {
  for (const stream of [false, true]) {
    await using test = await converse({ options: { stream_websockets: stream } });
    const payload = new Uint8Array(64 * 1024).fill(0x61);
    const frame = test.server.encode({ opcode: 2, payload });
    const count = 1024;
    const sending = (async () => {
      for (let i = 0; i < count; i++) await test.server.wire.send(frame);
    })();
    const drained = await standsStill(() => test.server.wire.bytesWritten);
    assert(drained < 32 << 20, `${drained} bytes left the server`);
    // The other direction goes on.
    await test.client.text("still here");
    assertEquals(await test.server.brief(), "text still here");
    for (let i = 0; i < count; i++) assertEquals((await test.client.frame()).payload.length, payload.length);
    await within(SOON, sending, "the server's last write");
    await test.hangUp();
    assertEnd(test, 1000, "complete");
  }
});

Deno.test("weir stops: when the grace time is over both sides are told 1001, and the flow completes", async () => {
  await using test = await converse({ options: { shutdown_grace: 0 } });
  const stopped = test.proxy.stop();
  for (const side of SIDES) {
    assertEquals(await test[side].brief(), "close 1001 weir is stopping.");
    await test[side].send(closeFrame(1001));
  }
  test.server.wire.close();
  assertEquals(await test.client.ended(), "fin");
  test.client.wire.close();
  await stopped;
  assertEnd(test, 1001, "complete");
});
