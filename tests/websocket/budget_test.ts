/** What WebSocket connections hold is counted against memory_limit, and given back whatever their end is. @module */
import { assertEquals } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { WeirError } from "../../src/errors.ts";
import { MemoryBudget } from "../../src/memory_budget.ts";
import { hangUp, type Peer, startRelay, TAKEOVER } from "./support.ts";

const LIMIT = 100_000;

function budget(): MemoryBudget {
  return new MemoryBudget(() => LIMIT);
}

async function closeCode(peer: Peer): Promise<number> {
  for (;;) {
    const { opcode, payload } = await peer.frame();
    if (opcode === 8) return payload[0] << 8 | payload[1];
  }
}

Deno.test("the history is counted; older messages are forgotten for what has no room otherwise", async () => {
  const memory = budget();
  const test = startRelay({ memory });
  for (let i = 0; i < 3; i++) {
    await test.client.send({ opcode: 2, payload: new Uint8Array(30_000) });
    await test.server.frame();
  }
  assertEquals([memory.used, test.data.messages.length], [90_000, 3]);
  await test.client.send({ opcode: 2, payload: new Uint8Array(50_000) });
  await test.server.frame();
  assertEquals([memory.used, test.data.messages.length, test.data.forgotten], [80_000, 2, 2]);
  assertEquals([memory.take(70_000), memory.used, test.data.messages.length], [true, 70_000, 0]);
  memory.give(70_000);
  assertEquals(await hangUp(test), null);
  assertEquals(memory.used, 0);
});

Deno.test("when the connection has ended its history is whoever's keeps it, and counted no more", async () => {
  const memory = budget();
  const test = startRelay({ memory });
  await test.server.send({ opcode: 1, payload: "kept" });
  await test.client.frame();
  await hangUp(test);
  assertEquals([memory.used, test.data.messages[0].text], [0, "kept"]);
});

Deno.test("a message that has no room is refused with 1009 as it comes, not when it is whole", async () => {
  for (const rsv of [0, 4]) {
    const memory = budget();
    memory.take(60_000);
    const test = startRelay({ memory, deflate: rsv === 0 ? null : TAKEOVER });
    const random = crypto.getRandomValues(new Uint8Array(50_000));
    const payload = rsv === 0 ? random : new Uint8Array(deflateRawSync(random));
    await test.client.send({ opcode: 2, fin: false, rsv, payload });
    assertEquals(await closeCode(test.client), 1009);
    const error = await test.relay.ended;
    assertEquals([error instanceof WeirError && error.code, memory.used], ["limit", 60_000]);
    for (const { conn } of [test.client, test.server]) conn.close();
  }
});

Deno.test("a kill or a lost connection in mid message gives back what was held", async () => {
  for (const end of ["kill", "reset"]) {
    const memory = budget();
    const test = startRelay({ memory });
    await test.client.send({ opcode: 2, fin: false, payload: new Uint8Array(20_000) });
    await test.client.send({ opcode: 9, payload: "" });
    // The ping is passed on once what came before it was read.
    assertEquals([(await test.server.frame()).opcode, memory.used], [9, 20_000]);
    if (end === "kill") test.relay.kill();
    else test.client.conn.reset();
    await test.relay.ended;
    assertEquals(memory.used, 0);
    for (const { conn } of [test.client, test.server]) conn.close();
  }
});

Deno.test("a compressed message is counted as it came, too, until it was sent", async () => {
  const memory = budget();
  let during = 0;
  const test = startRelay({ memory, deflate: TAKEOVER, onMessage: () => void (during = memory.used) });
  const wire = new Uint8Array(deflateRawSync(new Uint8Array(40_000)));
  await test.client.send({ opcode: 2, rsv: 4, payload: wire });
  await test.server.frame();
  assertEquals([during, memory.used], [40_000 + wire.length, 40_000]);
  await hangUp(test);
  assertEquals(memory.used, 0);
});

Deno.test("a frame that declares 64 MiB and sends ten bytes sets nothing aside", async () => {
  const memory = budget();
  const test = startRelay({ memory });
  await test.client.conn.write(
    Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4, ...Array(10).fill(7)),
  );
  while (memory.used === 0) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(memory.used, 10);
  test.relay.kill();
  await test.relay.ended;
  assertEquals(memory.used, 0);
  for (const { conn } of [test.client, test.server]) conn.close();
});
