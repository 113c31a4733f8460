/** Contract sections 2 and 6: what passes through CONNECT untouched, and what is proxied inside it. @module */
import { assertEquals, assertMatch } from "@std/assert";
import type { Addon, HttpFlow, TcpFlow } from "weir";
import { originCa } from "./support/certs.ts";
import { absolute, Client } from "./support/client.ts";
import { origin, tcpOrigin, withLength } from "./support/origin.ts";
import { type Options, recorder, startProxy } from "./support/proxy.ts";
import { textOf, type Wire } from "./support/wire.ts";
import { Events, SOON, within } from "./support/within.ts";

/** Notes the `tcp_*` hooks. */
function tcpRecorder(events: Events, message?: (flow: TcpFlow) => unknown): Addon {
  return {
    tcp_start: (flow) => events.push(`start ${flow.type}`),
    tcp_message: (flow) => {
      const { fromClient, content } = flow.messages.at(-1)!;
      events.push(`${fromClient ? "client" : "server"} ${textOf(content)}`);
      return message?.(flow);
    },
    tcp_end: () => events.push("end"),
    tcp_error: () => events.push("error"),
  };
}

const PASSED: [string, Addon, (port: number) => Options][] = [
  ["ignore_hosts", {}, () => ({ ignore_hosts: ["localhost"] })],
  ["ignore_hosts with a port", {}, (port) => ({ ignore_hosts: [`^localhost:${port}$`] })],
  ["allow_hosts that names others", {}, () => ({ allow_hosts: ["elsewhere\\.example"] })],
  ["tls_clienthello's ignore", { tls_clienthello: (data) => void (data.ignore = true) }, () => ({})],
];
for (const [what, addon, options] of PASSED) {
  Deno.test(`${what}: TLS passes through untouched, the client sees the origin's own certificate`, async () => {
    const events = new Events();
    await using server = await origin(withLength("secret"), { tls: true });
    await using proxy = await startProxy([addon, recorder(events)], options(server.port));
    await using client = await Client.connect(proxy);
    await client.tunnel(server.authority);
    await client.startTls("localhost", await originCa());
    await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.response()).text, "secret");
    assertEquals(events.list, []);
  });
}

Deno.test("ignore_hosts for others, and allow_hosts that names this one: intercepted", async () => {
  const rows: Options[] = [{ ignore_hosts: ["elsewhere"] }, { allow_hosts: ["localhost"] }];
  for (const options of rows) {
    const events = new Events();
    await using server = await origin(withLength("secret"), { tls: true });
    await using proxy = await startProxy(recorder(events), options);
    await using client = await Client.connect(proxy);
    await client.tunnel(server.authority);
    await client.startTls("localhost", await proxy.ca());
    await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.response()).text, "secret");
    await events.seen("complete");
  }
});

Deno.test("tls_clienthello is given SNI and ALPN before anyone decides", async () => {
  const seen: unknown[] = [];
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy({
    tls_clienthello: (data) => void seen.push(data.sni, data.alpn, server.connections),
  });
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.startTls("localhost", await proxy.ca(), ["http/1.1"]);
  assertEquals(seen, ["localhost", ["http/1.1"], 0]);
});

