/** ALPN through weir (RFC 7301): protocols that it does not speak pass on both legs; what was chosen is what is spoken. @module */
import { assert, assertEquals } from "@std/assert";
import type { TcpFlow } from "weir";
import { Client } from "./support/client.ts";
import { origin, type OriginOptions, tcpOrigin, withLength } from "./support/origin.ts";
import { startProxy, type TestProxy } from "./support/proxy.ts";
import { Events } from "./support/within.ts";
import { textOf } from "./support/wire.ts";

/** A broker that greets, and answers in capitals; it takes no other protocol. */
const broker = (options: OriginOptions = {}) =>
  tcpOrigin(async (wire) => {
    try {
      await wire.send("\x20\x02hi");
    } catch {
      // No handshake without a protocol in common.
      return;
    }
    await wire.send(textOf(await wire.readExactly(4)).toUpperCase());
    const { text } = await wire.readToEnd();
    await wire.send(text);
    wire.close();
  }, { tls: true, alpn: ["mqtt"], ...options });

async function connected(
  proxy: TestProxy,
  authority: string,
  offered: string[],
): Promise<[Client, string | null]> {
  const client = await Client.connect(proxy);
  await client.tunnel(authority);
  const { alpnProtocol } = await client.startTls("localhost", await proxy.ca(), offered);
  return [client, alpnProtocol];
}

for (const offered of [["mqtt"], ["x-other", "mqtt"], ["http/1.1", "mqtt"], ["h2", "http/1.1", "mqtt"]]) {
  Deno.test(`a protocol that weir does not speak is chosen by the origin, and passes with tcp hooks: ${offered}`, async () => {
    await using server = await broker();
    const events = new Events();
    await using proxy = await startProxy({
      tcp_start: ({ clientConn, serverConn }: TcpFlow) =>
        void events.push(JSON.stringify([
          clientConn.alpnOffers,
          clientConn.tls?.alpn,
          serverConn?.alpnOffers,
          serverConn?.tls?.alpn,
        ])),
      tcp_message: (flow: TcpFlow) => {
        const message = flow.messages.at(-1)!;
        events.push(`${message.fromClient ? "client" : "server"} ${textOf(message.content)}`);
        if (textOf(message.content) === "ABCD") message.content = new TextEncoder().encode("abCD");
      },
      tcp_end: () => void events.push("end"),
    });
    const [client, alpn] = await connected(proxy, server.authority, offered);
    await using _client = client;
    assertEquals(alpn, "mqtt");
    // The server speaks first.
    assertEquals(textOf(await client.readExactly(4)), "\x20\x02hi");
    await client.send("abcd");
    assertEquals(textOf(await client.readExactly(4)), "abCD");
    await client.send("GET / HTTP/1.1\r\n\r\n");
    await client.closeWrite();
    assertEquals((await client.readToEnd()).text, "GET / HTTP/1.1\r\n\r\n");
    await events.seen("end");
    assertEquals(events.list, [
      JSON.stringify([offered, "mqtt", offered, "mqtt"]),
      "server \x20\x02hi",
      "client abcd",
      "server ABCD",
      "client GET / HTTP/1.1\r\n\r\n",
      "server GET / HTTP/1.1\r\n\r\n",
      "end",
    ]);
    assertEquals(server.connections, 1);
  });
}

Deno.test("an origin that chooses HTTP of a mixed offer is served as ever", async () => {
  await using server = await origin(withLength("hi"), { tls: true, alpn: ["http/1.1"] });
  await using proxy = await startProxy();
  const [client, alpn] = await connected(proxy, server.authority, ["mqtt", "http/1.1"]);
  await using _client = client;
  assertEquals(alpn, "http/1.1");
  await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  assertEquals((await client.response()).text, "hi");
});

Deno.test("raw bytes without ALPN reach an origin that has none, without an offer", async () => {
  const seen = new Events();
  await using server = await broker({ alpn: undefined });
  await using proxy = await startProxy({
    tcp_start: ({ serverConn }: TcpFlow) => void seen.push(JSON.stringify(serverConn?.alpnOffers)),
  });
  const [client, alpn] = await connected(proxy, server.authority, []);
  await using _client = client;
  assertEquals(alpn, null);
  await client.send("\x01bcd");
  assertEquals(textOf(await client.readExactly(8)), "\x20\x02hi\x01BCD");
  assertEquals(seen.list, ["[]"]);
});

Deno.test("a protocol that nobody at the origin speaks is not negotiated, and the log says what failed", async () => {
  await using server = await broker();
  await using proxy = await startProxy();
  const [client, alpn] = await connected(proxy, server.authority, ["xmpp-client"]);
  await using _client = client;
  assertEquals(alpn, null);
  await client.send("\x01bcd");
  // The origin takes connections without ALPN.
  assertEquals(textOf(await client.readExactly(8)), "\x20\x02hi\x01BCD");
  await proxy.logged(/^debug: localhost was offered xmpp-client: /);
});

Deno.test("where ALPN has chosen HTTP/2, a request in HTTP/1.1 is an error of the connection", async () => {
  await using server = await origin(withLength("hi"), { tls: true, alpn: ["h2"] });
  for (
    const text of [
      `GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`,
      "\x16\x03\x01",
      "PRI * HTTP/1.1\r\n\r\n",
    ]
  ) {
    await using proxy = await startProxy();
    const [client, alpn] = await connected(proxy, server.authority, ["h2"]);
    await using _client = client;
    assertEquals(alpn, "h2");
    await client.send(text);
    const answer = (await client.readToEnd()).text;
    // GOAWAY with PROTOCOL_ERROR, and nothing that looks like HTTP/1.
    assert(answer.includes("\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01"), JSON.stringify(answer));
    assert(!answer.includes("HTTP/1"), JSON.stringify(answer));
    // What weir itself said to see the certificate is HTTP/2.
    assertEquals(server.requests.filter(({ raw }) => raw.includes("HTTP/1")), []);
  }
});
