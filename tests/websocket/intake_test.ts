import { assertEquals, assertRejects } from "@std/assert";
import { Intake } from "../../src/websocket/intake.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { memoryConnPair } from "../support/memory_conn.ts";

/** An intake over an in-memory connection, and what it told of a loss. */
function make() {
  const [peer, conn] = memoryConnPair();
  const lost = Promise.withResolvers<unknown>();
  return { peer, conn, intake: new Intake(conn, lost.resolve), lost: lost.promise };
}

Deno.test("reads give what came, then the end", async () => {
  const { peer, conn, intake } = make();
  await peer.write(new Uint8Array([1, 2]));
  assertEquals([...(await intake.read())!], [1, 2]);
  peer.close();
  assertEquals(await intake.read(), null);
  assertEquals(await intake.read(), null);
  conn.close();
  await intake.close();
});

Deno.test("what is read ahead during a long wait comes in order afterwards, and the bytes in use stay as they are", async () => {
  using clock = new FakeClock();
  const { peer, conn, intake } = make();
  await peer.write(new Uint8Array([1, 2]));
  const first = (await intake.read())!;
  const gate = Promise.withResolvers<void>();
  const waiting = intake.during(gate.promise);
  // Written one by one: each resolves once the one before it was taken, so all but the last have been read ahead.
  for (const byte of [3, 4, 5]) {
    await peer.write(new Uint8Array([byte]));
    await clock.pass(150);
  }
  gate.resolve();
  await waiting;
  assertEquals([...first], [1, 2]);
  const rest: number[] = [];
  while (rest.length < 3) rest.push(...(await intake.read())!);
  assertEquals(rest, [3, 4, 5]);
  peer.close();
  assertEquals(await intake.read(), null);
  conn.close();
  await intake.close();
});

Deno.test("an end during a long wait is told after a grace; a reset at once", async () => {
  for (const how of ["close", "reset"] as const) {
    using clock = new FakeClock();
    const { peer, conn, intake, lost } = make();
    const gate = Promise.withResolvers<void>();
    const waiting = intake.during(gate.promise);
    peer[how]();
    await clock.pass(1000);
    assertEquals(await lost === null, how === "close");
    gate.resolve();
    await waiting;
    if (how === "reset") await assertRejects(() => intake.read());
    else assertEquals(await intake.read(), null);
    conn.close();
    await intake.close();
  }
});

Deno.test("an end behind bytes that are still to be worked on is no loss", async () => {
  using clock = new FakeClock();
  const { peer, conn, intake, lost } = make();
  const gate = Promise.withResolvers<void>();
  const waiting = intake.during(gate.promise);
  await peer.write(new Uint8Array([9]));
  peer.close();
  let isLost = false;
  lost.then(() => isLost = true);
  await clock.pass(60_000);
  assertEquals(isLost, false);
  gate.resolve();
  await waiting;
  assertEquals([...(await intake.read())!], [9]);
  assertEquals(await intake.read(), null);
  conn.close();
  await intake.close();
});

Deno.test("short waits leave no timer behind once it is closed", async () => {
  const { conn, intake } = make();
  for (let i = 0; i < 100; i++) await intake.during(Promise.resolve());
  conn.close();
  await intake.close();
});
