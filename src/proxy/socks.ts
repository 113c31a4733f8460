/**
 * Downstream: a client that asks by SOCKS5 (RFC 1928) for a connection. It is told whether there is one; what
 * comes through it is looked at as after CONNECT.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Socks5AuthData } from "../hooks/mod.ts";
import { HEAD_TIMEOUT_MS } from "../http/mod.ts";
import type { Conn } from "../net/mod.ts";
import { type Login, socksAccept, type SocksRequest, UNSPECIFIED } from "../socks/mod.ts";
import type { Client } from "./client.ts";
import type { Origin } from "./route.ts";

/** Hears a client out, connects to where it wants to go, and has what comes through the tunnel served. */
export async function runSocks(
  client: Client,
  conn: Conn,
  serve: (tunnel: Conn, origin: Origin) => Promise<void>,
): Promise<void> {
  const request = await heard(client, conn);
  if (request === null) return;
  const { hostname: host, port } = request.target;
  const origin = await client.routed({ scheme: "http", host, port });
  let bound = UNSPECIFIED;
  try {
    if (isEager(client, origin)) bound = (await client.connectAhead(origin)).serverConn.localAddress ?? bound;
  } catch (error) {
    return await request.refuse(error);
  }
  await serve(await request.accept(bound), origin);
}

/** The client is to be told whether there is a connection, where that can be known. */
function isEager({ context: { options, gate } }: Client, { host, via }: Origin): boolean {
  // Behind a gate nothing is connected to before it is known what for.
  if (gate) return false;
  // The name of weir's own page leads nowhere.
  if ("onboarding_host" in options && options.get("onboarding_host") === host) return false;
  // A proxy on the way is given plain requests as they are, and may make no tunnels for them.
  return options.connection_strategy === "eager" && (!via || via.scheme === "socks5");
}

/** What the client asks for; null when there is nothing to be done for it, of which the log has been told. */
async function heard(client: Client, conn: Conn): Promise<SocksRequest | null> {
  const login = asksForLogin(client) ? (given: Login) => isLetIn(client, given) : null;
  try {
    return await client.untilStopped(conn, socksAccept(conn, login), HEAD_TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof WeirError) || error.code !== "protocol") throw error;
    client.warn(error.message);
    return null;
  }
}

/** The addon of `proxyauth` is there whether that is set or not. */
function asksForLogin({ context: { hooks, options } }: Client): boolean {
  return hooks.hasCustom("socks5_auth") ||
    ("proxyauth" in options && (options.get("proxyauth") ?? "") !== "");
}

async function isLetIn({ context: { hooks }, facts }: Client, login: Login): Promise<boolean> {
  const data: Socks5AuthData = { clientConn: facts, ...login, valid: false };
  await hooks.trigger("socks5_auth", data);
  return data.valid;
}
