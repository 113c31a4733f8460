/**
 * IP addresses as numbers of 128 bits, and what kinds of them a program is kept from.
 *
 * An IPv4 address counts as the IPv4-mapped one (RFC 4291 §2.5.5.2), and what NAT64 (RFC 6052 §2.1) and the other forms that carry
 * an IPv4 address lead to counts as that.
 * @module
 */
import { isIP } from "node:net";
import { addressKind } from "../../net/mod.ts";

/** An address as a number; IPv4 in its mapped form. */
export type AddressNumber = bigint;

const MAPPED = 0xffffn << 32n;
const V4_MASK = 0xffffffffn;

/** Reads an address, with or without a zone; null for what is none. */
export function parseAddress(text: string): AddressNumber | null {
  const plain = text.replace(/%.*$/, "");
  switch (isIP(plain)) {
    case 4:
      return MAPPED | v4Number(plain);
    case 6:
      return carried(v6Number(plain));
  }
  return null;
}

function v4Number(text: string): bigint {
  return text.split(".").reduce((sum, part) => sum << 8n | BigInt(part), 0n);
}

function v6Number(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const low = v4Number(dotted[2]);
    return v6Number(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [left, right] = text.split("::").map((half) => half === "" ? [] : half.split(":"));
  const groups = right === undefined
    ? left
    : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return groups.reduce((sum, group) => sum << 16n | BigInt(`0x${group}`), 0n);
}

/** What an address leads to: the IPv4 address in one of NAT64. */
function carried(address: bigint): bigint {
  return address >> 32n === 0x64ff9bn << 64n ? MAPPED | address & V4_MASK : address;
}

/** The address as it is dialed and shown. */
export function formatAddress(address: AddressNumber): string {
  if (address >> 32n === 0xffffn) {
    return [24n, 16n, 8n, 0n].map((shift) => String(address >> shift & 255n)).join(".");
  }
  const groups = Array.from(
    { length: 8 },
    (_, i) => (address >> BigInt(112 - i * 16) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** Where clouds tell their machines secrets; most are private in any case. */
const METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"]
  .map((text) => parseAddress(text)!);

/** Addresses that were looked at lately. */
const known = new Map<AddressNumber, string | null>();
const MAX_KNOWN = 4096;

/**
 * What sort of address it is that `private: deny` means, as a word for people: "loopback", "link-local", "private", "multicast",
 * "metadata". Null for those that anybody may reach.
 */
export function privateKind(address: AddressNumber): string | null {
  let kind = known.get(address);
  if (kind === undefined) {
    kind = kindOf(address);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(address, kind);
  }
  return kind;
}

function kindOf(address: AddressNumber): string | null {
  if (METADATA.includes(address)) return "metadata";
  const isV4 = address >> 32n === 0xffffn;
  if (isV4 ? (address & V4_MASK) >> 28n === 0xen : address >> 120n === 0xffn) return "multicast";
  const isLinkLocal = isV4 ? (address & V4_MASK) >> 16n === 0xa9fen : address >> 118n === 0x3fan;
  if (isLinkLocal) return "link-local";
  // fec0::/10, site-local before it was given up (RFC 3879).
  if (!isV4 && address >> 118n === 0x3fbn) return "private";
  switch (addressKind(formatAddress(address))) {
    case "loopback":
      return "loopback";
    case "global":
      break;
    default:
      return "private";
  }
  const inner = isV4 ? null : inside(address);
  return inner === null ? null : kindOf(inner);
}

/** The IPv4 address that a tunnel's address leads to: 6to4 (RFC 3056), the deprecated IPv4-compatible form; null for none. */
function inside(address: bigint): bigint | null {
  if (address >> 112n === 0x2002n) return MAPPED | address >> 80n & V4_MASK;
  return address >> 32n === 0n ? MAPPED | address & V4_MASK : null;
}
