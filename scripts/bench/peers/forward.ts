/**
 * Starting a proxy that clients know of (regular mode): all peers but nginx.
 * @module
 */
import { Child, type ChildOptions, freePort } from "../process.ts";
import type { Running } from "./peer.ts";

/** Starts `command` with the arguments for the port it is given, and waits until it listens. */
export async function startForward(
  command: string,
  argsFor: (port: number) => readonly string[],
  options: ChildOptions = {},
): Promise<Running> {
  const port = freePort();
  const child = new Child(command, argsFor(port), options);
  try {
    const startMs = await child.listening(port);
    return {
      pid: child.pid,
      startMs,
      via: () => ({ kind: "proxy", port }),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}
