/**
 * TLS handshakes in both roles, with errors that say what a user can do (RFC 8446 §4, §6.2).
 * @module
 */
import { isIP, type Socket } from "node:net";
import tls, { type SecureContext, type SecureVersion, TLSSocket } from "node:tls";
import { messageOf, type Side, WeirError } from "../errors.ts";
import type { Conn } from "../net/mod.ts";
import { CipherStream } from "./cipher_stream.ts";
import { isCertificateFor } from "./identity.ts";
import { keyLogClient, keyLogServer, keyLogWanted } from "./keylog.ts";
import { TlsConn } from "./tls_conn.ts";
import { isNativeRefusal, refusalReason, trustNext, wrongHost } from "./trust.ts";

/** Milliseconds for a handshake: several round trips over a bad line. */
export const HANDSHAKE_TIMEOUT = 10_000;

export interface ServerHandshakeOptions {
  /** The certificate to show: see `Leaves`. */
  secureContext: SecureContext;
  /** The same in PEM; without it the session's secrets are not logged where SSLKEYLOGFILE asks for them. */
  pem?: { readonly cert: string; readonly key: string };
  /** Protocols in order of preference; empty: none is negotiated. A client that offers only others is refused. */
  alpn: readonly string[];
  /** Ask for a certificate (RFC 8446 §4.3.2), which nobody has to show and anybody may have made. */
  requestCertificate?: boolean;
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
    ...(options.requestCertificate ? { requestCert: true, rejectUnauthorized: false } : {}),
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

/** What weir shows to a server that asks for a certificate. */
export interface ClientIdentity {
  /** PEM, its own first. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
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
  /** The versions to offer; with bounds the session's secrets are not logged. */
  versions?: { readonly min?: SecureVersion; readonly max?: SecureVersion } | null;
  /** Shown when the server asks for a certificate; with one the session's secrets are not logged. */
  identity?: ClientIdentity | null;
  /** Who is at the other end (default "server"). */
  side?: Side;
  /** What error messages call the peer (default `servername`). */
  host?: string;
  /** Milliseconds (default {@linkcode HANDSHAKE_TIMEOUT}). */
  timeout?: number;
  /**
   * Connects to the server once more. With SSLKEYLOGFILE it is node:tls that has the last word on a certificate, so that the
   * verdict and its reason are the same as without, and for that it needs a handshake of its own.
   */
  again?: () => Promise<Conn>;
}

/** Starts a handshake with a server. When it rejects, `conn` has been closed. */
export async function clientHandshake(conn: Conn, options: ClientHandshakeOptions): Promise<Conn> {
  const { alpn, verify, ca = [], side = "server", timeout = HANDSHAKE_TIMEOUT } = options;
  // Deno's own client has neither.
  const isPlain = !options.identity && !options.versions;
  const name = options.servername.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const host = options.host ?? name;
  if (keyLogWanted && verify && isPlain) {
    let session: Conn;
    try {
      session = await keyLogClient(conn, { servername: name, alpn, ca, side, timeout });
    } catch (thrown) {
      if (!isNativeRefusal(thrown) || options.again === undefined) throw explainServer(thrown, side, host);
      return await nodeHandshake(await options.again(), options, name, host);
    }
    const shown = session.tls?.peerCertificate ?? null;
    if (shown !== null && isCertificateFor(shown, name)) return session;
    session.close();
    throw refused(side, host, wrongHost(shown));
  }
  return await nodeHandshake(conn, options, name, host);
}

async function nodeHandshake(
  conn: Conn,
  options: ClientHandshakeOptions,
  name: string,
  host: string,
): Promise<Conn> {
  const { alpn, verify, ca = [], side = "server", timeout = HANDSHAKE_TIMEOUT } = options;
  const { identity, versions } = options;
  const cipher = new CipherStream(conn);
  let socket: TLSSocket;
  try {
    if (verify) trustNext(ca);
    socket = tls.connect({
      socket: asSocket(cipher),
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
      ...(identity ? { cert: identity.cert, key: identity.key } : {}),
      ...(versions ? { minVersion: versions.min, maxVersion: versions.max } : {}),
      // Judged below: an error in mid handshake would leave no certificate to say what is wrong with it.
      rejectUnauthorized: false,
      // Node's own check takes common names, and wildcards within a label.
      checkServerIdentity: () => undefined,
    });
  } catch (thrown) {
    conn.close();
    cipher.destroy();
    throw WeirError.from(thrown, side, "tls", `The TLS handshake with ${host} could not start`);
  }
  const session = new TlsConn(conn, cipher, socket, side);
  try {
    await session.handshake("secureConnect", timeout);
    const shown = session.tls?.peerCertificate ?? null;
    if (verify && socket.authorized !== true) {
      // node's type says Error; it is the code or message of one.
      throw refused(side, host, refusalReason(String(socket.authorizationError), shown));
    }
    if (verify && (shown === null || !isCertificateFor(shown, name))) {
      throw refused(side, host, wrongHost(shown));
    }
    return session;
  } catch (thrown) {
    session.close();
    // Once it is secure, all that is thrown is the refusal above.
    if (session.tls !== null) throw thrown;
    throw nodeError(thrown).code === UNUSABLE
      ? new WeirError(side, "tls", `The certificate of ${host} cannot be used: ${UNUSABLE_REASON}.`, {
        cause: thrown,
      })
      : explainServer(thrown, side, host);
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
  const alert = refusalIn(thrown);
  if (alert !== null) {
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

/** The alert by which a peer refused a certificate (RFC 8446 §6.2); null when there is none in this. */
function refusalIn(thrown: unknown): string | null {
  const alert = /fatal alert: (\w+)/.exec(nodeError(thrown).message)?.[1];
  return alert !== undefined && /CA|[Cc]ertificate/.test(alert) ? alert : null;
}

/** True when a client ended a handshake because of the certificate: it said so, or went away in the middle. */
export function isRefusal(thrown: unknown): boolean {
  return refusalIn(thrown) !== null || (thrown instanceof WeirError && thrown.code === "closed");
}

/**
 * Why a client that has said nothing since the handshake is gone: GnuTLS, for one, looks at certificates only then, and
 * sends an alert or just leaves.
 */
export function distrust(thrown: unknown): string {
  const alert = /fatal alert: (\w+)/.exec(nodeError(thrown).message)?.[1];
  return alert === undefined
    ? `it closed the connection behind the handshake, without a word; ${TRUST_HINT}`
    : `it refused the certificate behind the handshake (${alert}); ${TRUST_HINT}`;
}

function explainServer(thrown: unknown, side: Side, host: string): WeirError {
  // The added trusted certificates are no matter of the server's.
  if (thrown instanceof WeirError && thrown.side === "weir") return thrown;
  return rewrap(thrown, side, `The TLS handshake with ${host} failed`);
}

function refused(side: Side, host: string, reason: string): WeirError {
  return new WeirError(side, "tls", `The certificate of ${host} was not accepted: ${reason}.`);
}

/** What node reports of a certificate whose signature in the handshake it cannot check, whether or not it is to be verified. */
const UNUSABLE = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
const UNUSABLE_REASON =
  "Deno's TLS knows no way to check its signature (an RSA key of less than 2048 bits, " +
  "or a critical extension that it does not know)";

function rewrap(thrown: unknown, side: Side, what: string): WeirError {
  const code = thrown instanceof WeirError ? thrown.code : "tls";
  return new WeirError(side, code, `${what}: ${nodeError(thrown).message}.`, { cause: thrown });
}
