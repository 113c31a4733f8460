/**
 * Whether a certificate is for a host (RFC 9525 §6): by its subjectAltName (RFC 5280 §4.2.1.6) and nothing else. A common
 * name names nobody, and a wildcard is the whole leftmost label.
 * @module
 */
import { equals } from "@std/bytes";
import { BlockList, isIP } from "node:net";

/** The names that a certificate has for hosts. */
export interface AlternativeNames {
  /** dNSName, one character per byte, as written. */
  readonly dns: readonly string[];
  /** iPAddress: 4 or 16 bytes each. */
  readonly ip: readonly Uint8Array[];
}

/** True when the certificate (DER) is for `host`: a name, or an IP address without brackets. */
export function isCertificateFor(der: Uint8Array, host: string): boolean {
  const names = alternativeNames(der);
  // §6.2: an address is matched by addresses only, as bytes.
  if (isIP(host) !== 0) return names.ip.some((bytes) => sameAddress(bytes, host));
  const wanted = host.replace(/\.$/, "").toLowerCase();
  return names.dns.some((name) => matches(name.toLowerCase(), wanted));
}

/** The names of a certificate as text for people: `a.test, *.b.test, 127.0.0.1`. */
export function namesText(der: Uint8Array): string {
  return namesOfCertificate(der).join(", ");
}

/** The names of a certificate (DER), those of hosts before addresses. */
export function namesOfCertificate(der: Uint8Array): string[] {
  const { dns, ip } = alternativeNames(der);
  return [...dns, ...ip.map(addressText)];
}

/** §6.3. As curl and browsers have it, at least two labels follow the wildcard: nobody owns all of `*.com`. */
function matches(name: string, wanted: string): boolean {
  if (!name.startsWith("*.")) return name === wanted;
  const rest = name.slice(1);
  const label = wanted.slice(0, -rest.length);
  return /[^.]\.[^.]/.test(rest) && wanted.endsWith(rest) && label !== "" && !label.includes(".");
}

function sameAddress(bytes: Uint8Array, host: string): boolean {
  if (bytes.length === 4) return addressText(bytes) === host;
  if (bytes.length !== 16 || isIP(host) !== 6) return false;
  // An IPv6 address has many spellings; node's parser knows them all.
  const list = new BlockList();
  list.addAddress(addressText(bytes), "ipv6");
  return list.check(host.replace(/%.*$/, ""), "ipv6");
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) groups.push((bytes[at] << 8 | bytes[at + 1]).toString(16));
  return groups.join(":");
}

const SEQUENCE = 0x30, OBJECT_IDENTIFIER = 0x06, OCTET_STRING = 0x04, EXTENSIONS = 0xa3;
const DNS_NAME = 0x82, IP_ADDRESS = 0x87;
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = Uint8Array.of(0x55, 0x1d, 0x11);

/** What is broken in a certificate has no names. */
function alternativeNames(der: Uint8Array): AlternativeNames {
  const dns: string[] = [], ip: Uint8Array[] = [];
  const certificate = elements(der)[0];
  const toBeSigned = certificate?.tag === SEQUENCE ? elements(certificate.content)[0] : undefined;
  if (toBeSigned?.tag !== SEQUENCE) return { dns, ip };
  const wrapper = elements(toBeSigned.content).find(({ tag }) => tag === EXTENSIONS);
  const list = wrapper === undefined ? undefined : elements(wrapper.content)[0];
  for (const extension of list === undefined ? [] : elements(list.content)) {
    const [id, ...rest] = elements(extension.content);
    if (id?.tag !== OBJECT_IDENTIFIER || !equals(id.content, SUBJECT_ALT_NAME)) continue;
    const value = rest.at(-1);
    const names = value?.tag === OCTET_STRING ? elements(value.content)[0] : undefined;
    for (const { tag, content } of names === undefined ? [] : elements(names.content)) {
      if (tag === DNS_NAME) dns.push(String.fromCharCode(...content));
      else if (tag === IP_ADDRESS) ip.push(content);
    }
  }
  return { dns, ip };
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The elements that follow each other in `bytes` (ITU-T X.690 §8.1), up to what is no DER. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    at += 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3 || at + count > bytes.length) return found;
      length = 0;
      for (const byte of bytes.subarray(at, at + count)) length = length << 8 | byte;
      at += count;
    }
    if (at + length > bytes.length) return found;
    found.push({ tag, content: bytes.subarray(at, at += length) });
  }
  return found;
}
