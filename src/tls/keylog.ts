/**
 * TLS sessions whose secrets go to the file that SSLKEYLOGFILE names, in the format that Wireshark reads (RFC 9850):
 * for debugging, as it is slower and each connection costs two sockets more.
 *
 * node:tls of Deno 2.9.6 writes no such file; `Deno.startTls` and `Deno.listenTls` do, but they take only sockets of
 * their own. So Deno's session is one end of a connection to ourselves on the loopback interface, and ciphertext is
 * relayed between its other end and the connection that the session is for. Deno's client accepts no bad certificates,
 * nor all that node:tls does (a self-signed one that was added to the trusted): with `ssl_insecure`, and for those, the
 * server's leg stays with node:tls, and its secrets are missing from the file.
 *
 * To clients a small write right behind another may take 40 ms: Deno lets nobody turn Nagle's algorithm off there.
 *
 * The variable counts only when it is set as the process starts: Deno reads it once.
 * @module
 */
import { isIP } from "node:net";
import { type Side, WeirError } from "../errors.ts";
import {
  type Address,
  type Conn,
  FirstBytes,
  PassingConn,
  relay,
  socketError,
  TcpConn,
  type TlsInfo,
} from "../net/mod.ts";
import { type ClientHelloResult, parseClientHello } from "./client_hello.ts";
import { CLOSE_GRACE } from "./tls_conn.ts";
import { issuers } from "./trust.ts";

const VARIABLE = "SSLKEYLOGFILE";

/** Somebody wants the secrets. */
export const keyLogWanted: boolean =
  Deno.permissions.querySync({ name: "env", variable: VARIABLE }).state === "granted" &&
  (Deno.env.get(VARIABLE) ?? "") !== "";

/** A connection to ourselves, with the session on one end of it. */
interface Hop {
  /** What the session is for. */
  readonly carrier: Conn;
  /** The end with ciphertext. */
  readonly below: Deno.TcpConn;
  /** The end with plaintext. */
  readonly above: Deno.TlsConn;
  readonly sni: string | null;
}

interface KeyLogOptions {
  alpn: readonly string[];
  side: Side;
  /** Milliseconds for the whole handshake. */
  timeout: number;
}

/** Answers a client's handshake. Rejects with what Deno threw; `conn` has been closed then. */
export function keyLogServer(
  conn: Conn,
  options: KeyLogOptions & { cert: string; key: string },
): Promise<Conn> {
  return session(conn, options, async () => {
    const { cert, key } = options;
    const first = new FirstBytes(conn);
    const parsed = await first.until(decidedHello).catch((thrown) => {
      throw failed(thrown, options.side);
    });
    const sni = parsed?.kind === "hello" ? parsed.hello.sni : null;
    const [below, above] = await loop(Deno.listenTls({ ...LOOPBACK, cert, key, ...alpnOf(options) }));
    return { carrier: first.release(), below, above, sni };
  });
}

function decidedHello(bytes: Uint8Array): ClientHelloResult | undefined {
  const result = parseClientHello(bytes);
  return result.kind === "more" ? undefined : result;
}

/** Starts a handshake with a server whose certificate is verified, but for its names. Rejects with what Deno threw; `conn` has been closed then. */
export function keyLogClient(
  conn: Conn,
  options: KeyLogOptions & { servername: string; ca: readonly string[] },
): Promise<Conn> {
  return session(conn, options, async () => {
    const { servername } = options;
    const caCerts = issuers(options.ca);
    const [near, below] = await loop(Deno.listen(LOOPBACK));
    // The names are the caller's to judge, by the same rules as everywhere.
    const start = {
      hostname: servername,
      caCerts,
      unsafelyDisableHostnameVerification: true,
      ...alpnOf(options),
    };
    const above = await Deno.startTls(near, start).catch((thrown) => {
      below.close();
      try {
        near.close();
      } catch {
        // Deno had taken it over already.
      }
      throw thrown;
    });
    return { carrier: conn, below, above, sni: isIP(servername) === 0 ? servername : null };
  });
}

const LOOPBACK = { hostname: "127.0.0.1", port: 0 } as const;

function alpnOf({ alpn }: KeyLogOptions): { alpnProtocols?: string[] } {
  return alpn.length > 0 ? { alpnProtocols: [...alpn] } : {};
}

/** Both ends of a connection to ourselves: the one that dialed, and the one that `listener`, closed then, accepted. */
async function loop<T extends Deno.TcpConn | Deno.TlsConn>(
  listener: { addr: Deno.Addr; accept(): Promise<T>; close(): void },
): Promise<[Deno.TcpConn, T]> {
  try {
    const { port } = listener.addr as Deno.NetAddr;
    const dialed = await Deno.connect({ hostname: LOOPBACK.hostname, port });
    try {
      // As in TcpConn. What a TLS listener accepted has no such method.
      dialed.setNoDelay(true);
      for (;;) {
        const accepted = await listener.accept();
        if ((accepted.remoteAddr as Deno.NetAddr).port === dialed.localAddr.port) return [dialed, accepted];
        // Some other process of this machine came to the port first: not ours.
        accepted.close();
      }
    } catch (thrown) {
      dialed.close();
      throw thrown;
    }
  } finally {
    listener.close();
  }
}

