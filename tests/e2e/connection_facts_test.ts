/** What flows know of their two connections. @module */
import { assert, assertEquals } from "@std/assert";
import { X509Certificate } from "node:crypto";
import type { ClientConnection, HttpFlow, ServerConnection } from "weir";
import { Client } from "./support/client.ts";
import { echo, origin } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { Events } from "./support/within.ts";

/** True when the times are there and none is before the one that it is given after. */
function ascending(...times: (number | null)[]): boolean {
  return times.every((time, i) => time !== null && (i === 0 || time >= times[i - 1]!));
}

Deno.test("an intercepted flow knows times, addresses, ALPN, cipher and certificates of both connections", async () => {
  const flows: HttpFlow[] = [], events = new Events();
  let client: ClientConnection, server: ServerConnection;
  {
    await using target = await origin(echo, { tls: true });
    await using proxy = await startProxy({
      complete: (flow) => void flows.push(flow),
      client_disconnected: () => events.push("client"),
      server_disconnected: () => events.push("server"),
    }, { http2: false });
    {
      await using connection = await Client.connect(proxy);
      await connection.tunnel(target.authority);
      await connection.startTls(target.authority.split(":")[0], await proxy.ca(), ["http/1.1"]);
      await connection.send(`GET / HTTP/1.1\r\nHost: ${target.authority}\r\n\r\n`);
      await connection.response("GET");
      await connection.send(`GET /2 HTTP/1.1\r\nHost: ${target.authority}\r\n\r\n`);
      await connection.response("GET");
    }
    client = flows[0].clientConn;
    server = flows[0].serverConn!;
    assert(ascending(client.timestampStart, client.timestampTlsSetup));
    assertEquals([client.alpnOffers, client.tls?.alpn], [["http/1.1"], "http/1.1"]);
    assertEquals(new X509Certificate(client.shownCertificate!).issuer?.includes("weir"), true);
    assertEquals(client.tls?.peerCertificates, []);
    assertEquals(client.localAddress.port, proxy.port);
    assert(ascending(server.timestampStart, server.timestampTcpSetup, server.timestampTlsSetup));
    assertEquals(`${server.peerAddress?.hostname}:${server.peerAddress?.port}`, `127.0.0.1:${target.port}`);
    assertEquals(server.localAddress?.hostname, "127.0.0.1");
    assert(server.localAddress!.port > 0 && server.localAddress!.port !== target.port);
    assertEquals(server.alpnOffers, ["http/1.1"]);
    assertEquals(server.tls?.version, "TLSv1.3");
    assert(server.tls?.cipher?.startsWith("TLS_"));
    assertEquals(server.tls?.peerCertificates[0], server.tls?.peerCertificate);
    assert(new X509Certificate(server.tls!.peerCertificate!).subject.length > 0);
  }
  await events.until(
    () => events.list.includes("client") && events.list.includes("server"),
    "both connections' ends",
  );
  assert(ascending(client.timestampTlsSetup, client.timestampEnd));
  assert(ascending(server.timestampTlsSetup, server.timestampEnd));
  assertEquals(flows.map(({ serverConn }) => serverConn?.id), [server.id, server.id]);
});

Deno.test("without TLS there is no ALPN, no cipher and no certificate, and an open connection has no end", async () => {
  const flows: HttpFlow[] = [];
  await using target = await origin(echo);
  await using proxy = await startProxy({ complete: (flow) => void flows.push(flow) });
  await using connection = await Client.connect(proxy);
  await connection.send(`GET ${target.url("/")} HTTP/1.1\r\nHost: ${target.authority}\r\n\r\n`);
  await connection.response("GET");
  const { clientConn, serverConn } = flows[0];
  assertEquals(
    [clientConn.tls, clientConn.alpnOffers, clientConn.shownCertificate, clientConn.timestampTlsSetup],
    [null, [], null, null],
  );
  assertEquals([clientConn.timestampEnd, serverConn?.timestampEnd], [null, null]);
  assertEquals([serverConn?.tls, serverConn?.alpnOffers, serverConn?.timestampTlsSetup], [null, [], null]);
  assert(ascending(serverConn!.timestampStart, serverConn!.timestampTcpSetup));
});
