/**
 * Hosts as they are compared: one spelling for every way to write the same place (RFC 3986 §6.2.2.1; the WHATWG URL standard's host
 * parser for decimal and hexadecimal IPv4, and for names that are not ASCII).
 * @module
 */
import { type AddressNumber, formatAddress, parseAddress } from "./address.ts";

/** A place, in its one spelling. */
export interface Host {
  /** Lower case, without a dot at its end; an address as it is shown. */
  readonly text: string;
  /** Set for an address; `localhost` is one. */
  readonly address: AddressNumber | null;
}

/** Names that need no change; the last label is not one that could be a number. */
const PLAIN = /^(?:[a-z0-9_-]{1,63}\.)*[a-z][a-z0-9_-]{0,62}$/;
/** What URL parsers take for the end of a host, or decode. */
const FOREIGN = /[\s/?#@\\%:<>^|[\]]/;
const MAX_NAME = 253;

const LOCALHOST: Host = { text: "127.0.0.1", address: parseAddress("127.0.0.1") };

/** What was made of addresses lately: they are asked for several times for each request. */
const known = new Map<string, Host | null>();
const MAX_KNOWN = 1024;
/** Longer than any address. */
const MAX_KNOWN_LENGTH = 64;

/** The host in its one spelling; null for what can be no host. Brackets around an IPv6 address may be there. */
export function parseHost(text: string): Host | null {
  if (text === "localhost") return LOCALHOST;
  if (PLAIN.test(text) && text.length <= MAX_NAME) return { text, address: null };
  let host = known.get(text);
  if (host !== undefined) return host;
  host = parseOther(text);
  if (known.size >= MAX_KNOWN) known.clear();
  if (text.length <= MAX_KNOWN_LENGTH) known.set(text, host);
  return host;
}

function parseOther(text: string): Host | null {
  const literal = parseAddress(text.replace(/^\[(.*)\]$/, "$1"));
  if (literal !== null) return ofAddress(literal);
  if (text === "" || FOREIGN.test(text)) return null;
  const url = URL.parse(`http://${text}/`);
  if (url === null) return null;
  const name = url.hostname.replace(/\.$/, "");
  const address = parseAddress(name);
  if (address !== null) return ofAddress(address);
  if (name === "localhost") return LOCALHOST;
  const isName = name.length <= MAX_NAME &&
    name.split(".").every((label) => label.length > 0 && label.length <= 63);
  return isName ? { text: name, address: null } : null;
}

function ofAddress(address: AddressNumber): Host {
  return { text: formatAddress(address), address };
}
