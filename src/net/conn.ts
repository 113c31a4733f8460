/**
 * A byte connection as all of weir sees it: TCP, TLS over another connection, or one with bytes put back.
 *
 * Reading fills a buffer that the caller owns, so that a large body costs no allocation per read; writing
 * resolves when the bytes were taken, so that awaiting it is the backpressure.
 * @module
 */

/** An address of either end. */
export interface Address {
  /** Name or IP address, without brackets. */
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** What is known of the TLS session on a connection. */
export interface TlsInfo {
  /** Server name that the client asked for (RFC 6066 §3), or null. */
  readonly sni: string | null;
  /** Negotiated protocol (RFC 7301), or null. */
  readonly alpn: string | null;
  /** "TLSv1.3", … */
  readonly version: string | null;
  /** By OpenSSL's name: "TLS_AES_256_GCM_SHA384", …; null where it is not known. */
  readonly cipher: string | null;
  /** DER of the peer's certificate; null where the peer showed none. */
  readonly peerCertificate: Uint8Array | null;
  /** DER of all certificates that the peer showed, its own first; empty where it showed none. */
  readonly peerCertificates: readonly Uint8Array[];
}

/** One end of a bidirectional byte stream. */
export interface Conn {
  readonly localAddr: Address;
  readonly remoteAddr: Address;
  readonly tls: TlsInfo | null;
  /**
   * True when `read` gave the peer's end though a TLS peer never said it (no close_notify, RFC 8446 §6.1): anybody on
   * the way may have cut the connection, so what has no end of its own may be incomplete (RFC 9112 §9.8).
   */
  readonly truncated?: boolean;
  /** Bytes that have come and gone so far, on the wire: whether it changes tells whether the connection is in use. */
  readonly moved?: number;
  /**
   * Reads at least one byte into `into`; resolves to the count, or to null when the peer has sent its end.
   * One read at a time. Rejects when the connection was reset or closed here.
   */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `bytes`; when it resolves they were taken and the buffer is the caller's again. One at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** Sends the end of this direction (FIN; close_notify and FIN); the other direction stays open. */
  closeWrite(): Promise<void>;
  /** Closes both directions in order. Never throws; may be called more than once. */
  close(): void;
  /** Closes so that the peer sees an abort (RST, or FIN without close_notify), for bodies that end by close. */
  reset(): void;
}
