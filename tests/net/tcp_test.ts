import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { dial, hostPort, listen, TcpConn } from "../../src/net/mod.ts";
import { within } from "../e2e/support/within.ts";

/** A pair of connected TcpConns. */
async function pair(): Promise<[TcpConn, TcpConn]> {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener[Symbol.asyncIterator]();
  const [client, server] = await Promise.all([
    dial("127.0.0.1", listener.addr.port, { side: "server" }),
    accepted.next(),
  ]);
  listener.close();
  assert(!server.done);
  return [client, server.value];
}

/** Reads to the end; rejects when the connection is reset. */
async function drain(conn: TcpConn): Promise<number> {
  const into = new Uint8Array(64 * 1024);
  let total = 0;
  for (;;) {
    const count = await conn.read(into);
    if (count === null) return total;
    total += count;
  }
}

Deno.test("bytes go both ways, and each direction ends on its own", async () => {
  const [client, server] = await pair();
  await client.write(new TextEncoder().encode("ping"));
  await client.closeWrite();
  assertEquals(await drain(server), 4);
  await server.write(new Uint8Array(3));
  await server.closeWrite();
  assertEquals(await drain(client), 3);
  assertEquals(client.remoteAddr.port, server.localAddr.port);
  client.close();
  client.close();
  server.close();
});

Deno.test("a large write arrives whole", async () => {
  const [client, server] = await pair();
  const size = 8 * 1024 * 1024;
  const writing = client.write(new Uint8Array(size)).then(() => client.closeWrite());
  assertEquals(await drain(server), size);
  await writing;
  client.close();
  server.close();
});

Deno.test("reset is seen by the peer as a reset: accepted or dialed, with and without a read under way", async () => {
  for (const [reading, dialed] of [[false, false], [true, false], [false, true], [true, true]]) {
    const [a, b] = await pair();
    const [client, server] = dialed ? [b, a] : [a, b];
    await server.write(new Uint8Array(10));
    assertEquals(await client.read(new Uint8Array(10)), 10);
    const read = reading ? assertRejects(() => server.read(new Uint8Array(1)), WeirError) : null;
    server.reset();
    const error = await assertRejects(() => drain(client), WeirError);
    assertEquals([error.side, error.code], [dialed ? "client" : "server", "closed"]);
    assertStringIncludes(error.message, "reset");
    await read;
    server.reset();
    server.close();
    client.close();
  }
});

Deno.test("a reset leaves other connections and their descriptors alone", async () => {
  const [a, b] = await pair();
  const [c, d] = await pair();
  a.reset();
  await assertRejects(() => drain(b), WeirError);
  const [e, f] = await pair();
  for (const [from, to] of [[c, d], [d, c], [e, f]]) {
    await from.write(new Uint8Array(5));
    assertEquals(await to.read(new Uint8Array(9)), 5);
  }
  for (const conn of [a, b, c, d, e, f]) conn.close();
});

Deno.test("resets leave no descriptors behind", async () => {
  // The tests that run beside this one have descriptors, too.
  const main = new URL("./descriptors_main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--no-check", main], stdin: "null" });
  const { code, stdout, stderr } = await child.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout), "0\n");
});

Deno.test({
  name: "a reset is a reset when the process has no descriptor left",
  // Elsewhere dialed connections cannot be reset at all.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const main = new URL("./no_descriptors_main.ts", import.meta.url).pathname;
    const line = `ulimit -n 48; exec "$0" run -A --no-check "$1"`;
    const child = new Deno.Command("sh", { args: ["-c", line, Deno.execPath(), main], stdin: "null" });
    const { code, stdout, stderr } = await child.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assertEquals(lines.length, 3);
    assertEquals(lines[0], "true");
    for (const line of lines.slice(1)) assertStringIncludes(line, "connection reset by peer");
  },
});

Deno.test("reading a connection that was closed here says so", async () => {
  const [client, server] = await pair();
  const reading = assertRejects(() => client.read(new Uint8Array(1)), WeirError, "closed here");
  client.close();
  await reading;
  await assertRejects(() => client.write(new Uint8Array(1)), WeirError, "closed here");
  server.close();
});

Deno.test("a refused connection is unreachable, and the message names host and port", async () => {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const error = await assertRejects(() => dial("127.0.0.1", port, { side: "server" }), WeirError);
  assertEquals([error.side, error.code, error.statusCode], ["server", "unreachable", 502]);
  assertStringIncludes(error.message, `127.0.0.1:${port}`);
  assertStringIncludes(error.message, "refused");
});

