import { assertEquals } from "@std/assert";
import type { ClientConnection } from "weir";
import Block from "../../addons/block.ts";
import { addonHost, clientConn } from "../support/addon_host.ts";

/** The addon with option values, and what it says. */
async function blocking(values: Record<string, boolean | string>, addresses: string[] = []) {
  const { ctx, options, lines } = addonHost();
  const addon = new Block();
  addon.load({
    addOption: (name, type, value, help) => options.addOption(name, type, value, help, { owner: "block" }),
  });
  options.addOption("proxyauth", "str", null, "A test's.", { owner: "test" });
  await options.update(values);
  addon.configure(ctx.options);
  const where = addresses.map((hostname) => ({ hostname, port: 8080 }));
  return { addon, lines, ctx: { ...ctx, proxy: { ...ctx.proxy, addresses: where } } };
}

const VERDICTS: [options: Record<string, boolean>, refused: string][] = [
  [{}, "8.8.8.8 2a00::1"],
  [{ block_global: false }, ""],
  [{ block_private: true }, "8.8.8.8 10.0.0.1 fe80::1%eth0 2a00::1"],
  [{ block_private: true, block_global: false }, "10.0.0.1 fe80::1%eth0"],
];
for (const [values, expected] of VERDICTS) {
  Deno.test(`clients are refused by where they come from: ${JSON.stringify(values)}`, async () => {
    const { addon, lines, ctx } = await blocking(values);
    const refused: string[] = [];
    for (
      const hostname of ["127.0.0.1", "::1", "8.8.8.8", "10.0.0.1", "100.64.0.1", "fe80::1%eth0", "2a00::1"]
    ) {
      const client: ClientConnection = { ...clientConn, address: { hostname, port: 5 } };
      addon.client_connected(client, ctx);
      if (client.error) refused.push(hostname);
    }
    assertEquals(refused.join(" "), expected);
    assertEquals(lines.length, refused.length);
    assertEquals(lines.every((line) => /^warn: \S+:5: the client was refused by block_/.test(line)), true);
  });
}

const AT_START: [
  what: string,
  values: Record<string, boolean | string>,
  addresses: string[],
  line: RegExp,
][] = [
  ["on this machine", {}, ["127.0.0.1", "::1"], /^$/],
  ["in the local network", {}, ["192.168.1.5"], /^$/],
  ["everywhere", {}, ["127.0.0.1", "0.0.0.0"], /^info: .*\(0\.0\.0\.0:8080\): .* refused \(block_global\)/],
  ["everywhere in IPv6", {}, ["::"], /^info: .*\(\[::\]:8080\)/],
  ["at a public address", {}, ["8.8.8.8"], /^info: /],
  ["everywhere, for all", { block_global: false }, ["0.0.0.0"], /^warn: .* open proxy .*proxyauth/],
  ["everywhere, with a password", { block_global: false, proxyauth: "a:b" }, ["0.0.0.0"], /^$/],
];
for (const [what, values, addresses, line] of AT_START) {
  Deno.test(`listening ${what}: what is said at start`, async () => {
    const { addon, lines, ctx } = await blocking(values, addresses);
    addon.running(ctx);
    assertEquals(lines.length, line.test("") ? 0 : 1);
    assertEquals(line.test(lines[0] ?? ""), true, lines[0]);
    lines.length = 0;
    addon.running({ ...ctx, proxy: { ...ctx.proxy, isPrimary: false } });
    assertEquals(lines, []);
  });
}
