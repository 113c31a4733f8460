import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Addon, type AddonSource } from "../../src/hooks/mod.ts";
import { ProxyServer } from "../../src/proxy/proxy.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { addonHost } from "../support/addon_host.ts";

/** A proxy with one addon, its CA in a directory that is removed at the end. */
class Started implements AsyncDisposable {
  readonly host = addonHost();
  readonly server = new ProxyServer({ options: this.host.options, log: this.host.ctx.log });
  #confdir = "";

  static async start(addon: Addon, modes: readonly string[] = ["regular"]): Promise<Started> {
    const started = new Started();
    const { host, server } = started;
    started.#confdir = await Deno.makeTempDir();
    await host.options.update({ listen_port: 0, confdir: started.#confdir, mode: modes });
    const source: AddonSource = { name: "test", addon, builtin: false };
    try {
      await server.load([source]);
      await server.start();
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** A client whose request has been sent. */
  async client(): Promise<Deno.TcpConn> {
    const { hostname, port } = this.server.listening[0].address;
    const conn = await Deno.connect({ hostname, port });
    await conn.write(new TextEncoder().encode("GET http://a.invalid/ HTTP/1.1\r\nHost: a.invalid\r\n\r\n"));
    return conn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop(0);
    await Deno.remove(this.#confdir, { recursive: true });
  }
}

Deno.test("each mode has a listener, and the log has its address", async () => {
  await using started = await Started.start({}, ["regular", "reverse:http://o.example:81"]);
  const [one, two] = started.server.listening.map(({ address }) => address.port);
  assertEquals(started.host.lines, [
    `info: HTTP proxy listening at 127.0.0.1:${one}`,
    `info: Reverse to http://o.example:81: HTTP proxy listening at 127.0.0.1:${two}`,
  ]);
});

Deno.test("an address that is taken: one error, and nothing listens", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const modes = ["regular", `regular@${taken.addr.port}`];
  const error = await assertRejects(() => Started.start({}, modes), Error);
  assertMatch(error.message, new RegExp(String(taken.addr.port)));
});

Deno.test("stop lets an exchange finish within its time, runs done, and is done once", async () => {
  const log: string[] = [];
  const asked = Promise.withResolvers<void>(), answer = Promise.withResolvers<void>();
  await using started = await Started.start({
    request: async (flow) => {
      asked.resolve();
      await answer.promise;
      flow.response = new Response("late");
    },
    complete: () => void log.push("complete"),
    done: () => void log.push("done"),
  });
  using client = await started.client();
  await asked.promise;
  const stopped = started.server.stop(60_000);
  answer.resolve();
  assertMatch(await new Response(client.readable).text(), /^HTTP\/1\.1 200 .*late$/s);
  await stopped;
  await started.server.stop(0);
  assertEquals(log, ["complete", "done"]);
});

Deno.test("a hook that never ends does not keep weir from it", async () => {
  const asked = Promise.withResolvers<void>();
  await using started = await Started.start({
    request: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  using client = await started.client();
  await asked.promise;
  let stopped: Promise<void>;
  {
    using clock = new FakeClock();
    stopped = started.server.stop(0);
    for (let i = 0; i < 30; i++) await clock.pass(100);
  }
  await stopped;
  await client.read(new Uint8Array(1)).catch(() => {});
});
