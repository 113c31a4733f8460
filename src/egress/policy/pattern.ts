/**
 * Which hosts and ports a rule is for: a host, `*.host`, an address, a network; with `:port`, else 80 and 443.
 * @module
 */
import { isIP } from "node:net";
import { type AddressNumber, parseAddress } from "./address.ts";
import { parseHost } from "./host.ts";

/** A host pattern that was read. */
export interface HostPattern {
  /** As it was written. */
  readonly text: string;
  readonly place: PatternPlace;
  /** The port that is written; null for none. */
  readonly port: number | null;
  /** Where a rule is for it. */
  readonly ports: readonly number[];
}

/** A name, the names below one, or a network (an address is one of 128 bits). */
export type PatternPlace =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "below"; readonly name: string }
  | { readonly kind: "network"; readonly address: AddressNumber; readonly bits: number };

/** Ports where none is written. */
const DEFAULT_PORTS: readonly number[] = [80, 443];

/** `[address]`, `[address]/bits`, `[address/bits]`, or what has no brackets; each with `:port`. */
const SHAPE = /^(?:\[([^\]]*)\](\/\d+)?|([^[\]]*?))(?::(\d*))?$/;

/** Reads a pattern. Text is what is wrong with it: why it can match no host. */
export function parsePattern(text: string): HostPattern | string {
  if (text === "") return "an empty host matches nothing.";
  const scheme = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(text);
  if (scheme !== null) return `write the host alone, not a URL: ${scheme[2]}.`;
  const isBareV6 = isIP(text.replace(/\/\d+$/, "")) === 6;
  const match = isBareV6 ? [text, undefined, undefined, text, undefined] : SHAPE.exec(text);
  if (match === null) return `the host ${text} cannot match: it is neither name nor address.`;
  const [, bracketed, bracketedBits, plain, digits] = match;
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (digits === "" || port < 1 || port > 65535)) {
    return `the port of ${text} must be a number from 1 to 65535.`;
  }
  const place = placeOf(bracketed === undefined ? plain! : bracketed + (bracketedBits ?? ""));
  if (typeof place === "string") return place;
  return { text, place, port, ports: port === null ? DEFAULT_PORTS : [port] };
}

function placeOf(text: string): PatternPlace | string {
  const slash = text.indexOf("/");
  if (slash >= 0) return networkOf(text, text.slice(0, slash), text.slice(slash + 1));
  if (text === "*") return "the host * is no rule: write default: allow for all hosts, or *.host.";
  const isBelow = text.startsWith("*.");
  const name = isBelow ? text.slice(2) : text;
  if (name.includes("*")) {
    return `the host ${text} cannot match: a * stands only in front, for all that is below a host (*.example.com).`;
  }
  const host = parseHost(name);
  if (host === null) return `the host ${text} cannot match: it is neither name nor address.`;
  if (host.address === null) return { kind: isBelow ? "below" : "name", name: host.text };
  if (!isBelow) return { kind: "network", address: host.address, bits: 128 };
  return `the host ${text} cannot match: nothing is below an address; write a network such as 10.0.0.0/8.`;
}

function networkOf(text: string, host: string, length: string): PatternPlace | string {
  const address = parseAddress(host);
  if (address === null) {
    const isName = parseHost(host) !== null;
    return `the host ${text} cannot match: ${
      isName ? "paths belong under paths" : "it is no network such as 10.0.0.0/8"
    }.`;
  }
  const isV4 = isIP(host) === 4;
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  const most = isV4 ? 32 : 128;
  if (!(bits <= most)) return `the network ${text} must end in a number from 0 to ${most}.`;
  return {
    kind: "network",
    address: masked(address, isV4 ? bits + 96 : bits),
    bits: isV4 ? bits + 96 : bits,
  };
}

/** The first `bits` of an address, zeros behind them. */
export function masked(address: AddressNumber, bits: number): AddressNumber {
  const rest = BigInt(128 - bits);
  return address >> rest << rest;
}
