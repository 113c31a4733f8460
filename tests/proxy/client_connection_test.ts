import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Addon } from "../../src/hooks/mod.ts";
import type { OptionChanges } from "../../src/options/registry.ts";
import { parseMode } from "../../src/options/mod.ts";
import type { ClientTimeouts } from "../../src/proxy/client.ts";
import { serveClient } from "../../src/proxy/client_connection.ts";
import { ConnectionsAhead } from "../../src/proxy/connections_ahead.ts";
import { modeOf } from "../../src/proxy/modes/mod.ts";
import type { Destination } from "../../src/proxy/route.ts";
import type { Dialed } from "../../src/proxy/upstream_dialer.ts";
import { bytesBody } from "../../src/streams/bytes_body.ts";
import { serverConn } from "../support/addon_host.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type MemoryConn, memoryConnPair } from "../support/memory_conn.ts";
import { utf8 } from "../streams/support.ts";
import { lease, proxyContext, responseHead } from "./support.ts";

interface Given {
  mode?: string;
  addon?: Addon;
  options?: OptionChanges;
  /** What dialing for raw bytes does; by default it gives the test the other end. */
  connect?: () => Promise<Dialed>;
  /** weir is stopping already. */
  stopped?: boolean;
  timeouts?: ClientTimeouts;
}

/** A client's connection that is served, the origins that were dialed for it, and what happened. */
class Served implements AsyncDisposable {
  readonly client: MemoryConn;
  readonly conn: MemoryConn;
  readonly log: string[] = [];
  readonly lines: string[];
  /** The other ends of connections that were dialed for raw bytes, as they come. */
  readonly dialed: MemoryConn[] = [];
  readonly done: Promise<void>;
  readonly stopping = new AbortController();
  #onDialed: (() => void) | null = null;
  readonly #ahead = new ConnectionsAhead(() => void this.log.push("server_disconnected"));

  constructor(given: Given = {}) {
    [this.client, this.conn] = memoryConnPair();
    const recorder: Addon = {
      client_connected: () => void this.log.push("connected"),
      client_disconnected: () => void this.log.push("disconnected"),
      server_disconnected: () => void this.log.push("server_disconnected"),
    };
    const { context, lines } = proxyContext(
      () => Promise.reject(new Error("unused")),
      [recorder, given.addon ?? {}],
      given.options,
      {
        stopping: this.stopping.signal,
        cut: new AbortController().signal,
        pool: {
          acquire: (to) => {
            this.log.push(`acquire ${to.scheme}://${to.host}:${to.port}`);
            return lease(
              [],
              () => ({ head: responseHead(200), body: bytesBody(utf8("hi")), upgraded: null }),
            );
          },
          connect: async (to, clientConn) => {
            return this.#ahead.take(to, clientConn) ?? await this.#connect(given, to);
          },
          connectAhead: async (to, clientConn) => {
            return this.#ahead.keep({ ...await this.#connect(given, to), destination: to, clientConn });
          },
          release: (clientConn) => this.#ahead.release(clientConn),
        },
      },
    );
    this.lines = lines;
    if (given.stopped) this.stopping.abort();
    const mode = modeOf(parseMode(given.mode ?? "regular"), context.options);
    this.done = serveClient(context, this.conn, mode, given.timeouts);
  }

  #connect(given: Given, to: Destination): Promise<Dialed> {
    this.log.push(`connect ${to.scheme}://${to.host}:${to.port}`);
    return given.connect?.() ?? Promise.resolve(this.#dial());
  }

