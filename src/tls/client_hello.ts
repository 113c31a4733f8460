/**
 * Reading a ClientHello before anyone decides what to do with it (RFC 8446 §4.1.2): the server name (RFC 6066 §3),
 * the offered protocols (RFC 7301 §3.1) and versions (RFC 8446 §4.2.1), and which kinds of certificates it can use.
 * Sans-io: bytes in, an answer out.
 * @module
 */

/** What the client said. */
export interface ClientHello {
  /** The server name as sent, or null. */
  readonly sni: string | null;
  /** Offered protocols in the client's order, one character for each byte; empty without the extension. */
  readonly alpn: readonly string[];
  /** Offered versions ("TLSv1.3", "TLSv1.2", …), those without a name (GREASE, RFC 8701) left out. */
  readonly versions: readonly string[];
  /** Offered cipher suites by their numbers (IANA's registry), in the client's order. */
  readonly cipherSuites: readonly number[];
  /** Signatures that it accepts, by their numbers (RFC 8446 §4.2.3); empty without the extension. */
  readonly signatureAlgorithms: readonly number[];
  /** Bytes that the records of this message take. */
  readonly length: number;
}

/** "more": it may still become one; "no": this is not TLS, or broken. */
export type ClientHelloResult =
  | { readonly kind: "more" }
  | { readonly kind: "no" }
  | { readonly kind: "hello"; readonly hello: ClientHello };

const MORE: ClientHelloResult = { kind: "more" };
const NO: ClientHelloResult = { kind: "no" };

const RECORD_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
/** RFC 8446 §5.1. */
const RECORD_MAX = 16384;
/** Within what `FirstBytes` reads; real ones stay below 4 KiB. */
const HELLO_MAX = 60 * 1024;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_SIGNATURE_ALGORITHMS = 13;
const EXTENSION_ALPN = 16;
const EXTENSION_SUPPORTED_VERSIONS = 43;
const VERSIONS: Readonly<Record<number, string>> = {
  0x0300: "SSLv3",
  0x0301: "TLSv1",
  0x0302: "TLSv1.1",
  0x0303: "TLSv1.2",
  0x0304: "TLSv1.3",
};

/** Parses the first bytes of a connection; never throws. Stateless: call it again with all bytes so far. */
export function parseClientHello(bytes: Uint8Array): ClientHelloResult {
  const records = collect(bytes);
  if ("kind" in records) return records;
  const reader = new Reader(records.message);
  try {
    const hello = parseBody(reader);
    return { kind: "hello", hello: { ...hello, length: records.length } };
  } catch (thrown) {
    if (thrown instanceof RangeError) return NO;
    throw thrown;
  }
}

/** Puts the handshake message together from its records (RFC 8446 §5.1), without the 4 bytes of its header. */
function collect(bytes: Uint8Array): ClientHelloResult | { message: Uint8Array; length: number } {
  const fragments: Uint8Array[] = [];
  let have = 0;
  let at = 0;
  for (;;) {
    const header = bytes.subarray(at, at + 5);
    if (header.length > 0 && header[0] !== RECORD_HANDSHAKE) return NO;
    if (header.length > 1 && header[1] !== 3) return NO;
    if (header.length < 5) return MORE;
    const size = header[3] << 8 | header[4];
    if (size === 0 || size > RECORD_MAX) return NO;
    const fragment = bytes.subarray(at + 5, at + 5 + size);
    fragments.push(fragment);
    have += fragment.length;
    const start = join(fragments, 4);
    if (start.length > 0 && start[0] !== HANDSHAKE_CLIENT_HELLO) return NO;
    if (start.length === 4) {
      const needed = 4 + (start[1] << 16 | start[2] << 8 | start[3]);
      if (needed > HELLO_MAX) return NO;
      if (have >= needed) {
        // A client speaks again only when it was answered: more bytes in this record are no ClientHello.
        if (have > needed) return NO;
        return fragment.length === size
          ? { message: join(fragments, needed).subarray(4), length: at + 5 + size }
          : NO;
      }
    }
    if (fragment.length < size) return MORE;
    at += 5 + size;
  }
}