Deno.test("plain HTTP inside CONNECT is proxied with hooks", async () => {
  const urls: string[] = [];
  await using server = await origin(withLength("plain"));
  await using proxy = await startProxy({ request: (flow) => void urls.push(flow.request.url) });
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  for (let i = 0; i < 2; i++) {
    await client.send(`GET /${i} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.response()).text, "plain");
  }
  assertEquals(urls, [server.url("/0"), server.url("/1")]);
});

Deno.test("an unknown protocol passes as raw bytes, with tcp hooks in order", async () => {
  const events = new Events();
  await using server = await tcpOrigin(async (wire) => {
    await wire.send(textOf(await wire.readExactly(3)).toUpperCase());
    const { text } = await wire.readToEnd();
    await wire.send(`got ${text}`);
    await wire.closeWrite();
  });
  await using proxy = await startProxy(tcpRecorder(events));
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.send("\x00ab");
  assertEquals(textOf(await client.readExactly(3)), "\x00AB");
  await client.send("rest");
  // Half-close: the answer comes after the client's end.
  await client.closeWrite();
  assertEquals(await client.readToEnd(), { text: "got rest", end: "fin" });
  await events.seen("end");
  assertEquals(events.list, [
    "start tcp",
    "client \x00ab",
    "server \x00AB",
    "client rest",
    "server got rest",
    "end",
  ]);
});

Deno.test("tcp_message may change what is sent, and drop it", async () => {
  const events = new Events();
  await using server = await tcpOrigin(async (wire) => {
    const { text } = await wire.readToEnd();
    await wire.send(text);
    await wire.closeWrite();
  });
  await using proxy = await startProxy(tcpRecorder(events, async (flow) => {
    await 0;
    const message = flow.messages.at(-1)!;
    if (!message.fromClient) return;
    message.content = textOf(message.content) === "\x01drop"
      ? new Uint8Array()
      : new TextEncoder().encode("changed");
  }));
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.send("\x01drop");
  await events.seen("client \x01drop");
  await client.send("\x01keep");
  await events.seen("client \x01keep");
  await client.closeWrite();
  assertEquals((await client.readToEnd()).text, "changed");
});

Deno.test("flow.kill() in tcp_message cuts both sides, and tcp_error runs", async () => {
  const events = new Events();
  const ended = Promise.withResolvers<string>();
  await using server = await tcpOrigin(async (wire) => ended.resolve(await wire.untilEnd()));
  await using proxy = await startProxy(tcpRecorder(events, (flow) => flow.kill()));
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.send("\x00ab");
  await client.untilEnd();
  await ended.promise;
  await events.seen("error");
  assertEquals(events.count("end"), 0);
});

Deno.test("stopping cuts a tunnel whose client has ended and whose origin never does, and tcp_error runs", async () => {
  const events = new Events(), release = Promise.withResolvers<void>();
  await using server = await tcpOrigin(async (wire) => {
    await wire.readToEnd();
    events.push("the origin saw the end");
    await release.promise;
  });
  await using proxy = await startProxy(tcpRecorder(events), { shutdown_grace: 0 });
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  await client.send("\x00ab");
  await client.closeWrite();
  await events.seen("the origin saw the end");
  await proxy.stop();
  assertEquals(events.list.at(-1), "error");
  release.resolve();
});

Deno.test("a tunnel to nowhere is answered 502 or closed, and tcp_error or error says why", async () => {
  await using gone = await origin(withLength(""));
  const { authority } = gone;
  await gone[Symbol.asyncDispose]();
  await using proxy = await startProxy([], { ignore_hosts: [".*"] });
  await using client = await Client.connect(proxy);
  await client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n\x00ab`);
  const { text } = await client.readToEnd();
  if (!text.startsWith("HTTP/1.1 200")) assertMatch(text, /^HTTP\/1\.1 502 /);
  await proxy.logged(new RegExp(authority));
});

Deno.test("a TLS tunnel that is passed through is never held up by the other direction", async () => {
  await using server = await tcpOrigin(async (wire) => {
    for (let i = 0; i < 50; i++) {
      const ping = await wire.readExactly(4);
      await wire.send(ping);
    }
  });
  await using proxy = await startProxy([], { ignore_hosts: [".*"] });
  await using client = await Client.connect(proxy);
  await client.tunnel(server.authority);
  for (let i = 0; i < 50; i++) {
    await client.send("ping");
    assertEquals(textOf(await client.readExactly(4)), "ping");
  }
});

for (const what of ["raw bytes", "TLS that is passed through", "intercepted TLS", "nothing yet"]) {
  Deno.test(`flow.kill() on a CONNECT that is established cuts both sides: ${what}`, async () => {
    let connect: HttpFlow | null = null;
    const arrived = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const isTls = what.includes("TLS");
    const serve = async (wire: Wire) => {
      arrived.resolve();
      await wire.readToEnd();
      ended.resolve();
    };
    await using server = await (isTls ? origin(serve, { tls: true }) : tcpOrigin(serve));
    await using proxy = await startProxy(
      { http_connect: (flow) => void (connect = flow) },
      what.includes("passed") ? { ignore_hosts: ["localhost"] } : {},
    );
    await using client = await Client.connect(proxy);
    await client.tunnel(server.authority);
    if (isTls) {
      await client.startTls("localhost", what.includes("passed") ? await originCa() : await proxy.ca());
    }
    if (isTls) await client.send(`GET / HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    else if (what === "raw bytes") await client.send("\x00raw");
    await within(SOON, arrived.promise, "the origin");
    connect!.kill();
    await within(SOON, client.readToEnd(), "the client's end");
    await within(SOON, ended.promise, "the origin's end");
  });
}

Deno.test("server_disconnected comes once, when a connection that was upgraded really ends", async () => {
  for (const how of ["closed", "killed"]) {
    const events = new Events();
    let flow: HttpFlow | null = null;
    await using server = await origin(async (wire) => {
      await wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n");
      for (let bytes; (bytes = await wire.readSome()) !== null;) await wire.send(bytes);
      wire.close();
    });
    await using proxy = await startProxy({
      response: (given) => void (flow = given),
      server_connected: () => events.push("connected"),
      server_disconnected: () => events.push("disconnected"),
      complete: () => events.push("end"),
      error: () => events.push("end"),
    });
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(), { fields: "Connection: Upgrade\r\nUpgrade: echo/1\r\n" }));
    await client.head();
    await client.send("ping");
    assertEquals(textOf(await client.readExactly(4)), "ping");
    assertEquals(events.list, ["connected"]);
    if (how === "killed") flow!.kill();
    else await client.closeWrite();
    await client.readToEnd();
    await events.seen("end");
    await proxy.stop();
    assertEquals(events.list.toSorted(), ["connected", "disconnected", "end"]);
  }
});
