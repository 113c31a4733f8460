/**
 * A client in another network namespace: connects from there to where it is told to, by the first line that
 * comes through a unix socket, and passes bytes on. A socket in the file system is the same one in all
 * namespaces.
 *
 *     deno run -A far_client.ts PATH
 *
 * @module
 */
const listener = Deno.listen({ transport: "unix", path: Deno.args[0] });
for await (const near of listener) void serve(near);

async function serve(near: Deno.UnixConn): Promise<void> {
  const into = new Uint8Array(1);
  let line = "";
  while (!line.endsWith("\n") && await near.read(into) !== null) line += String.fromCharCode(into[0]);
  const [hostname, port] = line.trim().split(" ");
  try {
    using far = await Deno.connect({ hostname, port: Number(port) });
    await near.write(Uint8Array.of(10));
    await Promise.all([pass(near, far), pass(far, near)]);
  } catch {
    // What is cut on one side is cut on the other.
  } finally {
    near.close();
  }
}

async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const into = new Uint8Array(64 * 1024);
  for (let count; (count = await from.read(into)) !== null;) {
    for (let at = 0; at < count;) at += await to.write(into.subarray(at, count));
  }
  await to.closeWrite();
}
