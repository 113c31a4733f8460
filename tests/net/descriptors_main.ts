/** Resets connections in a process of its own, whose descriptors are then its own too; prints how many have become more. */
import { dial, listen } from "../../src/net/mod.ts";

const listener = listen({ hostname: "127.0.0.1", port: 0 });
const accepted = listener[Symbol.asyncIterator]();

async function cycle(): Promise<void> {
  const client = await dial("127.0.0.1", listener.addr.port, { side: "server" });
  const { value: server } = await accepted.next();
  client.reset();
  await server!.read(new Uint8Array(1)).catch(() => {});
  server!.close();
}

// Only Linux tells a process its descriptors; elsewhere the count is of nothing.
const count = () => Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0;

await cycle();
const before = count();
for (let i = 0; i < 20; i++) await cycle();
// node closes its duplicates a turn later.
for (let i = 0; i < 200 && count() > before; i++) await new Promise((resolve) => setTimeout(resolve, 5));
console.log(count() - before);
listener.close();
