/**
 * TLS handshakes in both roles, with errors that say what a user can do (RFC 8446 §4, §6.2).
 * @module
 */
import { isIP, type Socket } from "node:net";
import tls, { type SecureContext, TLSSocket } from "node:tls";
import { messageOf, type Side, WeirError } from "../errors.ts";
import type { Conn } from "../net/conn.ts";
import { CipherStream } from "./cipher_stream.ts";
import { keyLogClient, keyLogServer, keyLogWanted } from "./keylog.ts";
import { TlsConn } from "./tls_conn.ts";
import { nativeRefusalReason, refusalReason, trustNext } from "./trust.ts";

/** Milliseconds for a handshake: several round trips over a bad line. */
export const HANDSHAKE_TIMEOUT = 10_000;

export interface ServerHandshakeOptions {
  /** The certificate to show: see `Leaves`. */
  secureContext: SecureContext;
  /** The same in PEM; without it the session's secrets are not logged where SSLKEYLOGFILE asks for them. */
  pem?: { readonly cert: string; readonly key: string };
  /** Protocols in order of preference; empty: none is negotiated. A client that offers only others is refused. */
  alpn: readonly string[];
  /** Who is at the other end (default "client"). */
  side?: Side;
  /** Milliseconds (default {@linkcode HANDSHAKE_TIMEOUT}). */
  timeout?: number;
}

/** Answers a client's handshake. When it rejects, `conn` has been closed. */
export async function serverHandshake(conn: Conn, options: ServerHandshakeOptions): Promise<Conn> {
  const { alpn, pem, side = "client", timeout = HANDSHAKE_TIMEOUT } = options;
  if (keyLogWanted && pem !== undefined) {
    return await keyLogServer(conn, { ...pem, alpn, side, timeout }).catch((thrown) => {
      throw explainClient(thrown, side);
    });
  }
  const cipher = new CipherStream(conn);
  const socket = new TLSSocket(asSocket(cipher), {
    isServer: true,
    secureContext: options.secureContext,
    ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
  });
  const session = new TlsConn(conn, cipher, socket, side);
  try {
    await session.handshake("secure", timeout);
    return session;
  } catch (thrown) {
    const error = explainClient(thrown, side);
    if (cipher.written === 0 && error.code === "tls") await sendAlert(conn, messageOf(thrown));
    session.close();
    throw error;
  }
}

export interface ClientHandshakeOptions {
  /** Name for SNI and for verification; an IP address is verified and not sent (RFC 6066 §3). */
  servername: string;
  /** Protocols to offer, in order of preference; empty: the extension is left out. */
  alpn: readonly string[];
  /** False accepts every certificate. */
  verify: boolean;
  /** Trusted issuers to add, PEM. */
  ca?: readonly string[];
  /** Who is at the other end (default "server"). */
  side?: Side;
  /** What error messages call the peer (default `servername`). */
  host?: string;
  /** Milliseconds (default {@linkcode HANDSHAKE_TIMEOUT}). */
  timeout?: number;
}

/** Starts a handshake with a server. When it rejects, `conn` has been closed. */
export async function clientHandshake(conn: Conn, options: ClientHandshakeOptions): Promise<Conn> {
  const { alpn, verify, ca = [], side = "server", timeout = HANDSHAKE_TIMEOUT } = options;
  const name = options.servername.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const host = options.host ?? name;
  if (keyLogWanted && verify) {
    return await keyLogClient(conn, { servername: name, alpn, ca, side, timeout }).catch((thrown) => {
      throw explainServer(thrown, side, host);
    });
  }
  const cipher = new CipherStream(conn);
  let socket: TLSSocket;
  try {
    if (verify) trustNext(ca);
    socket = tls.connect({
      socket: asSocket(cipher),
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
      // Judged below: an error in mid handshake would leave no certificate to say what is wrong with it.
      rejectUnauthorized: false,
    });
  } catch (thrown) {
    conn.close();
    cipher.destroy();
    throw WeirError.from(thrown, side, "tls", `The TLS handshake with ${host} could not start`);
  }
  const session = new TlsConn(conn, cipher, socket, side);
  try {
    await session.handshake("secureConnect", timeout);
    if (verify && socket.authorized !== true) {
      // node's type says Error; it is the code or message of one.
      const reason = refusalReason(String(socket.authorizationError), session.tls?.peerCertificate ?? null);
      throw refused(side, host, reason);
    }
    return session;
  } catch (thrown) {
    session.close();
    // Once it is secure, all that is thrown is the refusal above.
    throw session.tls !== null ? thrown : explainServer(thrown, side, host);
  }
}

/** node:tls takes any Duplex; its types ask for a socket. */
function asSocket(cipher: CipherStream): Socket {
  return cipher as unknown as Socket;
}

/**
 * Answers a ClientHello that cannot be accepted with a fatal alert (RFC 8446 §6.2): node leaves the one it made
 * lying when it sits on a stream, and without it clients can only say that the connection ended.
 */
async function sendAlert(conn: Conn, message: string): Promise<void> {
  const description = /application protocol|known protocol/i.test(message)
    ? 120 // no_application_protocol
    : /Tls1[23]|version/i.test(message)
    ? 70 // protocol_version
    : 40; // handshake_failure
  // Nothing was sent before, so it is taken at once.
  await conn.write(Uint8Array.of(21, 3, 3, 0, 2, 2, description)).catch(() => {});
}

/** node's error under what the session made of it. */
function nodeError(thrown: unknown): Error & { code?: string } {
  const inner = thrown instanceof WeirError && thrown.cause instanceof Error ? thrown.cause : thrown;
  return inner instanceof Error ? inner : new Error(String(inner));
}

const TRUST_HINT = "does it trust weir's CA (weir-ca-cert.pem)?";

function explainClient(thrown: unknown, side: Side): WeirError {
  const what = `The TLS handshake with the ${side} failed`;
  const error = nodeError(thrown);
  const alert = /fatal alert: (\w+)/.exec(error.message)?.[1];
  if (alert !== undefined && /CA|[Cc]ertificate/.test(alert)) {
    return new WeirError(side, "tls", `${what}: it refused the certificate (${alert}); ${TRUST_HINT}`, {
      cause: thrown,
    });
  }
  if (thrown instanceof WeirError && thrown.code === "closed") {
    return new WeirError(side, "closed", `${what}: it closed the connection; ${TRUST_HINT}`, {
      cause: thrown,
    });
  }
  return rewrap(thrown, side, what);
}

function explainServer(thrown: unknown, side: Side, host: string): WeirError {
  const reason = nativeRefusalReason(messageOf(thrown));
  if (reason !== null) return refused(side, host, reason, thrown);
  // The added trusted certificates are no matter of the server's.
  if (thrown instanceof WeirError && thrown.side === "weir") return thrown;
  return rewrap(thrown, side, `The TLS handshake with ${host} failed`);
}

function refused(side: Side, host: string, reason: string, cause?: unknown): WeirError {
  return new WeirError(side, "tls", `The certificate of ${host} was not accepted: ${reason}.`, { cause });
}

function rewrap(thrown: unknown, side: Side, what: string): WeirError {
  const code = thrown instanceof WeirError ? thrown.code : "tls";
  return new WeirError(side, code, `${what}: ${nodeError(thrown).message}.`, { cause: thrown });
}
