import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { type Addon, Dispatcher } from "../../src/hooks/mod.ts";
import { type DialerInit, UpstreamDialer } from "../../src/proxy/upstream_dialer.ts";
import { addonHost, clientConn } from "../support/addon_host.ts";

const ALPN = ["http/1.1"];

/** A dialer and a listener for it to dial, with the hooks that ran. */
class Fixture implements Disposable {
  readonly log: string[] = [];
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly dialer: UpstreamDialer;

  constructor(init: Partial<DialerInit> = {}, addon: Addon = {}) {
    const host = addonHost();
    void host.options.update({ connect_timeout: 60 });
    const hooks = new Dispatcher(host.ctx);
    const recorder: Addon = {};
    for (const name of ["server_connect", "server_connected", "server_disconnected"] as const) {
      recorder[name] = ({ error }) => void this.log.push(`${name}${error === null ? "" : ` ${error}`}`);
    }
    hooks.setAddons([recorder, addon].map((hooks) => ({ name: "test", hooks, builtin: false })));
    this.dialer = new UpstreamDialer({
      options: host.options.values,
      hooks,
      isLoop: () => false,
      trusted: () => Promise.resolve([]),
      identityFor: () => Promise.resolve(null),
      ...init,
    });
  }

  dial(scheme: "http" | "https") {
    const { hostname, port } = this.listener.addr;
    return this.dialer.dial({ scheme, host: hostname, port, sni: null }, clientConn, ALPN);
  }

  /** The other end of what was dialed reads its end. */
  async closedByDialer(): Promise<void> {
    using conn = await this.listener.accept();
    while (await conn.read(new Uint8Array(4096)) !== null);
  }

  [Symbol.dispose](): void {
    this.listener.close();
  }
}

Deno.test("a plain connection: hooks before and after, and what addons see of it", async () => {
  using fixture = new Fixture();
  const { conn, serverConn } = await fixture.dial("http");
  const { port } = fixture.listener.addr;
  assertEquals([serverConn.address.port, serverConn.peerAddress?.port, serverConn.tls], [port, port, null]);
  assertEquals(fixture.log, ["server_connect", "server_connected"]);
  conn.close();
});

Deno.test("server_connect refuses: nothing is dialed, and the addon's sentence is told", async () => {
  using fixture = new Fixture({}, { server_connect: (data) => void (data.error = "not today") });
  const error = await assertRejects(() => fixture.dial("http"), WeirError, "not today");
  assertEquals([error.side, error.code, error.statusCode, fixture.log], ["weir", "unreachable", 502, [
    "server_connect",
  ]]);
});

Deno.test("a connection that leads back to weir is closed and is the client's fault", async () => {
  using fixture = new Fixture({ isLoop: (local, remote) => local.port !== remote.port });
  const error = await assertRejects(() => fixture.dial("http"), WeirError, "is weir itself");
  assertEquals([error.side, error.code], ["client", "loop"]);
  await fixture.closedByDialer();
});

Deno.test("without the certificates to trust nothing is dialed", async () => {
  using fixture = new Fixture({
    trusted: () => Promise.reject(new WeirError("weir", "tls", "No such file.")),
    identityFor: () => Promise.resolve(null),
  });
  await assertRejects(() => fixture.dial("https"), WeirError, "No such file.");
  assertEquals(fixture.log, []);
});

Deno.test("a handshake that fails closes the connection, and server_disconnected says why", async () => {
  using fixture = new Fixture();
  const answer = (async () => {
    using conn = await fixture.listener.accept();
    await conn.read(new Uint8Array(4096));
    await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    while (await conn.read(new Uint8Array(4096)).catch(() => null) !== null);
  })();
  const error = await assertRejects(() => fixture.dial("https"), WeirError);
  assertEquals([error.side, error.code], ["server", "tls"]);
  await answer;
  assertEquals(fixture.log.slice(0, 2), ["server_connect", "server_connected"]);
  assertMatch(fixture.log[2], /^server_disconnected .*handshake/);
});

Deno.test("close gives up on a handshake that is under way, and makes no more connections", async () => {
  using fixture = new Fixture();
  const dialing = fixture.dial("https");
  const rejected = assertRejects(() => dialing, WeirError, "weir is stopping");
  const conn = await fixture.listener.accept();
  await conn.read(new Uint8Array(4096));
  fixture.dialer.close();
  assertEquals((await rejected).code, "shutdown");
  while (await conn.read(new Uint8Array(4096)).catch(() => null) !== null);
  conn.close();
  await assertRejects(() => fixture.dial("http"), WeirError, "weir is stopping");
});