/** Runs the handshake over a hop; when it takes too long `conn` is closed, which ends everything else. */
async function session(
  conn: Conn,
  { side, timeout }: KeyLogOptions,
  makeHop: () => Promise<Hop>,
): Promise<Conn> {
  let late: WeirError | null = null;
  const timer = setTimeout(() => {
    late = new WeirError(side, "timeout", `no end of the handshake within ${timeout / 1000} s`);
    conn.close();
  }, timeout);
  try {
    const hop = await makeHop().catch((thrown) => {
      conn.close();
      throw thrown;
    });
    return await handshake(hop, side);
  } catch (thrown) {
    throw late ?? thrown;
  } finally {
    clearTimeout(timer);
  }
}

async function handshake({ carrier, below, above, sni }: Hop, side: Side): Promise<Conn> {
  const wire = new Wire(carrier);
  void relay(new TcpConn(below, "weir"), wire);
  const session = new KeyLogConn(wire, above, side);
  try {
    const { alpnProtocol } = await above.handshake();
    const peerCertificate = peerCertificateOf(above);
    session.tls = {
      sni,
      alpn: alpnProtocol,
      // Deno does not tell.
      version: null,
      cipher: null,
      peerCertificate,
      peerCertificates: peerCertificate === null ? [] : [peerCertificate],
    };
    return session;
  } catch (thrown) {
    // In order, so that the alert which says why arrives.
    session.close();
    // A mistake of the peer's, or an alert from it.
    if (thrown instanceof Deno.errors.InvalidData) throw thrown;
    if (thrown instanceof Deno.errors.UnexpectedEof) {
      throw new WeirError(side, "closed", "closed in mid handshake");
    }
    throw failed(thrown, side);
  }
}

function failed(thrown: unknown, side: Side): WeirError {
  return socketError(thrown, side, `The connection to the ${side} failed`);
}

/** DER of what the peer showed; null when it showed nothing, or Deno's internals are not those of 2.9.6. */
function peerCertificateOf(conn: Deno.TlsConn): Uint8Array | null {
  const symbol = Object.getOwnPropertySymbols(Object.getPrototypeOf(conn)).find(({ description }) =>
    description === "getPeerCertificate"
  );
  if (symbol === undefined) return null;
  try {
    const shown: { raw?: Uint8Array } | null = Reflect.get(conn, symbol).call(conn);
    return shown?.raw ?? null;
  } catch {
    return null;
  }
}

/** The connection that the session is for, as the relay has it: closed once all that a closed session left is sent. */
class Wire extends PassingConn {
  #writeEnded = false;
  #closing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  override async closeWrite(): Promise<void> {
    await super.closeWrite();
    this.#writeEnded = true;
    if (this.#closing) this.close();
  }

  /** Nothing is added to what is on its way: closes after it, or when the peer does not take it. */
  closeAfterRest(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#writeEnded) this.close();
    else this.#timer = setTimeout(() => this.close(), CLOSE_GRACE);
  }

  override close(): void {
    this.#closing = true;
    clearTimeout(this.#timer);
    super.close();
  }

  override reset(): void {
    this.#closing = true;
    clearTimeout(this.#timer);
    super.reset();
  }
}

/** Deno's session. */
class KeyLogConn implements Conn {
  tls: TlsInfo | null = null;
  truncated = false;
  readonly #wire: Wire;
  readonly #session: Deno.TlsConn;
  readonly #side: Side;
  #closed = false;

  constructor(wire: Wire, session: Deno.TlsConn, side: Side) {
    this.#wire = wire;
    this.#session = session;
    this.#side = side;
  }

  get localAddr(): Address {
    return this.#wire.localAddr;
  }

  get remoteAddr(): Address {
    return this.#wire.remoteAddr;
  }

  get moved(): number {
    return this.#wire.moved;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.truncated) return null;
    try {
      return await this.#session.read(into);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.UnexpectedEof && !this.#closed) {
        this.truncated = true;
        return null;
      }
      throw this.#error(thrown, "Reading from");
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#session.write(rest));
    } catch (thrown) {
      throw this.#error(thrown, "Writing to");
    }
  }

  async closeWrite(): Promise<void> {
    try {
      await this.#session.closeWrite();
    } catch (thrown) {
      throw this.#error(thrown, "Ending the connection to");
    }
  }

  close(): void {
    if (!this.#end()) return;
    this.#wire.closeAfterRest();
  }

  reset(): void {
    this.#wire.reset();
    this.#end();
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    try {
      this.#session.close();
    } catch {
      // Closed by the runtime after a failure.
    }
    return true;
  }

  #error(thrown: unknown, what: string): WeirError {
    const { hostname, port } = this.remoteAddr;
    return socketError(thrown, this.#side, `${what} the ${this.#side} ${hostname}:${port} over TLS failed`);
  }
}
