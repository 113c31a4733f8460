/** Uses up all descriptors of its process, then resets an accepted and a dialed connection; prints what their peers see. */
import { dial, listen } from "../../src/net/mod.ts";

const listener = listen({ hostname: "127.0.0.1", port: 0 });
const accepted = listener[Symbol.asyncIterator]();

async function pair() {
  const client = await dial("127.0.0.1", listener.addr.port, { side: "server" });
  const { value: server } = await accepted.next();
  return { client, server: server! };
}

const toClient = await pair(), toServer = await pair();
const files: Deno.FsFile[] = [];
try {
  for (;;) files.push(Deno.openSync("/dev/null"));
} catch (error) {
  console.log((error as Error).message.includes("os error 24"));
}
toClient.server.reset();
toServer.client.reset();
for (const peer of [toClient.client, toServer.server]) {
  console.log(await peer.read(new Uint8Array(1)).then(() => "FIN", (error: Error) => error.message));
}
for (const file of files) file.close();
toClient.client.close();
toServer.server.close();
listener.close();
