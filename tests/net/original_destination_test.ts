import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { listen } from "../../src/net/listen.ts";
import { OriginalDestinations } from "../../src/net/original_destination.ts";

/** REDIRECT and TPROXY are tested in a namespace: tests/e2e/transparent_test.ts. */
for (const hostname of ["127.0.0.1", "0.0.0.0", "::1", "::"]) {
  Deno.test({
    name:
      `a connection to the listener itself (${hostname}) is a loop, before and after the kernel can be asked`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const listener = listen({ hostname, port: 0 });
      const destinations = OriginalDestinations.open(listener);
      const { port } = listener.addr;
      const target = hostname.includes(":") ? "::1" : "127.0.0.1";
      using client = await Deno.connect({ hostname: target, port });
      for await (const conn of listener) {
        assertEquals(typeof conn.descriptor, "number");
        const ask = () => destinations.of(conn);
        const error = assertThrows(ask, WeirError, "which is weir itself: it was not redirected here");
        assertEquals([error.side, error.code], ["client", "loop"]);
        destinations.close();
        destinations.close();
        assertThrows(ask, WeirError, "which is weir itself");
        conn.close();
        listener.close();
      }
      assertEquals(await client.read(new Uint8Array(1)), null);
    },
  });
}
