/**
 * What a proxy on the way is asked for, and how errors name it.
 * @module
 */
import { WeirError } from "../../errors.ts";
import type { Address } from "../../net/mod.ts";
import { type ProxyAddress, proxyUrl } from "../../options/mod.ts";

/** The way through a proxy. */
export interface Passage {
  readonly proxy: ProxyAddress;
  readonly target: Address;
  /** Option `http_connect_send_host_header`. */
  readonly sendsConnectHost: boolean;
  /** Option `lenient`. */
  readonly lenient: boolean;
  /** Milliseconds until the proxy must have answered. */
  readonly timeout: number;
}

/** What messages call a proxy: without its credentials. */
export function nameOf(proxy: ProxyAddress): string {
  return `The proxy ${proxyUrl(proxy)}`;
}

/** An error on the way to a proxy, or of it, that says which proxy it is. */
export function blamed(thrown: unknown, proxy: ProxyAddress): WeirError {
  const error = WeirError.from(thrown, "server", "unreachable", "It cannot be used");
  const name = nameOf(proxy);
  if (error.side !== "server" || error.message.includes(name)) return error;
  // Whoever hears that a connection was closed takes it for the origin's, which has not been asked yet.
  const code = error.code === "closed" || error.code === "protocol" ? "unreachable" : error.code;
  return new WeirError("server", code, `${name} cannot be used: ${error.message}`, { cause: error });
}