Deno.test("a name that does not resolve or is none is a dns error", async () => {
  for (const name of ["nowhere.invalid", "a b", ""]) {
    const error = await assertRejects(() => dial(name, 80, { side: "server" }), WeirError);
    assertEquals([error.side, error.code], ["server", "dns"]);
    assertStringIncludes(error.message, `${name}:80`);
  }
});

Deno.test("a server that does not answer is a timeout, and nothing is left open", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  // Nobody accepts: these fill the queue, the next SYN is dropped.
  const waiting: Promise<Deno.TcpConn>[] = [];
  for (let i = 0; i < 2; i++) waiting.push(Deno.connect({ hostname: "127.0.0.1", port }));
  const conns = await Promise.all(waiting);
  const error = await assertRejects(
    () => dial("127.0.0.1", port, { side: "server", timeout: 200 }),
    WeirError,
  );
  assertEquals([error.code, error.statusCode], ["timeout", 504]);
  assertStringIncludes(error.message, `127.0.0.1:${port}`);
  const stop = new AbortController();
  const dialing = assertRejects(
    () => dial("127.0.0.1", port, { side: "server", signal: stop.signal }),
    WeirError,
  );
  stop.abort();
  assertEquals((await dialing).code, "closed");
  for (const conn of conns) conn.close();
  listener.close();
});

Deno.test("IPv6 literals are written in brackets and dialed without", async () => {
  assertEquals(hostPort({ hostname: "::1", port: 8080 }), "[::1]:8080");
  const error = await assertRejects(() => dial("[::1]", 1, { side: "server" }), WeirError);
  assertEquals(error.code, "unreachable");
  assertStringIncludes(error.message, "[::1]:1 ");
});

Deno.test("a taken port is one clear error", () => {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  assertThrows(() => listen(listener.addr), WeirError, `127.0.0.1:${listener.addr.port}: the port is taken.`);
  listener.close();
});

Deno.test("a listener survives errors of accept and ends only when it is closed", async () => {
  const real = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { TcpListener } = await import("../../src/net/listen.ts");
  const failures = [
    new Error("Too many open files (os error 24)"),
    new Deno.errors.ConnectionAborted("gone"),
  ];
  const accept = real.accept.bind(real);
  real.accept = () => failures.length > 0 ? Promise.reject(failures.shift()) : accept();
  const listener = new TcpListener(real);
  const served = (async () => {
    let count = 0;
    for await (const conn of listener) {
      conn.close();
      count++;
    }
    return count;
  })();
  const conn = await dial("127.0.0.1", listener.addr.port, { side: "server" });
  assertEquals(await conn.read(new Uint8Array(1)), null);
  conn.close();
  assertEquals(failures.length, 0);
  listener.close();
  listener.close();
  assertEquals(await served, 1);
});

Deno.test("clients that are gone before they are accepted do not hold up the next", async () => {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  for (let i = 0; i < 40; i++) (await dial("127.0.0.1", listener.addr.port, { side: "server" })).reset();
  const last = await dial("127.0.0.1", listener.addr.port, { side: "server" });
  const taking = (async () => {
    for await (const conn of listener) {
      const mine = conn.remoteAddr.port === last.localAddr.port;
      conn.close();
      if (mine) break;
    }
  })();
  await within(1000, taking, "the last of 40 clients");
  last.close();
  listener.close();
});

Deno.test({
  name: "a peer that vanishes is found out: both ends of a connection have TCP keep-alive",
  // Only Linux shows the timers of sockets; there is nothing to look at elsewhere.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const [client, server] = await pair();
    const ports = [client.localAddr.port, client.remoteAddr.port].map((port) =>
      port.toString(16).toUpperCase().padStart(4, "0")
    );
    const lines = Deno.readTextFileSync("/proc/net/tcp").split("\n").map((line) => line.trim().split(/\s+/))
      .filter(([, local, remote]) => ports.every((port) => `${local} ${remote}`.includes(`:${port}`)));
    // Column "tr": 02 is the keep-alive timer (proc(5)).
    assertEquals(lines.map((columns) => columns[5].slice(0, 2)), ["02", "02"]);
    client.close();
    server.close();
  },
});
