/**
 * A TLS session as a {@linkcode Conn}: node:tls over any other connection, in either role (RFC 8446, RFC 5246).
 *
 * Ciphertext is read only while a `read` waits for plaintext, so what is held is bounded by one ciphertext buffer
 * and what it decrypts to.
 * @module
 */
import type { TLSSocket } from "node:tls";
import { messageOf, type Side, WeirError } from "../errors.ts";
import type { Address, Conn, TlsInfo } from "../net/mod.ts";
import { settlesWithin } from "../timing.ts";
import type { CipherStream } from "./cipher_stream.ts";

/** Plaintext handed to node at once; it encrypts a part at a time and copies the rest, so more costs more. */
const WRITE_SLICE = 256 * 1024;

/** Certificates that are looked at: real chains have two to four. */
const MAX_CHAIN = 16;

/** The alert certificate_required (RFC 8446 §6.2), which comes behind the handshake. */
const CERTIFICATE_REQUIRED = /fatal alert: CertificateRequired/;

/** Milliseconds that a close_notify may take to be written: a peer that reads nothing must keep nothing open. */
export const CLOSE_GRACE = 500;

export class TlsConn implements Conn {
  readonly #conn: Conn;
  readonly #cipher: CipherStream;
  readonly #socket: TLSSocket;
  readonly #side: Side;
  #tls: TlsInfo | null = null;
  /** Plaintext of the last pump that was not read yet. */
  #plain: Uint8Array[] = [];
  #ended = false;
  #writeEnded = false;
  #truncated = false;
  #error: WeirError | null = null;
  #closed = false;
  #released = false;
  #pumping = false;
  #wake: (() => void) | null = null;
  #rejectWrite: ((error: WeirError) => void) | null = null;
  #onFail: (() => void) | null = null;

