/**
 * Bytes between two sockets of the system's, until both directions have ended.
 * @module
 */

/** Either end: TCP, or a socket of the file system. */
type Socket = Deno.TcpConn | Deno.UnixConn;

/** Connects with `dial` for each connection that comes, and relays. Resolves when the listener is closed. */
export async function relayAll(listener: Deno.Listener, dial: () => Promise<Socket>): Promise<void> {
  for (;;) {
    let client: Socket;
    try {
      client = await listener.accept() as Socket;
    } catch {
      return;
    }
    void relay(client, dial);
  }
}

async function relay(client: Socket, dial: () => Promise<Socket>): Promise<void> {
  let server: Socket;
  try {
    server = await dial();
  } catch {
    return client.close();
  }
  // Each direction ends the writing half of the other end when its own has ended, and cuts both when it breaks.
  await Promise.allSettled([
    client.readable.pipeTo(server.writable),
    server.readable.pipeTo(client.writable),
  ]);
}
