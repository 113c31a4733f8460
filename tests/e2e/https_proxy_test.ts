/**
 * An HTTPS proxy: TLS with weir itself on the port of `regular`, HTTP/1.1 and HTTP/2 inside, tunnels in
 * HTTP/2's streams. @module
 */
import { assert, assertEquals } from "@std/assert";
import http2 from "node:http2";
import type { Addon } from "weir";
import { curl } from "./support/client.ts";
import { type Origin, origin, tcpOrigin, withLength } from "./support/origin.ts";
import { startProxy, type TestProxy } from "./support/proxy.ts";
import { clientHandshake } from "../../src/tls/mod.ts";
import { connectStream, WayClient } from "./support/ways_in.ts";
import { SOON, within } from "./support/within.ts";

/** A session of HTTP/2 with the proxy. */
async function session(proxy: TestProxy): Promise<http2.ClientHttp2Session & AsyncDisposable> {
  const session = http2.connect(`https://localhost:${proxy.port}`, { ca: await proxy.ca() });
  await new Promise<void>((resolve, reject) => {
    session.once("connect", () => resolve());
    session.once("error", reject);
  });
  return Object.assign(session, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => session.close(() => resolve())),
  });
}

/** A tunnel by a stream of its own, with TLS to the origin in it. */
async function tunnel(
  through: http2.ClientHttp2Session,
  proxy: TestProxy,
  { authority }: Origin,
  servername: string,
): Promise<WayClient> {
  const conn = await connectStream(through, authority);
  const ca = [await proxy.ca()];
  return new WayClient(await clientHandshake(conn, { servername, alpn: ["http/1.1"], verify: true, ca }));
}

Deno.test("what curl says of its proxy's certificate: it is for the name that it uses, and for the address", async () => {
  await using server = await origin(withLength("hello"));
  await using proxy = await startProxy();
  for (const host of ["localhost", "127.0.0.1"]) {
    const { code, stderr } = await curl(
      ...["-x", `https://${host}:${proxy.port}`, "--proxy-cacert", `${proxy.confdir}/weir-ca-cert.pem`],
      server.url(),
    );
    assertEquals([code, stderr], [0, ""]);
  }
});

Deno.test("tunnels of one HTTP/2 connection know their own client: names, certificates, identity; one ends alone", async () => {
  const seen: { sni: string | null | undefined; id: string; path: string }[] = [];
  const addon: Addon = {
    request: ({ request, clientConn }) =>
      void seen.push({ sni: clientConn.tls?.sni, id: clientConn.id, path: request.path }),
  };
  await using one = await origin(withLength("one"), { tls: true });
  await using two = await origin(withLength("two"), { tls: true });
  await using proxy = await startProxy(addon, { ssl_insecure: true });
  await using shared = await session(proxy);
  await using first = await tunnel(shared, proxy, one, "first.example");
  await using second = await tunnel(shared, proxy, two, "second.example");
  const ask = async (client: WayClient, path: string) => {
    await client.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    return (await client.response()).text;
  };
  assertEquals([await ask(first, "/1"), await ask(second, "/2"), await ask(first, "/3")], [
    "one",
    "two",
    "one",
  ]);
  assertEquals(seen.map(({ sni, path }) => [sni, path]), [
    ["first.example", "/1"],
    ["second.example", "/2"],
    ["first.example", "/3"],
  ]);
  assertEquals(seen[0].id, seen[2].id);
  assert(seen[0].id !== seen[1].id);
  first.close();
  assertEquals(await ask(second, "/4"), "two");
});

Deno.test("silent tunnels of one HTTP/2 connection: each hears the server that speaks first in it", async () => {
  await using one = await tcpOrigin((wire) => wire.send("one"));
  await using two = await tcpOrigin((wire) => wire.send("two"));
  await using proxy = await startProxy();
  await using shared = await session(proxy);
  const heard = [one, two].map(async ({ authority }) => {
    await using client = new WayClient(await connectStream(shared, authority));
    return (await client.readToEnd()).text;
  });
  assertEquals(await within(SOON, Promise.all(heard), "greetings"), ["one", "two"]);
});

Deno.test("plain requests inside TLS, over HTTP/2, beside a tunnel", async () => {
  await using server = await origin(withLength("hello"));
  await using proxy = await startProxy();
  await using shared = await session(proxy);
  const ask = (path: string) =>
    new Promise<string>((resolve, reject) => {
      const stream = shared.request({ ":scheme": "http", ":authority": server.authority, ":path": path });
      let text = "";
      stream.on("data", (chunk) => text += chunk);
      stream.on("end", () => resolve(text));
      stream.on("error", reject);
    });
  await using beside = new WayClient(await connectStream(shared, server.authority));
  assertEquals(await Promise.all([ask("/a"), ask("/b")]), ["hello", "hello"]);
  await beside.send(`GET /c HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await beside.response()).text, "hello");
  assertEquals(server.requests.map(({ target }) => target).toSorted(), ["/a", "/b", "/c"]);
});
