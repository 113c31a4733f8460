/** Contract sections 4 and 5: a client that has ended its half is answered, one that is gone is noticed. @module */
import { assertEquals } from "@std/assert";
import { HALF_CLOSE_GRACE_MS } from "../../src/http1/server_exchange.ts";
import { absolute, Client } from "./support/client.ts";
import { origin, untilClose } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { Gate } from "./support/within.ts";

Deno.test("half-close: a client that has sent its request and its end is still answered", async () => {
  const closed = new Gate();
  await using server = await origin(async (wire, request) => {
    await closed.opened;
    await untilClose("the answer")(wire, request);
  });
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(absolute(server.url()));
  await client.closeWrite();
  closed.open();
  assertEquals((await client.response()).text, "the answer");
});

Deno.test({
  name: "half-close: a client on this machine is answered however long the origin is silent",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = await origin(async (wire, request) => {
      await new Promise((resolve) => setTimeout(resolve, 1.5 * HALF_CLOSE_GRACE_MS));
      await untilClose("the answer")(wire, request);
    });
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url()));
    await client.closeWrite();
    assertEquals((await client.response()).text, "the answer");
  },
});
