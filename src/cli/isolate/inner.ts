/**
 * `exec --isolate`, inside: in namespaces in which the user is root, and the only way out is a socket that leads to weir.
 *
 * The command runs in one more user namespace, as the user that it is outside: it has no right over the network's, and none over
 * the mounts.
 * @module
 */
import { messageOf } from "../../errors.ts";
import { runToEnd } from "../exec_child.ts";
import { hideFiles, raiseLoopback } from "./libc.ts";
import type { InnerInit } from "./outer.ts";
import { relayAll } from "./relay.ts";

/** Runs what the file says to its end; resolves to the status to exit with. */
export async function runInside(file: string, complain: (text: string) => void): Promise<number> {
  const init: InnerInit = JSON.parse(await Deno.readTextFile(file));
  const { socket, port, uid, gid, hidden, command } = init;
  let listener: Deno.Listener;
  try {
    raiseLoopback();
    hideFiles(hidden);
    listener = Deno.listen({ hostname: "127.0.0.1", port });
  } catch (error) {
    complain(`exec --isolate: the command was not started: ${messageOf(error)}`);
    return 1;
  }
  void relayAll(listener, () => Deno.connect({ transport: "unix", path: socket }));
  return await runToEnd({
    command: ["unshare", "--user", `--map-user=${uid}`, `--map-group=${gid}`, "--", ...command],
    env: Deno.env.toObject(),
    signals: Deno,
    stopping: new Promise(() => {}),
    complain,
  });
}
