/**
 * Going on by another proxy: what is said on a connection to it before it leads to an origin. Each kind of proxy has a file.
 *
 * | proxy | plain requests | TLS, WebSockets, raw bytes |
 * | --- | --- | --- |
 * | `http://` | are given to it, in absolute-form | CONNECT |
 * | `https://` | the same, over TLS with the proxy | the same |
 * | `socks5://` | CONNECT of SOCKS5, with the name | the same |
 * @module
 */
import { WeirError } from "../../errors.ts";
import type { Conn } from "../../net/mod.ts";
import type { ProxyLeg } from "../../http1/mod.ts";
import type { ProxyAddress } from "../../options/mod.ts";
import type { Destination } from "../route.ts";
import { basicAuthorization, httpTunnel } from "./http_tunnel.ts";
import { blamed, nameOf, type Passage } from "./passage.ts";
import { socksTunnel } from "./socks_tunnel.ts";

export { ForwardedConnection } from "./forwarded_connection.ts";
export { blamed, nameOf } from "./passage.ts";

/**
 * The proxy that a destination's requests are given to as they are; null where they go to the origin, by a tunnel or without
 * any proxy.
 */
export function requestProxyOf({ scheme, via, isRaw }: Destination): ProxyAddress | null {
  return via && via.scheme !== "socks5" && scheme === "http" && !isRaw ? via : null;
}

/** How requests are written on a connection to that proxy. */
export function proxyLegOf(proxy: ProxyAddress): ProxyLeg {
  return { authorization: basicAuthorization(proxy), sendsConnectHost: true };
}

/**
 * Has a proxy at the other end of `conn` lead it on.
 * @throws {WeirError} that names the proxy; `conn` is closed then.
 */
export async function openTunnel(conn: Conn, passage: Passage): Promise<Conn> {
  const { proxy, timeout } = passage;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    conn.close();
  }, timeout);
  try {
    return await (proxy.scheme === "socks5" ? socksTunnel(conn, passage) : httpTunnel(conn, passage));
  } catch (thrown) {
    conn.close();
    if (!isLate) throw blamed(thrown, proxy);
    const text = `${nameOf(proxy)} has not answered within ${timeout / 1000} s.`;
    throw new WeirError("server", "timeout", text, { cause: thrown });
  } finally {
    clearTimeout(timer);
  }
}