/** The first bytes of the fragments, at most `count`. */
function join(fragments: readonly Uint8Array[], count: number): Uint8Array {
  if (fragments[0].length >= count) return fragments[0].subarray(0, count);
  const joined = new Uint8Array(count);
  let at = 0;
  for (const fragment of fragments) {
    const part = fragment.subarray(0, count - at);
    joined.set(part, at);
    at += part.length;
  }
  return joined.subarray(0, at);
}

function parseBody(reader: Reader): Omit<ClientHello, "length"> {
  const legacyVersion = reader.uint(2);
  reader.take(32); // random
  reader.vector(1); // legacy_session_id
  const cipherSuites = reader.vector(2).uints(2);
  reader.vector(1); // legacy_compression_methods
  let sni: string | null = null;
  const alpn: string[] = [];
  let versions = [legacyVersion];
  let signatureAlgorithms: number[] = [];
  // RFC 5246 §7.4.1.2: extensions may be absent altogether.
  const extensions = reader.done ? new Reader(new Uint8Array(0)) : reader.vector(2);
  while (!extensions.done) {
    const type = extensions.uint(2);
    const body = extensions.vector(2);
    if (type === EXTENSION_SERVER_NAME) {
      const names = body.vector(2);
      while (!names.done) {
        const nameType = names.uint(1);
        const name = names.vector(2);
        if (nameType === 0) sni ??= name.text() || null;
      }
    } else if (type === EXTENSION_ALPN) {
      const protocols = body.vector(2);
      while (!protocols.done) alpn.push(protocols.vector(1).text());
    } else if (type === EXTENSION_SUPPORTED_VERSIONS) {
      versions = body.vector(1).uints(2);
    } else if (type === EXTENSION_SIGNATURE_ALGORITHMS) {
      signatureAlgorithms = body.vector(2).uints(2);
    }
  }
  if (!reader.done) throw new RangeError("Bytes after the extensions.");
  return {
    sni,
    alpn,
    versions: versions.flatMap((version) => VERSIONS[version] ?? []),
    cipherSuites,
    signatureAlgorithms,
  };
}

/** What a certificate's key is. */
export type KeyType = "ecdsa" | "rsa";

/** ECDHE_ECDSA with AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305 (RFC 5289, RFC 7905): what the runtime has of TLS 1.2. */
const ECDSA_SUITES: ReadonlySet<number> = new Set([0xc02b, 0xc02c, 0xcca9]);
/** RFC 8446 §4.2.3: ecdsa_secp256r1_sha256, which leaves sign with. */
const ECDSA_P256 = 0x0403;

/**
 * The kind of certificate that a client can use: ECDSA, unless its ClientHello says that it could not check one
 * (RFC 5246 §7.4.2, RFC 8446 §4.4.2.2). In TLS 1.2 the cipher suite names the kind of key as well.
 * `highest` is the version above which weir does not go.
 */
export function keyTypeFor(hello: ClientHello, highest: "TLSv1.2" | "TLSv1.3" = "TLSv1.3"): KeyType {
  const { versions, signatureAlgorithms, cipherSuites } = hello;
  if (signatureAlgorithms.length > 0 && !signatureAlgorithms.includes(ECDSA_P256)) return "rsa";
  const isWithoutSuites = highest === "TLSv1.3" && versions.includes("TLSv1.3");
  const fits = isWithoutSuites || cipherSuites.some((suite) => ECDSA_SUITES.has(suite));
  return fits ? "ecdsa" : "rsa";
}

/** Reads the presentation language of RFC 8446 §3; throws RangeError at the end of the bytes. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new RangeError("The message ends too early.");
    return this.#bytes.subarray(this.#at, this.#at += count);
  }

  uint(size: number): number {
    return this.take(size).reduce((value, byte) => value << 8 | byte, 0);
  }

  /** All that is left. */
  uints(size: number): number[] {
    const list: number[] = [];
    while (!this.done) list.push(this.uint(size));
    return list;
  }

  vector(lengthSize: number): Reader {
    return new Reader(this.take(this.uint(lengthSize)));
  }

  text(): string {
    return String.fromCharCode(...this.#bytes);
  }
}
