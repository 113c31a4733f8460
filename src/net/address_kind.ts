/**
 * Where an IP address can be met, by IANA's registries of special addresses (RFC 6890), as Python's `ipaddress` and so
 * mitmproxy have them.
 * @module
 */
import { BlockList, isIP } from "node:net";

/**
 * "loopback": this machine alone. "private": not routed on the Internet (RFC 1918, link-local, documentation and others).
 * "shared": between a provider and its customers (100.64.0.0/10, RFC 6598). "global": all others, multicast included.
 */
export type AddressKind = "loopback" | "private" | "shared" | "global";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];
const SHARED = ["100.64.0.0/10"];
const PRIVATE = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "240.0.0.0/4",
  "::/128",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "3fff::/20",
  "fc00::/7",
  "fe80::/10",
];
/** Parts of the above that are globally reachable. */
const NOT_PRIVATE = [
  "192.0.0.9/32",
  "192.0.0.10/32",
  "2001:1::1/128",
  "2001:1::2/128",
  "2001:3::/32",
  "2001:4:112::/48",
  "2001:20::/28",
  "2001:30::/28",
];

const lists = {
  loopback: listOf(LOOPBACK),
  shared: listOf(SHARED),
  private: listOf(PRIVATE),
  notPrivate: listOf(NOT_PRIVATE),
};

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address, length] = network.split("/");
    list.addSubnet(address, Number(length), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

/**
 * The kind of an IP address in any spelling, with or without a zone (`%eth0`); an IPv4-mapped one counts as what it maps.
 * Null for what is no address, as a host name.
 */
export function addressKind(address: string): AddressKind | null {
  const plain = unmapped(address.replace(/%.*$/, ""));
  const version = isIP(plain);
  if (version === 0) return null;
  const isIn = (list: BlockList) => list.check(plain, version === 4 ? "ipv4" : "ipv6");
  if (isIn(lists.loopback)) return "loopback";
  if (isIn(lists.shared)) return "shared";
  return isIn(lists.private) && !isIn(lists.notPrivate) ? "private" : "global";
}

/** The IPv4 address in an IPv4-mapped one (RFC 4291 §2.5.5.2), whichever way it is written. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address;
  const [, high, low] =
    /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(new URL(`http://[${address}]`).hostname) ?? [];
  if (low === undefined) return address;
  const [a, b] = [parseInt(high, 16), parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join(".");
}
