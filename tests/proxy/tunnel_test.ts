import { assertEquals } from "@std/assert";
import type { TcpFlow } from "../../src/flow/flow.ts";
import type { Addon } from "../../src/hooks/mod.ts";
import { runTunnel } from "../../src/proxy/tunnel.ts";
import { clientConn, serverConn } from "../support/addon_host.ts";
import { latin1, type MemoryConn, memoryConnPair } from "../support/memory_conn.ts";
import { utf8 } from "../streams/support.ts";
import { proxyContext } from "./support.ts";

/** A tunnel between two ends that the test holds. */
function tunnel(
  addon: Addon = {},
): { client: MemoryConn; server: MemoryConn; log: string[]; done: Promise<void> } {
  const log: string[] = [];
  const recorder: Addon = {
    tcp_start: (flow) => void log.push(`start ${flow.serverConn?.id}`),
    tcp_end: () => void log.push("end"),
    tcp_error: (flow) => void log.push(`error ${flow.error?.cause.code}`),
    server_disconnected: ({ error }) => void log.push(`disconnected ${error !== null}`),
  };
  const { context } = proxyContext(() => Promise.reject(new Error("unused")), [recorder, addon]);
  const [client, clientEnd] = memoryConnPair(), [server, serverEnd] = memoryConnPair();
  const done = runTunnel(context, { clientConn, client: clientEnd, serverConn, server: serverEnd })
    .finally(() => assertEquals([clientEnd.closed, serverEnd.closed], [true, true]));
  return { client, server, log, done };
}

Deno.test("bytes go both ways, each direction ends by itself, and hooks see start and end", async () => {
  const { client, server, log, done } = tunnel();
  await client.writeText("ping");
  await client.closeWrite();
  assertEquals(await server.readToEnd(), "ping");
  await server.writeText("pong");
  await server.closeWrite();
  assertEquals(await client.readToEnd(), "pong");
  await done;
  assertEquals(log, ["start server-1", "end", "disconnected false"]);
});

Deno.test("tcp_message sees each message, may change it, drop it and keep it", async () => {
  const kept: string[] = [];
  const flows: TcpFlow[] = [];
  const { client, server, done } = tunnel({
    tcp_message: (flow) => {
      const message = flow.messages.at(-1)!;
      flows.push(flow);
      kept.push(`${message.fromClient} ${latin1(message.content)}`);
      message.content = latin1(message.content) === "drop" ? new Uint8Array() : utf8("changed");
    },
  });
  await client.writeText("drop");
  await server.writeText("x");
  assertEquals(await client.readUntil("changed"), "changed");
  await client.writeText("y");
  await client.closeWrite();
  assertEquals(await server.readToEnd(), "changed");
  await server.closeWrite();
  await done;
  assertEquals(kept.toSorted(), ["false x", "true drop", "true y"]);
  assertEquals(flows[0].messages.length, 3);
});

for (const hook of ["tcp_start", "tcp_message"] as const) {
  Deno.test(`flow.kill() in ${hook} resets both sides, and the error says killed`, async () => {
    const { client, server, log, done } = tunnel({ [hook]: (flow: TcpFlow) => flow.kill() });
    await client.writeText("ping").catch(() => {});
    await done;
    assertEquals(log.slice(1), ["error killed", "disconnected true"]);
    client.close();
    server.close();
  });
}

Deno.test("a connection that breaks is an error, not an end, and breaks the other", async () => {
  for (const side of ["client", "server"] as const) {
    const ends = tunnel();
    ends[side].reset();
    await ends.done;
    assertEquals(ends.log, ["start server-1", "error closed", "disconnected true"]);
    ends.client.close();
    ends.server.close();
  }
});

Deno.test("a kill after the end does nothing", async () => {
  let flow!: TcpFlow;
  const { client, server, log, done } = tunnel({ tcp_end: (given) => void (flow = given) });
  await client.closeWrite();
  await server.closeWrite();
  await done;
  flow.kill();
  assertEquals(log, ["start server-1", "end", "disconnected false"]);
});

Deno.test("an addon that keeps no flows leaves no history; others find it, also without a hook for messages", async () => {
  for (const keepsFlows of [false, true]) {
    const flows: TcpFlow[] = [];
    const seen: boolean[] = [];
    const addon: Addon = keepsFlows ? { tcp_start: (flow) => void flows.push(flow) } : {
      keepsFlows,
      tcp_message: (flow) => void (flows.push(flow), seen.push(flow.messages.at(-1)!.fromClient)),
    };
    const { context } = proxyContext(() => Promise.reject(new Error("unused")), [addon]);
    const [client, clientEnd] = memoryConnPair(), [server, serverEnd] = memoryConnPair();
    const done = runTunnel(context, { clientConn, client: clientEnd, serverConn, server: serverEnd });
    await client.writeText("ping");
    assertEquals(await server.readUntil("ping"), "ping");
    if (keepsFlows) assertEquals(context.memory.used, 4);
    await client.closeWrite();
    await server.closeWrite();
    await done;
    assertEquals(context.memory.used, 0);
    const { messages, forgotten } = flows[0];
    assertEquals(messages.map(({ content }) => latin1(content)), keepsFlows ? ["ping"] : []);
    assertEquals([forgotten, seen], keepsFlows ? [0, []] : [1, [true]]);
  }
});
