/**
 * What clients send by mistake to a listener that speaks HTTP, with what to do about it: another kind of
 * proxy protocol, or something that was never meant for a proxy.
 * @module
 */

/** Something else than HTTP, known by its first bytes. */
export interface Mistake {
  /** What the client speaks. */
  readonly what: string;
  /** What to do. */
  readonly advice: string;
  /** The refusal in the client's own protocol; empty where it has none. */
  readonly answer: Uint8Array;
}

interface Signature extends Mistake {
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

const SIGNATURES: readonly Signature[] = [
  {
    bytes: Uint8Array.of(5),
    what: "SOCKS5",
    advice: "set it to an HTTP proxy",
    // RFC 1928 §3: no acceptable methods.
    answer: Uint8Array.of(5, 0xff),
  },
  {
    bytes: Uint8Array.of(4),
    what: "SOCKS4",
    advice: "set it to SOCKS5, or to an HTTP proxy",
    // "SOCKS: A protocol for TCP proxy across firewalls": request rejected or failed.
    answer: Uint8Array.of(0, 91, 0, 0, 0, 0, 0, 0),
  },
  ...["PROXY TCP", "PROXY UNKNOWN", "\r\n\r\n\0\r\nQUIT\n"].map((text) => ({
    bytes: encoder.encode(text),
    what: "the PROXY protocol",
    advice: "the load balancer in front of weir must not send it (send-proxy in HAProxy)",
    answer: new Uint8Array(),
  })),
  {
    bytes: encoder.encode("SSH-"),
    what: "SSH",
    advice: "let ssh go through CONNECT (ProxyCommand nc -X connect -x HOST:PORT %h %p)",
    answer: new Uint8Array(),
  },
];

/**
 * What these first bytes are, if they are none of HTTP's; all of them send theirs in one go. Null for
 * anything else.
 */
export function mistakeIn(bytes: Uint8Array): Mistake | null {
  const isIn = (signature: Signature) =>
    bytes.length >= signature.bytes.length && signature.bytes.every((byte, i) => byte === bytes[i]);
  return SIGNATURES.find(isIn) ?? null;
}