  #dial(): Dialed {
    const [conn, peer] = memoryConnPair();
    this.dialed.push(peer);
    this.#onDialed?.();
    return { conn, serverConn };
  }

  async connect(target: string): Promise<void> {
    await this.client.writeText(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    assertMatch(await this.client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
  }

  /** The other end of the connection that is dialed next, or was. */
  async origin(): Promise<MemoryConn> {
    if (this.dialed.length === 0) await new Promise<void>((resolve) => this.#onDialed = resolve);
    return this.dialed[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.conn.reset();
    await this.done;
    assertEquals([this.log[0], this.log.at(-1)], ["connected", "disconnected"]);
    for (const peer of this.dialed) peer.close();
  }
}

Deno.test("requests are served one after another, each where it says", async () => {
  await using served = new Served();
  for (const path of ["/a", "/b"]) {
    await served.client.writeText(`GET http://a.example${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`);
    assertMatch(await served.client.readUntil("hi"), /^HTTP\/1\.1 200 .*content-length: 2\r\n/is);
  }
  assertEquals(served.log.slice(1), ["acquire http://a.example:80", "acquire http://a.example:80"]);
});

Deno.test("a request without a URL is told how a proxy is used; in reverse mode it goes to the origin", async () => {
  const request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  await using regular = new Served();
  await regular.client.writeText(request);
  assertMatch(await regular.client.readUntil("ORIGIN.\n"), /^HTTP\/1\.1 400 .*send the whole URL/s);
  await using reverse = new Served({ mode: "reverse:https://o.example:8443" });
  await reverse.client.writeText(request);
  assertMatch(await reverse.client.readUntil("hi"), /^HTTP\/1\.1 200 /);
  assertEquals(reverse.log.slice(1), ["acquire https://o.example:8443"]);
});

Deno.test("CONNECT is refused where weir is an origin", async () => {
  await using served = new Served({ mode: "reverse:http://o.example" });
  await served.client.writeText("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  assertMatch(await served.client.readUntil("origin.\n"), /^HTTP\/1\.1 400 /);
});

Deno.test("http_connect answers in place of weir, kills, or sends the tunnel elsewhere", async () => {
  const connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
  await using answered = new Served({
    addon: { http_connect: (flow) => flow.response = new Response("no", { status: 407 }) },
  });
  await answered.client.writeText(connect);
  assertMatch(await answered.client.readUntil("no"), /^HTTP\/1\.1 407 /);
  await using killed = new Served({ addon: { http_connect: (flow) => flow.kill() } });
  await killed.client.writeText(connect);
  assertEquals(await killed.client.readToEnd(), "");
  await using moved = new Served({
    addon: { http_connect: (flow) => void (flow.request.host = "b.example") },
  });
  await moved.connect("a.example:443");
  await moved.client.writeText("\0");
  await moved.origin();
  assertEquals(moved.log.slice(1), ["connect http://b.example:443"]);
});

Deno.test("inside CONNECT: HTTP is served, unknown bytes are passed on", async () => {
  await using http = new Served();
  await http.connect("a.example:8000");
  await http.client.writeText("GET /x HTTP/1.1\r\nHost: a.example:8000\r\n\r\n");
  await http.client.readUntil("hi");
  assertEquals(http.log.slice(1), ["acquire http://a.example:8000"]);
  await using raw = new Served();
  await raw.connect("a.example:25");
  await raw.client.writeText("\0abc");
  assertEquals(await (await raw.origin()).readUntil("abc"), "\0abc");
});

/** A client that says nothing inside CONNECT, for so long that its origin is asked: the origin's end. */
async function silent(served: Served, clock: FakeClock, authority: string) {
  await served.connect(authority);
  await clock.pass(500);
  return await served.origin();
}

Deno.test("a server that speaks first is heard, and everything that the client says reaches it", async () => {
  using clock = new FakeClock();
  await using served = new Served();
  const server = await silent(served, clock, "a.example:25");
  await server.writeText("220 hello\r\n");
  assertEquals(await served.client.readUntil("\r\n"), "220 hello\r\n");
  // Each of these could still become an HTTP method.
  for (const text of ["E", "H", "LO a\r\n"]) await served.client.writeText(text);
  assertEquals(await server.readUntil("\r\n"), "EHLO a\r\n");
});

Deno.test("a tunnel whose client has not spoken is not cut when weir begins to stop", async () => {
  using clock = new FakeClock();
  await using served = new Served();
  const server = await silent(served, clock, "a.example:25");
  await server.writeText("220 hello\r\n");
  await served.client.readUntil("\r\n");
  served.stopping.abort();
  await served.client.writeText("QUIT\r\n");
  assertEquals(await server.readUntil("\r\n"), "QUIT\r\n");
});

Deno.test("a silent client that turns out to speak HTTP is served, and the connection is there for its request", async () => {
  using clock = new FakeClock();
  await using served = new Served();
  await silent(served, clock, "a.example:8000");
  await served.client.writeText("GET / HTTP/1.1\r\nHost: a.example:8000\r\n\r\n");
  await served.client.readUntil("hi");
  assertEquals(served.log.slice(1), ["connect http://a.example:8000", "acquire http://a.example:8000"]);
});

Deno.test("a server that ends before anybody has spoken ends its client's tunnel", async () => {
  using clock = new FakeClock();
  await using served = new Served();
  const server = await silent(served, clock, "a.example:25");
  server.close();
  assertEquals(await served.client.readToEnd(), "");
  await served.done;
  assertEquals(served.log.slice(1), ["connect http://a.example:25", "server_disconnected", "disconnected"]);
});

Deno.test("a silent client that goes away, or weir that stops: the origin's connection is closed", async () => {
  for (const end of ["reset", "close", "stop"] as const) {
    using clock = new FakeClock();
    await using served = new Served();
    const server = await silent(served, clock, "a.example:25");
    if (end === "stop") served.stopping.abort();
    else served.client[end]();
    assertEquals(await server.readToEnd(), "");
    await served.done;
    assertEquals(served.log.slice(-2), ["server_disconnected", "disconnected"]);
  }
});

const refused = () =>
  Promise.reject(new WeirError("server", "unreachable", "Connecting to a.example failed."));

Deno.test("a tunnel that cannot be made is in the log, and its client is cut", async () => {
  for (const text of ["", "\0abc"]) {
    using clock = new FakeClock();
    await using served = new Served({ connect: refused });
    await served.connect("a.example:25");
    if (text !== "") await served.client.writeText(text);
    if (text === "") await clock.pass(500);
    assertEquals(await served.client.readToEnd(), "");
    await served.done;
    assert(served.lines.includes("warn: Connecting to a.example failed."));
  }
});

Deno.test("ignore_hosts: CONNECT is answered when the origin is there, else with 502", async () => {
  const options = { ignore_hosts: ["a\\.example"] };
  await using there = new Served({ options });
  await there.connect("a.example:443");
  await there.client.writeText("GET / HTTP/1.1\r\n");
  assertEquals(await (await there.origin()).readUntil("\r\n"), "GET / HTTP/1.1\r\n");
  await using gone = new Served({ options, connect: refused });
  await gone.client.writeText("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  assertStringIncludes(await gone.client.readUntil("failed.\n"), "HTTP/1.1 502 Bad Gateway\r\n");
});

Deno.test("ignore_hosts: a client that is gone when the origin is there leaves no connection behind", async () => {
  const connecting = Promise.withResolvers<Dialed>();
  await using served = new Served({ options: { ignore_hosts: ["."] }, connect: () => connecting.promise });
  await served.client.writeText("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  served.client.reset();
  const [conn, peer] = memoryConnPair();
  connecting.resolve({ conn, serverConn });
  assertEquals(await peer.readToEnd(), "");
  await served.done;
  assertEquals(served.log.slice(-2), ["server_disconnected", "disconnected"]);
  peer.close();
});

Deno.test("allow_hosts that names others: HTTP inside CONNECT is bytes, too", async () => {
  await using served = new Served({ options: { allow_hosts: ["b\\.example"] } });
  await served.connect("a.example:8000");
  await served.client.writeText("GET / HTTP/1.1\r\n\r\n");
  await (await served.origin()).readUntil("\r\n\r\n");
  assertEquals(served.log.slice(1), ["connect http://a.example:8000"]);
});

Deno.test("an idle connection is closed when weir stops, also when it came after that", async () => {
  await using before = new Served();
  before.stopping.abort();
  assertEquals(await before.client.readToEnd(), "");
  await using after = new Served({ stopped: true });
  assertEquals(await after.client.readToEnd(), "");
});

Deno.test("bytes that are no request are refused and said in the log", async () => {
  await using served = new Served();
  await served.client.writeText("GET  HTTP/1.1\r\n\r\n");
  assertMatch(await served.client.readToEnd(), /^HTTP\/1\.1 400 /);
  assertMatch(served.lines[0], /^warn: 127\.0\.0\.1:50001: /);
});

Deno.test("a client that says nothing is cut after a while: fresh, inside CONNECT, and in the preface of HTTP/2", async () => {
  for (const begin of ["", "CONNECT", "PRI * HTTP"]) {
    await using served = new Served({ timeouts: { firstBytesTimeoutMs: 20 } });
    if (begin === "CONNECT") await served.connect("a.example:443");
    else if (begin !== "") await served.client.writeText(begin);
    assertEquals(await served.client.readToEnd(), "");
    await served.done;
  }
});

/** The first bytes of a handshake record with a ClientHello of 256 bytes. */
const HELLO_START = Uint8Array.of(22, 3, 1, 1, 4, 1, 0, 1, 0, 3, 3);

Deno.test("a ClientHello that does not end is cut after its own, shorter time", async () => {
  const given = { mode: "reverse:https://o.example", timeouts: { helloTimeoutMs: 20 } };
  await using served = new Served(given);
  await served.client.write(HELLO_START);
  assertEquals(await served.client.readToEnd(), "");
  await served.done;
  await using tunnel = new Served({ timeouts: { helloTimeoutMs: 20 } });
  await tunnel.connect("a.example:443");
  await tunnel.client.write(HELLO_START);
  assertEquals(await tunnel.client.readToEnd(), "");
  await tunnel.done;
});

Deno.test("a TLS record without a ClientHello closes the connection, and the log says why", async () => {
  await using served = new Served();
  await served.connect("a.example:443");
  await served.client.write(Uint8Array.of(22, 3, 1, 0, 4, 0x67, 0x61, 0x72, 0x62));
  assertEquals(await served.client.readToEnd(), "");
  await served.done;
  assertEquals(served.lines, [
    "warn: 127.0.0.1:50001: TLS with the client failed (a.example): it began a TLS record in which there is no ClientHello",
  ]);
});

Deno.test("client_connected may refuse a connection: it is closed without a word, and its end is told", async () => {
  await using served = new Served({
    addon: { client_connected: (client) => void (client.error = "Not from there.") },
  });
  await served.done;
  assertEquals(await served.client.readToEnd(), "");
  assertEquals(served.log, ["connected", "disconnected"]);
  assertMatch(served.lines.join(), /Not from there/);
});
