import { assertEquals, assertThrows } from "@std/assert";
import type { ClientHelloData, TlsFailedData } from "weir";
import AutoIgnore from "../../addons/auto_ignore.ts";
import { addonHost, clientConn } from "../support/addon_host.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** The addon with `auto_ignore` set to `count`. */
async function learning(count: number | null) {
  const { ctx, options, lines } = addonHost();
  const addon = new AutoIgnore();
  addon.load({
    addOption: (name, type, value, help) =>
      options.addOption(name, type, value, help, { owner: "auto_ignore" }),
  });
  await options.updateNamed([["auto_ignore", count]]);
  addon.configure(ctx.options);
  const from = (hostname: string) => ({ ...clientConn, address: { hostname, port: 5 } });
  return {
    lines,
    passes(sni: string | null, client = "10.0.0.1"): boolean {
      const serverAddress = { hostname: "origin.test", port: 443 };
      const data: ClientHelloData = { sni, alpn: [], clientConn: from(client), serverAddress, ignore: false };
      addon.tls_clienthello(data);
      return data.ignore;
    },
    refuses(sni: string | null, client = "10.0.0.1", change: Partial<TlsFailedData> = {}) {
      const serverAddress = { hostname: "origin.test", port: 443 };
      const data = { sni, clientConn: from(client), serverAddress, error: "no", isRefusal: true, ...change };
      addon.tls_failed_client(data, ctx);
    },
  };
}

Deno.test("after so many refusals within a minute a client's connections to that name pass, and the log says so once", async () => {
  using clock = new FakeClock();
  const { passes, refuses, lines } = await learning(2);
  refuses("Pinned.test");
  assertEquals([passes("pinned.test"), lines.length], [false, 0]);
  await clock.pass(59_000);
  refuses("pinned.test");
  refuses("pinned.test");
  assertEquals(passes("PINNED.test"), true);
  assertEquals([passes("other.test"), passes("pinned.test", "10.0.0.2"), passes(null)], [
    false,
    false,
    false,
  ]);
  assertEquals(lines, [
    "warn: 10.0.0.1 has refused the certificate for pinned.test 2 times within a minute: " +
    "its connections there pass through untouched from now on (auto_ignore).",
  ]);
  // Without a name it is where the connection goes that counts.
  refuses(null);
  refuses(null);
  assertEquals([passes(null), passes("origin.test")], [true, true]);
});

Deno.test("refusals that are a minute apart do not add up, nor do failures that are none, or TLS with weir itself", async () => {
  using clock = new FakeClock();
  const { passes, refuses } = await learning(2);
  for (let i = 0; i < 5; i++) {
    refuses("a.test");
    refuses("b.test", "10.0.0.1", { isRefusal: false });
    refuses("c.test", "10.0.0.1", { serverAddress: null });
    await clock.pass(60_001);
  }
  assertEquals([passes("a.test"), passes("b.test"), passes("c.test")], [false, false, false]);
});

Deno.test("off it learns nothing", async () => {
  const { passes, refuses } = await learning(null);
  for (let i = 0; i < 5; i++) refuses("a.test");
  assertEquals(passes("a.test"), false);
});

Deno.test("it remembers 1024 pairs, the oldest go first", async () => {
  const { passes, refuses } = await learning(1);
  for (let i = 0; i < 1025; i++) refuses(`${i}.test`);
  assertEquals([passes("0.test"), passes("1.test"), passes("1024.test")], [false, true, true]);
  const later = await learning(2);
  for (let i = 0; i < 1025; i++) later.refuses(`${i}.test`);
  for (const name of ["0.test", "1024.test"]) later.refuses(name);
  assertEquals([later.passes("0.test"), later.passes("1024.test")], [false, true]);
});

Deno.test("a number that cannot be is refused with what was expected", async () => {
  for (const count of [0, -1, 101]) {
    const { message } = await learning(count).then(() => new Error("taken"), (error) => error as Error);
    assertEquals(message, `option auto_ignore: ${count} is not a number of handshakes (expected 1 to 100)`);
  }
  assertThrows(() => addonHost().options.read("auto_ignore", ["1"]));
});
