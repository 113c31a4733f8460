import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { ClientConnection } from "../../src/flow/connection.ts";
import { HttpFlow } from "../../src/flow/flow.ts";
import { type Addon, Dispatcher } from "../../src/hooks/mod.ts";
import { Code } from "../../src/http2/errors.ts";
import { PREFACE, serveHttp2 } from "../../src/http2/mod.ts";
import type { TlsInfo } from "../../src/net/conn.ts";
import type { Destination } from "../../src/proxy/route.ts";
import type { Dialed } from "../../src/proxy/upstream_dialer.ts";
import { type Avoid, type Dialer, type Lease, UpstreamPool } from "../../src/proxy/upstream_pool.ts";
import { addonHost, clientConn, httpFlow, serverConn } from "../support/addon_host.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { type MemoryConn, memoryConnPair } from "../support/memory_conn.ts";
import { turn } from "../streams/support.ts";
import { FramePeer, FrameType } from "../http2/support.ts";
import { echo, request, textOf } from "../http1/support.ts";

/** Makes connections in memory, with an origin at the other end of each. */
class FakeDialer implements Dialer {
  /** One for each connection that was made, `host alpn`. */
  readonly dialed: string[] = [];
  readonly conns: MemoryConn[] = [];
  readonly peers: MemoryConn[] = [];
  readonly served: Promise<unknown>[] = [];
  /** Connections wait for it. */
  gate: Promise<unknown> = Promise.resolve();
  alpn = "http/1.1";
  /** Without TLS: what origins speak, and nothing else. */
  cleartext: "h2" | "http/1.1" = "http/1.1";
  closed = false;
  /** Over HTTP/2 it says HTTP_1_1_REQUIRED: to each request, or before any. */
  requiresHttp1: boolean | "at once" = false;

  dialAhead(): Promise<never> {
    return Promise.reject(new Error("unused"));
  }

  release(): void {}

  async dial(
    { scheme, host }: Destination,
    _client: ClientConnection,
    alpn: readonly string[],
  ): Promise<Dialed> {
    this.dialed.push(`${host} ${alpn[0]}`);
    const chosen = alpn.includes(this.alpn) ? this.alpn : "http/1.1";
    await this.gate;
    const tls: TlsInfo | undefined = scheme === "http" ? undefined : {
      sni: host,
      alpn: chosen,
      version: null,
      cipher: null,
      peerCertificate: Uint8Array.of(1),
      peerCertificates: [Uint8Array.of(1)],
    };
    const [conn, peer] = memoryConnPair({ tls });
    this.conns.push(conn);
    this.peers.push(peer);
    this.served.push(
      (tls?.alpn ?? this.cleartext) === "h2"
        ? this.requiresHttp1
          ? this.#refuseHttp2(peer)
          : serveHttp2(peer, async (incoming) => await echo(incoming))
        : answerAll(peer),
    );
    return { conn, serverConn: { ...serverConn, tls: conn.tls } };
  }

  async #refuseHttp2(conn: MemoryConn): Promise<void> {
    const peer = new FramePeer(conn);
    try {
      await conn.readExactly(PREFACE.length);
      await peer.start("server");
      if (this.requiresHttp1 === "at once") {
        await peer.send(FrameType.GOAWAY, 0, 0, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, Code.HTTP_1_1_REQUIRED));
      }
      for (;;) {
        const { type, streamId } = await peer.read();
        if (type === FrameType.HEADERS) await peer.rst(streamId, Code.HTTP_1_1_REQUIRED);
      }
    } catch {
      conn.close();
    }
  }

  close(): void {
    this.closed = true;
  }

  /** Which of the connections are closed here, by number. */
  get closedConns(): number[] {
    return this.conns.flatMap((conn, i) => conn.closed ? [i] : []);
  }
}

