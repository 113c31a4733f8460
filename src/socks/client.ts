/**
 * The client's part of SOCKS5 (RFC 1928): asking a proxy for a connection.
 * @module
 */
import { WeirError } from "../errors.ts";
import { type Address, type Conn, FirstBytes, hostPort } from "../net/mod.ts";
import {
  Command,
  encodeGreeting,
  encodeLogin,
  encodeRequest,
  type Login,
  Method,
  type Parsed,
  parseLoginAnswer,
  parseMethodChoice,
  parseReply,
} from "./messages.ts";
import { nextMessage } from "./next_message.ts";
import { errorOfReply } from "./replies.ts";

export interface SocksConnectOptions {
  /** Who is asking; null: nobody in particular. */
  login: Login | null;
  /** What messages call the proxy (default "The SOCKS5 proxy"). */
  proxy?: string;
}

/**
 * Asks the SOCKS5 proxy at the other end of `conn` for a connection to `target`, whose name is not looked up
 * here; what comes and goes by the connection that this resolves to is the target's. How long it takes is the
 * caller's matter.
 * @throws {WeirError} when the proxy refuses, says something else, or leaves. The caller closes `conn` then.
 */
export async function socksConnect(
  conn: Conn,
  target: Address,
  { login, proxy = "The SOCKS5 proxy" }: SocksConnectOptions,
): Promise<Conn> {
  const first = new FirstBytes(conn);
  const next = <T>(parse: (bytes: Uint8Array) => Parsed<T>) => nextMessage(first, parse, "server", proxy);
  const identity = login && encoded(() => encodeLogin(login));
  const request = encoded(() => encodeRequest({ command: Command.connect, address: target }));
  await conn.write(encodeGreeting(identity === null ? [Method.none] : [Method.none, Method.password]));
  const method = await next(parseMethodChoice);
  if (method === Method.password && identity !== null) {
    await conn.write(identity);
    if (!await next(parseLoginAnswer)) {
      throw new WeirError("server", "unreachable", `${proxy} refused the user name and password.`);
    }
  } else if (method !== Method.none) throw noMethod(method, login !== null, proxy);
  await conn.write(request);
  const { code } = await next(parseReply);
  if (code !== 0) throw errorOfReply(code, proxy, hostPort(target));
  return first.release();
}

function noMethod(method: number, hasLogin: boolean, proxy: string): WeirError {
  const what = method !== Method.unacceptable
    ? `asks for a way to log in that was not offered (${method})`
    : hasLogin
    ? "takes no user names and passwords"
    : "asks for a user name and password";
  return new WeirError("server", "unreachable", `${proxy} ${what}.`);
}

/** What SOCKS5 has no room for is refused before anything is sent. */
function encoded(encode: () => Uint8Array): Uint8Array {
  try {
    return encode();
  } catch (thrown) {
    throw WeirError.from(thrown, "weir", "unreachable", "The SOCKS5 proxy cannot be asked");
  }
}
