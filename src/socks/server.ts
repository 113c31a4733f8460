/**
 * The server's part of SOCKS5 (RFC 1928, RFC 1929): a client says who it is and where it wants to go. Of the
 * commands there is CONNECT alone.
 * @module
 */
import { WeirError } from "../errors.ts";
import { parseAuthority } from "../http/mod.ts";
import { type Address, type Conn, FirstBytes, hostPort } from "../net/mod.ts";
import { escapeControl } from "../escape.ts";
import { shortened } from "../shown.ts";
import { settlesWithin } from "../timing.ts";
import {
  Command,
  encodeLoginAnswer,
  encodeMethodChoice,
  encodeReply,
  type Login,
  Method,
  type Parsed,
  parseGreeting,
  parseLogin,
  parseRequest,
  type Request,
  UNSPECIFIED,
} from "./messages.ts";
import { nextMessage, SocksError } from "./next_message.ts";
import { ReplyCode, replyCodeOf } from "./replies.ts";

/** A client that waits for the reply to its request. */
export interface SocksRequest {
  /** Where it wants to go: a name, or an IP address without brackets; the port is not 0. */
  readonly target: Address;
  /**
   * Tells the client that it is connected, and `bound` as weir's end; what comes and goes then is the
   * target's.
   */
  accept(bound: Address): Promise<Conn>;
  /** Tells the client why not (RFC 1928 §6). The caller closes the connection. */
  refuse(error: unknown): Promise<void>;
}

/**
 * Milliseconds, and bytes, for which a client that was refused is still listened to: see {@linkcode
 * lastWords}.
 */
const LAST_WORDS_MS = 1_000, LAST_WORDS_BYTES = 64 * 1024;

/**
 * Hears a client out up to its request. With `login` it must have a name and a password that this agrees to.
 * @throws {WeirError} when there is nothing to be done for it; it has been told where SOCKS5 has words for
 * that.
 */
export async function socksAccept(
  conn: Conn,
  login: ((given: Login) => Promise<boolean>) | null,
): Promise<SocksRequest> {
  const first = new FirstBytes(conn);
  const next = <T>(parse: (bytes: Uint8Array) => Parsed<T>) =>
    nextMessage(first, parse, "client", "The client");
  const offered = await next(parseGreeting);
  const method = login === null ? Method.none : Method.password;
  if (!offered.includes(method)) {
    await lastWords(conn, encodeMethodChoice(Method.unacceptable));
    const wanted = login === null ? "without a login" : "with a user name and password";
    throw refused(`The client offers no SOCKS5 ${wanted} (its methods: ${offered.join(", ") || "none"}).`);
  }
  await conn.write(encodeMethodChoice(method));
  if (login !== null) {
    const isIn = await login(await next(parseLogin));
    if (!isIn) {
      await lastWords(conn, encodeLoginAnswer(false));
      throw refused("The client's user name and password were refused.");
    }
    await conn.write(encodeLoginAnswer(true));
  }
  const refuse = (code: number) => lastWords(conn, encodeReply({ code, bound: UNSPECIFIED }));
  let request: Request;
  try {
    request = await next(parseRequest);
  } catch (error) {
    if (error instanceof SocksError && error.reply !== null) await refuse(error.reply);
    throw error;
  }
  const { command, address } = request;
  if (command !== Command.connect) {
    await refuse(ReplyCode.commandNotSupported);
    throw refused(`The client asks SOCKS5 for ${nameOf(command)}; weir has CONNECT alone.`);
  }
  if (address.port === 0 || !isHost(address.hostname)) {
    await refuse(ReplyCode.failed);
    throw refused(
      `The client asks for ${shortened(escapeControl(hostPort(address)))}, which is no place to go.`,
    );
  }
  return {
    target: address,
    async accept(bound) {
      await conn.write(encodeReply({ code: ReplyCode.succeeded, bound }));
      return first.release();
    },
    refuse: (error) => refuse(replyCodeOf(error)),
  };
}

/**
 * Writes, and ends. A socket that is closed with bytes unread is reset, and a reset can destroy what the
 * client has not read yet: so what it still sends is thrown away for a while. Never rejects.
 */
async function lastWords(conn: Conn, words: Uint8Array): Promise<void> {
  const reading = async () => {
    const into = new Uint8Array(4096);
    for (let left = LAST_WORDS_BYTES; left > 0;) {
      const count = await conn.read(into);
      if (count === null) return;
      left -= count;
    }
  };
  try {
    await conn.write(words);
    await conn.closeWrite();
  } catch {
    // The client has left already.
    return;
  }
  await settlesWithin(LAST_WORDS_MS, reading());
}

function isHost(hostname: string): boolean {
  return parseAuthority(hostname.includes(":") ? `[${hostname}]` : hostname) !== null;
}

function nameOf(command: number): string {
  if (command === Command.bind) return "BIND";
  return command === Command.udpAssociate ? "UDP ASSOCIATE" : `command ${command}`;
}

function refused(message: string): WeirError {
  return new WeirError("client", "protocol", message);
}