/** An origin without timers: "ok" to everything; 101 to upgrades. */
async function answerAll(peer: MemoryConn): Promise<void> {
  try {
    for (;;) {
      const head = await peer.readUntil("\r\n\r\n");
      if (head.includes("/slow")) continue;
      if (/^upgrade:/im.test(head)) {
        await peer.writeText(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n",
        );
      } else await peer.writeText("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  } catch {
    peer.close();
  }
}

/** A pool with its dialer; what is left of both is closed and awaited at the end. */
class Fixture implements AsyncDisposable {
  readonly dialer = new FakeDialer();
  readonly events: string[] = [];
  readonly pool: UpstreamPool;

  constructor(options: { http2?: boolean } = {}, addon: Addon = {}) {
    const host = addonHost();
    void host.options.update(options);
    const hooks = new Dispatcher(host.ctx);
    const recorder: Addon = { server_disconnected: () => void this.events.push("disconnected"), ...addon };
    hooks.setAddons([{ name: "test", hooks: recorder, builtin: false }]);
    const unused = () => Promise.reject(new Error("unused"));
    this.pool = new UpstreamPool(
      { options: host.options.values, hooks, isLoop: () => false, trusted: unused, identityFor: unused },
      this.dialer,
    );
  }

  acquire(
    to: Partial<Destination> = {},
    given: { avoid?: Avoid; upgrade?: boolean; flow?: HttpFlow } = {},
  ): Lease | Promise<Lease> {
    const { avoid = null, upgrade = false, flow = httpFlow() } = given;
    return this.pool.acquire(destination(to), flow, { avoid, http1: upgrade });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool.close();
    for (const conn of this.dialer.conns) conn.close();
    await Promise.all(this.dialer.served);
  }
}

function destination(to: Partial<Destination> = {}): Destination {
  return { scheme: "http", host: "a.example", port: 80, sni: null, ...to };
}

const SECURE = { scheme: "https", port: 443 } as const;

/** One whole exchange. */
async function use(place: Lease, path = "/"): Promise<void> {
  const { body } = await place.exchange.send(request("GET", path), null, () => {});
  await textOf(body);
  await place.exchange.sent;
  place.release();
}

const LOST = new WeirError("server", "closed", "The server closed its connection.");

Deno.test("a connection that was given back serves the next request, at once", async () => {
  await using fixture = new Fixture();
  const first = await fixture.acquire();
  assertEquals(first.exchange.repeatable(LOST), "none");
  await use(first);
  const second = fixture.acquire();
  assert(!(second instanceof Promise));
  assertEquals(second.exchange.repeatable(LOST), "idempotent");
  await use(second);
  assertEquals(fixture.dialer.dialed, ["a.example h2"]);
});

Deno.test("a request that avoids what is there gets a new connection, whatever is idle", async () => {
  await using fixture = new Fixture();
  await use(await fixture.acquire());
  const second = await fixture.acquire({}, { avoid: "pooled" });
  assertEquals(second.exchange.repeatable(LOST), "none");
  await use(second);
  assertEquals(fixture.dialer.dialed.length, 2);
});

Deno.test("an exclusive connection serves one request at a time; the newest is used first", async () => {
  await using fixture = new Fixture();
  const [a, b] = await Promise.all([fixture.acquire(), fixture.acquire()]);
  await use(a);
  await use(b);
  assertEquals(fixture.dialer.dialed.length, 2);
  const again = await fixture.acquire();
  fixture.dialer.conns[1].bytesWritten = 0;
  await use(again);
  assert(fixture.dialer.conns[1].bytesWritten > 0);
});

const PROXY = { scheme: "http", host: "proxy.example", port: 3128, credentials: null } as const;
const LOGIN = { username: "u", password: "p" };

const OTHERS: [string, Partial<Destination>, Partial<Destination>][] = [
  ["host", {}, { host: "b.example" }],
  ["port", {}, { port: 81 }],
  ["scheme", {}, { scheme: "https" }],
  ["name of the certificate", SECURE, { ...SECURE, sni: "b.example" }],
  ["way, by a proxy", {}, { via: PROXY }],
  ["way, by a proxy, over TLS", SECURE, { ...SECURE, via: PROXY }],
  ["proxy", { via: PROXY }, { via: { ...PROXY, port: 3129 } }],
  ["kind of proxy", { via: PROXY }, { via: { ...PROXY, scheme: "socks5" } }],
  ["user of the proxy", { ...SECURE, via: PROXY }, { ...SECURE, via: { ...PROXY, credentials: LOGIN } }],
  ["purpose, a tunnel through the proxy", { via: PROXY }, { via: PROXY, isRaw: true }],
  ["origin behind a SOCKS5 proxy", { via: { ...PROXY, scheme: "socks5" } }, {
    host: "b.example",
    via: { ...PROXY, scheme: "socks5" },
  }],
];
for (const [what, one, other] of OTHERS) {
  Deno.test(`a connection does not serve another ${what}`, async () => {
    await using fixture = new Fixture();
    await use(await fixture.acquire(one));
    await use(await fixture.acquire(other));
    assertEquals(fixture.dialer.dialed.length, 2);
    assert(!(fixture.acquire(one) instanceof Promise));
  });
}

Deno.test("a connection that was logged in with NTLM serves only the client that did", async () => {
  await using fixture = new Fixture();
  const headers = { Authorization: "NTLM abc" };
  const of = (id: string) => {
    const { request } = httpFlow({ headers });
    return { flow: new HttpFlow(request, { ...clientConn, id }) };
  };
  await use(await fixture.acquire({}, of("1")));
  assertInstanceOf(fixture.acquire({}, of("2")), Promise);
  assertInstanceOf(fixture.acquire(), Promise);
  assert(!(fixture.acquire({}, of("1")) instanceof Promise));
  await turn();
});

Deno.test("behind a login with NTLM or Negotiate, the requests of that client keep its connection until it is gone", async () => {
  for (const scheme of ["NTLM", "Negotiate", "negotiate"]) {
    await using fixture = new Fixture();
    const client: { -readonly [K in keyof ClientConnection]: ClientConnection[K] } = { ...clientConn };
    const flow = (headers: Record<string, string> = {}) => ({
      flow: new HttpFlow(httpFlow({ headers }).request, client),
    });
    await use(await fixture.acquire({}, flow()));
    await use(await fixture.acquire({}, flow({ Authorization: `${scheme} abc` })));
    // Without credentials: it is the connection that is logged in.
    for (let i = 0; i < 3; i++) {
      const place = fixture.acquire({}, flow());
      assert(!(place instanceof Promise));
      await use(place);
    }
    assertEquals([fixture.dialer.dialed.length, fixture.dialer.closedConns], [2, []]);
    // To another origin, it is like any other client.
    await use(await fixture.acquire({ host: "b.example" }, flow()));
    client.timestampEnd = 1;
    fixture.pool.release(client);
    assertEquals(fixture.dialer.closedConns, [1]);
    const next = { flow: new HttpFlow(httpFlow().request, { ...clientConn, id: "next" }) };
    await use(await fixture.acquire({}, next));
    assertEquals(fixture.dialer.dialed.length, 3);
  }
});

Deno.test("a login whose client left while a request was under way is closed when that is over", async () => {
  await using fixture = new Fixture();
  const client: { -readonly [K in keyof ClientConnection]: ClientConnection[K] } = { ...clientConn };
  const { request } = httpFlow({ headers: { Authorization: "NTLM abc" } });
  const place = await fixture.acquire({}, { flow: new HttpFlow(request, client) });
  client.timestampEnd = 1;
  fixture.pool.release(client);
  assertEquals(fixture.dialer.closedConns, []);
  await use(place);
  assertEquals(fixture.dialer.closedConns, [0]);
});

Deno.test("a login is kept while its client is there, however long it is idle", async () => {
  using clock = new FakeClock();
  await using fixture = new Fixture();
  const login = {
    flow: new HttpFlow(httpFlow({ headers: { Authorization: "NTLM abc" } }).request, clientConn),
  };
  await use(await fixture.acquire({}, login));
  await use(await fixture.acquire({ host: "b.example" }));
  await clock.pass(200_000);
  assertEquals(fixture.dialer.closedConns, [1]);
});

Deno.test("a connection that the origin closes while idle is forgotten, and hooks hear of it once", async () => {
  await using fixture = new Fixture();
  await use(await fixture.acquire());
  fixture.dialer.peers[0].close();
  await turn();
  assertEquals(fixture.events, ["disconnected"]);
  assertInstanceOf(fixture.acquire(), Promise);
  await turn();
});

Deno.test("discard closes an exclusive connection; so does release before the response was read", async () => {
  await using fixture = new Fixture();
  (await fixture.acquire()).discard();
  const unread = await fixture.acquire();
  await unread.exchange.send(request("GET", "/"), null, () => {});
  unread.release();
  unread.release();
  unread.discard();
  assertEquals(fixture.dialer.closedConns, [0, 1]);
  await turn();
  assertEquals(fixture.events, ["disconnected", "disconnected"]);
});

Deno.test("a place is given back once: what its connection does afterwards is somebody else's", async () => {
  await using fixture = new Fixture();
  const first = await fixture.acquire();
  await use(first);
  const second = await fixture.acquire();
  first.release();
  first.discard();
  await use(second);
  assertEquals([fixture.dialer.dialed.length, fixture.dialer.closedConns], [1, []]);
});

Deno.test("a failed exchange leaves nothing in the pool", async () => {
  await using fixture = new Fixture();
  const place = await fixture.acquire();
  const sending = place.exchange.send(request("GET", "/slow"), null, () => {});
  place.exchange.abort(new WeirError("weir", "killed", "Killed."));
  await assertRejects(() => sending, WeirError, "Killed.");
  place.release();
  assertInstanceOf(fixture.acquire(), Promise);
  await turn();
});

Deno.test("at most 64 connections are kept idle for one origin", async () => {
  await using fixture = new Fixture();
  const places = await Promise.all(Array.from({ length: 66 }, () => fixture.acquire()));
  for (const place of places) await use(place);
  assertEquals(fixture.dialer.closedConns, [64, 65]);
});

Deno.test("at most 256 connections are kept in all: the one that was idle for longest goes", async () => {
  await using fixture = new Fixture();
  const now = performance.now;
  let clock = now.call(performance);
  performance.now = () => clock++;
  try {
    for (let i = 0; i < 257; i++) await use(await fixture.acquire({ host: `${i}.example` }));
  } finally {
    performance.now = now;
  }
  assertEquals(fixture.dialer.closedConns, [0]);
});

Deno.test("a connection in use comes back to its origin, however many origins were seen meanwhile", async () => {
  await using fixture = new Fixture();
  const held = await fixture.acquire();
  for (let i = 0; i < 1200; i++) await use(await fixture.acquire({ host: `${i}.example` }));
  await use(held);
  const again = fixture.acquire();
  assert(!(again instanceof Promise));
  assertStrictEquals(again.serverConn, held.serverConn);
  await use(again);
});

Deno.test("a connection that was idle for a minute is closed, one that was used since is not", async () => {
  const { setTimeout } = globalThis, { now } = performance;
  let clock = 0, sweep = () => {};
  performance.now = () => clock;
  try {
    await using fixture = new Fixture();
    // The sweeper's is the first timer: the connections' other ends have none.
    globalThis.setTimeout = ((callback: () => void, ms: number) => {
      const timer = setTimeout(callback, ms);
      sweep = () => {
        clearTimeout(timer);
        callback();
      };
      return timer;
    }) as typeof setTimeout;
    await use(await fixture.acquire({ host: "old.example" }));
    globalThis.setTimeout = setTimeout;
    clock = 40_000;
    await use(await fixture.acquire({ host: "new.example" }));
    clock = 61_000;
    sweep();
    assertEquals(fixture.dialer.closedConns, [0]);
    assert(!(fixture.acquire({ host: "new.example" }) instanceof Promise));
  } finally {
    globalThis.setTimeout = setTimeout;
    performance.now = now;
  }
});

Deno.test("one HTTP/2 connection is for all; giving a place back, or dropping it, does not close it", async () => {
  await using fixture = new Fixture();
  fixture.dialer.alpn = "h2";
  const places = await Promise.all([1, 2, 3].map(() => fixture.acquire(SECURE)));
  assertEquals(fixture.dialer.dialed, ["a.example h2"]);
  await Promise.all(places.slice(1).map((place) => use(place)));
  places[0].exchange.abort(new WeirError("weir", "killed", "Killed."));
  places[0].discard();
  assertEquals(fixture.dialer.closedConns, []);
  const again = fixture.acquire(SECURE);
  assert(!(again instanceof Promise));
  await use(again);
});

Deno.test("a request that one HTTP/2 connection refused goes over another that is there, else over a new one", async () => {
  await using fixture = new Fixture();
  fixture.dialer.alpn = "h2";
  const first = await fixture.acquire(SECURE);
  const second = await fixture.acquire(SECURE, { avoid: first.serverConn });
  await use(second);
  const third = fixture.acquire(SECURE, { avoid: second.serverConn });
  assert(!(third instanceof Promise));
  assertEquals(third.serverConn, first.serverConn);
  assertEquals(fixture.dialer.dialed.length, 2);
  await use(third);
  await use(first);
});

Deno.test("those who wait for a connection that turns out to be exclusive make their own, and do not wait again", async () => {
  await using fixture = new Fixture();
  const gate = Promise.withResolvers<void>();
  fixture.dialer.gate = gate.promise;
  const waiting = [fixture.acquire(SECURE), fixture.acquire(SECURE)];
  await turn();
  assertEquals(fixture.dialer.dialed.length, 1);
  gate.resolve();
  for (const place of await Promise.all(waiting)) await use(place);
  assertEquals(fixture.dialer.dialed.length, 2);
  fixture.dialer.gate = new Promise(() => {});
  for (let i = 0; i < 4; i++) void fixture.acquire(SECURE);
  assertEquals(fixture.dialer.dialed.length, 4);
});

Deno.test("those who wait for a connection that fails try for themselves", async () => {
  await using fixture = new Fixture();
  const gate = Promise.withResolvers<void>();
  fixture.dialer.gate = gate.promise;
  const first = fixture.acquire(SECURE);
  const second = fixture.acquire(SECURE);
  fixture.dialer.gate = Promise.resolve();
  gate.reject(new WeirError("server", "unreachable", "Refused."));
  await assertRejects(() => Promise.resolve(first), WeirError, "Refused.");
  await use(await second);
});

Deno.test("an upgrade gets an HTTP/1.1 connection, which does not come back", async () => {
  await using fixture = new Fixture();
  fixture.dialer.alpn = "h2";
  const place = await fixture.acquire(SECURE, { upgrade: true });
  const head = request("GET", "/", [["Host", "a.example"], ["Connection", "upgrade"], ["Upgrade", "raw"]]);
  const { upgraded } = await place.exchange.send(head, null, () => {});
  place.release();
  assertEquals(fixture.dialer.dialed, ["a.example http/1.1"]);
  assertEquals(fixture.dialer.closedConns, []);
  assertInstanceOf(fixture.acquire(SECURE, { upgrade: true }), Promise);
  await turn();
  upgraded!.close();
});

Deno.test("an origin that asks for HTTP/1.1 gets it from then on, and is asked again after five minutes", async () => {
  using clock = new FakeClock();
  await using fixture = new Fixture();
  fixture.dialer.alpn = "h2";
  fixture.dialer.requiresHttp1 = true;
  const place = await fixture.acquire(SECURE);
  await assertRejects(() => use(place), WeirError, "HTTP_1_1_REQUIRED");
  place.release();
  await use(await fixture.acquire(SECURE));
  await use(await fixture.acquire({ ...SECURE, host: "b.example", sni: null }, { upgrade: true }));
  await fixture.pool.preconnect(destination(SECURE), clientConn);
  assertEquals(fixture.dialer.dialed, [
    "a.example h2",
    "a.example http/1.1",
    "b.example http/1.1",
    "a.example http/1.1",
  ]);
  fixture.dialer.requiresHttp1 = false;
  await clock.pass(301_000);
  await use(await fixture.acquire(SECURE));
  assertEquals(fixture.dialer.dialed.at(-1), "a.example h2");
});

Deno.test("an origin that begins with GOAWAY because it wants HTTP/1.1 gets it at once", async () => {
  await using fixture = new Fixture();
  fixture.dialer.alpn = "h2";
  fixture.dialer.requiresHttp1 = "at once";
  const place = await fixture.acquire(SECURE);
  // The request may be sent before the GOAWAY has come.
  await use(place).catch(() => place.release());
  await use(await fixture.acquire(SECURE));
  assertEquals([...new Set(fixture.dialer.dialed)], ["a.example h2", "a.example http/1.1"]);
});

Deno.test("an origin without TLS that speaks HTTP/2 alone: one connection finds out, the next is shared", async () => {
  await using fixture = new Fixture();
  fixture.dialer.cleartext = "h2";
  await assertRejects(async () => await use(await fixture.acquire()), WeirError, "speaks HTTP/2");
  const places = await Promise.all([fixture.acquire(), fixture.acquire()]);
  await Promise.all(places.map((place) => use(place)));
  await use(await fixture.acquire());
  assertEquals(fixture.dialer.dialed.length, 2);
});

Deno.test("an origin that spoke HTTP/2 without TLS and no longer does is tried with HTTP/1.1 again", async () => {
  await using fixture = new Fixture();
  fixture.dialer.cleartext = "h2";
  await assertRejects(async () => await use(await fixture.acquire()), WeirError, "speaks HTTP/2");
  fixture.dialer.cleartext = "http/1.1";
  await assertRejects(async () => await use(await fixture.acquire()), WeirError);
  while (fixture.events.length < 2) await turn();
  await use(await fixture.acquire());
});

Deno.test("http2=false: an origin without TLS that speaks HTTP/2 alone cannot be used", async () => {
  await using fixture = new Fixture({ http2: false });
  fixture.dialer.cleartext = "h2";
  for (let tries = 0; tries < 2; tries++) {
    await assertRejects(async () => await use(await fixture.acquire()), WeirError, "speaks HTTP/2");
  }
});

Deno.test("http2=false offers HTTP/1.1 alone", async () => {
  await using fixture = new Fixture({ http2: false });
  await use(await fixture.acquire(SECURE));
  assertEquals(fixture.dialer.dialed, ["a.example http/1.1"]);
});

for (const alpn of ["http/1.1", "h2"]) {
  Deno.test(`preconnect shows what the origin did, and the first request finds the connection (${alpn})`, async () => {
    await using fixture = new Fixture();
    fixture.dialer.alpn = alpn;
    assertEquals(await fixture.pool.preconnect(destination(SECURE), clientConn), {
      certificates: [Uint8Array.of(1)],
      alpn,
    });
    await use(await fixture.acquire(SECURE));
    assertEquals(fixture.dialer.dialed.length, 1);
  });
}

Deno.test("close ends idle connections and those in use, and what is being made", async () => {
  await using fixture = new Fixture();
  await use(await fixture.acquire());
  const busy = await fixture.acquire({ host: "b.example" });
  const sending = busy.exchange.send(request("GET", "/slow"), null, () => {});
  const gate = Promise.withResolvers<void>();
  fixture.dialer.gate = gate.promise;
  const late = fixture.acquire({ host: "c.example" });
  fixture.pool.close();
  assertEquals([fixture.dialer.closed, fixture.dialer.closedConns], [true, [0, 1]]);
  await assertRejects(() => sending, WeirError);
  busy.release();
  gate.resolve();
  const error = await assertRejects(() => Promise.resolve(late), WeirError);
  assertEquals([error.side, error.code, fixture.dialer.closedConns], ["weir", "shutdown", [0, 1, 2]]);
  assertEquals(fixture.events.length, 3);
});

Deno.test("all origins share the connections to a proxy that is given requests; each request sees its own", async () => {
  await using fixture = new Fixture();
  const first = await fixture.acquire({ via: PROXY });
  await use(first);
  const second = await fixture.acquire({ via: PROXY, host: "b.example", port: 81 });
  await use(second);
  assertEquals(fixture.dialer.dialed.length, 1);
  assertEquals([first, second].map(({ serverConn }) => [serverConn.id, serverConn.address.hostname]), [
    [serverConn.id, "a.example"],
    [serverConn.id, "b.example"],
  ]);
  const third = await fixture.acquire({ via: PROXY }, { avoid: second.serverConn });
  assertEquals(third.exchange.repeatable(LOST), "none");
  await use(third);
});

Deno.test("where addons are asked about connections, each origin behind a proxy has its own", async () => {
  await using fixture = new Fixture({}, { server_connect: () => {} });
  await use(await fixture.acquire({ via: PROXY }));
  await use(await fixture.acquire({ via: PROXY, host: "b.example" }));
  assertEquals(fixture.dialer.dialed.length, 2);
  assert(!(fixture.acquire({ via: PROXY }) instanceof Promise));
  await turn();
});

Deno.test("a request that may be sent only once gets a connection to a proxy that is new, or that has been kept", async () => {
  using clock = new FakeClock();
  await using fixture = new Fixture();
  const post = () => ({ flow: httpFlow({ method: "POST" }) });
  const wasThere = (place: Lease) => place.exchange.repeatable(LOST) === "idempotent";
  await use(await fixture.acquire({ via: PROXY }));
  const early = await fixture.acquire({ via: PROXY }, post());
  assertEquals(wasThere(early), false);
  await use(early);
  await clock.pass(1_000);
  const late = await fixture.acquire({ via: PROXY }, post());
  assertEquals(wasThere(late), true);
  await use(late);
  // Now it is known to keep them.
  const next = await fixture.acquire({ via: PROXY }, post());
  assertEquals(wasThere(next), true);
  await use(next);
});
