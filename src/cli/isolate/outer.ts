/**
 * `exec --isolate`, outside (Linux): a socket of the file system that leads to weir's listener, and the command line by which the
 * command runs in namespaces of its own (user_namespaces(7), network_namespaces(7)), where there is nothing but that socket.
 *
 *     command ─▶ 127.0.0.1:PORT in its namespace ─▶ inner.ts ─▶ unix socket ─▶ here ─▶ weir's listener
 *
 * `unshare` (util-linux) makes the namespaces: a process of several threads, as any of Deno's, cannot (unshare(2)).
 * @module
 */
import { buildKind } from "../../build_kind.ts";
import { messageOf } from "../../errors.ts";
import { UsageError } from "../flags.ts";
import { relayAll } from "./relay.ts";
import { INNER } from "./word.ts";

/** Namespaces for users, network and mounts, in which the user is root and so may set them up. */
const NAMESPACES = ["--user", "--map-root-user", "--net", "--mount"];

/** What is to be known inside. */
export interface InnerInit {
  /** The socket that leads to weir. */
  readonly socket: string;
  /** Where the command expects weir at 127.0.0.1. */
  readonly port: number;
  readonly uid: number;
  readonly gid: number;
  /** Sockets of other programs, which are no way out any more. */
  readonly hidden: readonly string[];
  readonly command: readonly string[];
}

/** A way into the namespaces. */
export interface Isolation {
  readonly command: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens the socket in `directory`. @throws {UsageError} one sentence, where the system does not allow namespaces.
 */
export async function isolate(
  command: readonly string[],
  { proxyUrl, directory }: { readonly proxyUrl: string; readonly directory: string },
): Promise<Isolation> {
  await checkSystem();
  const { hostname, port } = new URL(proxyUrl);
  const socket = `${directory}/weir.sock`;
  const listener = Deno.listen({ transport: "unix", path: socket });
  const dial = () => Deno.connect({ hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) });
  const relaying = relayAll(listener, dial);
  const init: InnerInit = {
    socket,
    port: Number(port),
    uid: Deno.uid()!,
    gid: Deno.gid()!,
    hidden: (await socketsOfOthers()).filter((path) => path !== socket),
    command,
  };
  const file = `${directory}/isolate.json`;
  await Deno.writeTextFile(file, JSON.stringify(init), { mode: 0o600 });
  return {
    command: ["unshare", ...NAMESPACES, "--", ...ownCommand(), INNER, file],
    async close() {
      listener.close();
      await relaying;
    },
  };
}

/** weir itself. */
function ownCommand(): string[] {
  return buildKind() === "compiled"
    ? [Deno.execPath()]
    : [Deno.execPath(), "run", "--quiet", "-A", Deno.mainModule];
}

async function checkSystem(): Promise<void> {
  if (Deno.build.os !== "linux") {
    throw new UsageError("exec --isolate works on Linux alone: other systems have no such namespaces");
  }
  let reason: string;
  try {
    const { success, stderr } = await new Deno.Command("unshare", {
      args: [...NAMESPACES, "--", "unshare", "--user", `--map-user=${Deno.uid()}`, "--", "true"],
      stdin: "null",
      stdout: "null",
    }).output();
    if (success) return;
    reason = new TextDecoder().decode(stderr).trim().split("\n")[0];
  } catch (error) {
    reason = error instanceof Deno.errors.NotFound ? "unshare (util-linux) is not found" : messageOf(error);
  }
  throw new UsageError(`exec --isolate: this system lets no user make namespaces of his own (${reason})`);
}

/**
 * Paths of the sockets that programs of this machine listen at: the network's namespace does not hold them, and behind some of them
 * is a program that would fetch what it is asked for.
 */
async function socketsOfOthers(): Promise<string[]> {
  const text = await Deno.readTextFile("/proc/net/unix").catch(() => "");
  const paths = text.split("\n").map((line) => /^(?:\S+\s+){7}(\/.*)$/.exec(line)?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}
