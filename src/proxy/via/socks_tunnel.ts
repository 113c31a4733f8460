/**
 * A tunnel through a SOCKS5 proxy (RFC 1928, RFC 1929). Names go to it as they are: nobody looks them up here.
 * @module
 */
import type { Conn } from "../../net/mod.ts";
import { socksConnect } from "../../socks/mod.ts";
import { nameOf, type Passage } from "./passage.ts";

/** Asks for the connection. @throws {WeirError} when the proxy refuses, or says what is no answer. */
export function socksTunnel(conn: Conn, { proxy, target }: Passage): Promise<Conn> {
  return socksConnect(conn, target, { login: proxy.credentials, proxy: nameOf(proxy) });
}
