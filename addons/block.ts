/**
 * The options `block_global` and `block_private`: whose connections are refused, by the address that they come from
 * (mitmproxy `addons/block.py`). Clients on this machine always get in.
 *
 *     weir --listen-host 0.0.0.0                          the local network may use it, the Internet may not
 *     weir --listen-host 0.0.0.0 --set block_global=false --set proxyauth=user:password
 *
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Address,
  addressKind,
  type ClientConnection,
  type Context,
  hostPort,
  type Loader,
} from "weir";

export default class Block implements Addon {
  #global = true;
  #private = false;

  load(loader: Loader) {
    loader.addOption("block_global", "bool", true, "Refuse clients from public addresses.");
    loader.addOption(
      "block_private",
      "bool",
      false,
      "Refuse clients from private addresses; those on this machine are let in.",
    );
  }

  configure(options: AddonOptions) {
    this.#global = options.get<boolean>("block_global");
    this.#private = options.get<boolean>("block_private");
  }

  /** Whoever listens on more than this machine should know who is let in. */
  running({ options, log, proxy }: Context) {
    const open = proxy.addresses.filter(isPublic).map(hostPort);
    if (open.length === 0 || !proxy.isPrimary) return;
    const where = `weir listens beyond this machine (${open.join(", ")})`;
    if (this.#global) {
      log.info(`${where}: clients from public addresses are refused (block_global), all others may use it.`);
    } else if (!options["proxyauth"]) {
      log.warn(
        `${where} and takes every client: it is an open proxy for all who can reach it. Set block_global or proxyauth.`,
      );
    }
  }

  client_connected(client: ClientConnection, { log }: Context) {
    const { hostname } = client.address;
    const kind = addressKind(hostname);
    const option = kind === "global" && this.#global
      ? "block_global"
      : kind === "private" && this.#private
      ? "block_private"
      : null;
    if (option === null) return;
    client.error = `The connection was refused by ${option}.`;
    log.warn(`${hostPort(client.address)}: the client was refused by ${option}`);
  }
}

/** All addresses of the machine, or one that the Internet may reach. */
function isPublic({ hostname }: Address): boolean {
  return hostname === "0.0.0.0" || hostname === "::" || addressKind(hostname) === "global";
}
