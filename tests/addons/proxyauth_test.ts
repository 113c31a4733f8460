import { assertEquals } from "@std/assert";
import ProxyAuth from "../../addons/proxyauth.ts";
import type { Addon, Socks5AuthData } from "weir";
import { forAddons } from "../../src/hooks/mod.ts";
import { addonHost, clientConn, httpFlow } from "../support/addon_host.ts";

async function configured(spec: string | null) {
  const host = addonHost();
  const addon: Addon = new ProxyAuth();
  addon.load!({ addOption: host.options.addOption.bind(host.options) }, host.ctx);
  const configure = async (value: string | null) => {
    await host.options.update({ proxyauth: value } as Record<string, string | null>);
    await addon.configure!(forAddons(host.options.values), new Set(["proxyauth"]), host.ctx);
  };
  await configure(spec);
  const socks = async (username: string, password: string, conn = { ...clientConn }) => {
    const data: Socks5AuthData = { clientConn: conn, username, password, valid: false };
    await addon.socks5_auth!(data, host.ctx);
    return data.valid;
  };
  return { addon, host, configure, socks };
}

Deno.test("SOCKS5: the right user is let in, and what comes by that connection is not asked again", async () => {
  const { addon, host, socks } = await configured("al:s3:cret");
  assertEquals([await socks("al", "s3:cret"), await socks("al", "x"), await socks("bo", "s3:cret")], [
    true,
    false,
    false,
  ]);
  for (const isRight of [false, true]) {
    const flow = httpFlow();
    await socks("al", isRight ? "s3:cret" : "x", flow.clientConn);
    await addon.requestheaders!(flow, host.ctx);
    assertEquals(flow.response?.statusCode, isRight ? undefined : 407);
    assertEquals(flow.metadata.proxyauth, isRight ? "al" : undefined);
  }
});

Deno.test("with no proxyauth it is off", async () => {
  assertEquals((await configured(null)).addon.isOff!(), true);
  assertEquals((await configured("")).addon.isOff!(), true);
  assertEquals((await configured("any")).addon.isOff!(), false);
});

Deno.test("requests that weir itself sends again are not asked, and lose their credentials", async () => {
  const { addon, host } = await configured("al:s3:cret");
  const flow = httpFlow({ headers: { "Proxy-Authorization": "Basic eA==" } });
  flow.isReplay = "request";
  await addon.requestheaders!(flow, host.ctx);
  assertEquals([flow.response, flow.request.headers.has("proxy-authorization")], [null, false]);
});

Deno.test("set anew while weir runs, the new credentials hold", async () => {
  const { configure, socks } = await configured("al:1");
  assertEquals([await socks("al", "1"), await socks("al", "2")], [true, false]);
  await configure("al:2");
  assertEquals([await socks("al", "1"), await socks("al", "2")], [false, true]);
});

Deno.test("modes in which connections pass without being asked are told of at start", async () => {
  for (
    const [modes, told] of [[["regular", "reverse:http://a"], false], [["reverse:tcp://a:1"], true], [[
      "transparent",
    ], true]] as const
  ) {
    const { addon, host } = await configured("any");
    const ctx = { ...host.ctx, proxy: { ...host.ctx.proxy, modes } };
    addon.running!(ctx, ctx);
    assertEquals(
      host.lines.some((line) => /^warn: proxyauth asks .* other connections to /.test(line)),
      told,
    );
  }
});