  /** Made by `serverHandshake` and `clientHandshake`. */
  constructor(conn: Conn, cipher: CipherStream, socket: TLSSocket, side: Side) {
    this.#conn = conn;
    this.#cipher = cipher;
    this.#socket = socket;
    this.#side = side;
    socket.on("data", (chunk: Uint8Array) => {
      this.#plain.push(chunk);
      this.#notify();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#notify();
    });
    const onError = (error: Error) => this.#fail(error);
    socket.on("error", onError);
    // After a server-side handshake node reports failures by this event alone.
    socket.on("_tlsError", onError);
    socket.on("close", () => this.#notify());
    cipher.on("error", onError);
  }

  get localAddr(): Address {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Address {
    return this.#conn.remoteAddr;
  }

  get tls(): TlsInfo | null {
    return this.#tls;
  }

  get moved(): number {
    return this.#conn.moved ?? 0;
  }

  /** See {@linkcode Conn.truncated}: `read` gives null all the same, since many servers end like this. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** Reads and answers until the session is secure, for `timeout` ms at most. When it rejects, close the session. */
  handshake(secure: "secure" | "secureConnect", timeout: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      let done = false;
      const finish = () => {
        done = true;
        clearTimeout(timer);
        this.#onFail = this.#cipher.onFailure = null;
        if (this.#error === null) resolve();
        else reject(this.#error);
      };
      const timer = setTimeout(() => {
        this.#fail(
          new WeirError(this.#side, "timeout", `no end of the handshake within ${timeout / 1000} s`),
        );
      }, timeout);
      this.#onFail = finish;
      this.#cipher.onFailure = (thrown) => this.#fail(this.#connectionFailed(thrown));
      this.#socket.once(secure, () => {
        this.#tls = infoOf(this.#socket);
        if (!done) finish();
      });
      // node starts the session a tick later; an error in what it gets before that is thrown where nobody catches it.
      setImmediate(async () => {
        while (!done && !this.#ended) await this.#pump();
        // An alert that came before the end is known here, though node tells of it later.
        const closed = () => new WeirError(this.#side, "closed", "closed in mid handshake");
        if (!done) this.#fail(this.#socket.errored ?? closed());
      });
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#plain.length > 0) return this.#takePlain(into);
      if (this.#error !== null) throw this.#error;
      if (this.#closed) throw this.#closedHere();
      if (this.#ended) return null;
      const changed = new Promise<void>((resolve) => this.#wake = resolve);
      if (!this.#pumping) void this.#pump();
      await changed;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += WRITE_SLICE) {
      if (this.#error !== null) throw this.#error;
      if (this.#closed) throw this.#closedHere();
      const slice = bytes.subarray(at, at + WRITE_SLICE);
      await this.#call((done) => this.#socket.write(slice, done));
    }
    await this.#flushed();
  }

  async closeWrite(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#closed) throw this.#closedHere();
    // node drops what waits below when it destroys a session that has ended both ways.
    await this.#flushed();
    await this.#call((done) => this.#socket.end(done));
    await this.#flushed();
    this.#writeEnded = true;
    await this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#notify();
    // In mid write there is no clean end to be had.
    if (this.#error !== null || this.#writeEnded || this.#rejectWrite !== null) {
      this.#conn.close();
      this.#release();
    } else void this.#closeGently();
  }

  /** Closes once close_notify is written, or could not be. */
  async #closeGently(): Promise<void> {
    this.#socket.end();
    // node writes a microtask later.
    await null;
    await settlesWithin(CLOSE_GRACE, this.#cipher.flushed());
    this.#conn.close();
    this.#release();
  }

  reset(): void {
    if (this.#released) return;
    this.#closed = true;
    this.#conn.reset();
    this.#release();
  }

  #release(): void {
    this.#released = true;
    this.#plain = [];
    this.#socket.destroy();
    this.#cipher.destroy();
    this.#rejectWrite?.(this.#closedHere());
    this.#notify();
  }

  #takePlain(into: Uint8Array): number {
    let at = 0;
    while (at < into.length && this.#plain.length > 0) {
      const chunk = this.#plain[0];
      const part = chunk.length > into.length - at ? chunk.subarray(0, into.length - at) : chunk;
      into.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#plain.shift();
      else this.#plain[0] = chunk.subarray(part.length);
    }
    return at;
  }

  /** Reads ciphertext once; what comes of it arrives by events. Never rejects. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      if (!await this.#cipher.pump() && !this.#closed) {
        // node reports a close_notify that came before this end one turn late.
        await new Promise((resolve) => setImmediate(resolve));
        if (!this.#ended) this.#truncated = this.#ended = true;
      }
    } catch (thrown) {
      this.#fail(this.#connectionFailed(thrown));
    } finally {
      this.#pumping = false;
      this.#notify();
    }
  }

  /** Runs a node call with a callback; rejects as soon as the session fails, for which node has not always a call. */
  #call(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#rejectWrite = reject;
      start((error) => {
        if (!error) return resolve();
        this.#fail(error);
        reject(this.#error ?? this.#closedHere());
      });
    }).finally(() => this.#rejectWrite = null);
  }

  /** Waits for the ciphertext to be taken. That it was not says nothing about reading, which goes on. */
  async #flushed(): Promise<void> {
    try {
      await this.#cipher.flushed();
    } catch (thrown) {
      throw this.#closed ? this.#closedHere() : this.#connectionFailed(thrown);
    }
  }

  #connectionFailed(thrown: unknown): WeirError {
    return WeirError.from(thrown, this.#side, "closed", `The connection to the ${this.#side} failed`);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #fail(thrown: unknown): void {
    if (this.#closed) return;
    this.#error ??= CERTIFICATE_REQUIRED.test(messageOf(thrown))
      ? new WeirError(
        this.#side,
        "tls",
        `The ${this.#side} wants a certificate of its client, and was shown none (option client_certs).`,
        { cause: thrown },
      )
      : WeirError.from(thrown, this.#side, "tls", `The TLS session with the ${this.#side} failed`);
    this.#rejectWrite?.(this.#error);
    this.#onFail?.();
    this.#notify();
  }

  #closedHere(): WeirError {
    return new WeirError(this.#side, "closed", `The TLS connection with the ${this.#side} was closed here.`);
  }
}

function infoOf(socket: TLSSocket): TlsInfo {
  const peerCertificates = chainOf(socket.getPeerCertificate(true));
  // node's type leaves out that a server's socket has the name that the client asked for.
  const { servername } = socket as { servername?: string | false | null };
  return {
    sni: servername || null,
    alpn: socket.alpnProtocol || null,
    version: socket.getProtocol(),
    cipher: socket.getCipher()?.name ?? null,
    peerCertificate: peerCertificates[0] ?? null,
    peerCertificates,
  };
}

/** A certificate of node's, each with the one of its issuer; the last one's is itself. */
interface NodeCertificate {
  raw?: Uint8Array;
  issuerCertificate?: NodeCertificate;
}

/** DER of a certificate and of those that the peer sent with it. node gives null, or an object without `raw`, for none. */
function chainOf(leaf: NodeCertificate | null): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let next: NodeCertificate | null = leaf; next?.raw !== undefined;) {
    chain.push(next.raw);
    const issuer: NodeCertificate | undefined = next.issuerCertificate;
    next = issuer === undefined || issuer === next || chain.length === MAX_CHAIN ? null : issuer;
  }
  return chain;
}
