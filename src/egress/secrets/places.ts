/**
 * A set of hosts, as a secret or added fields have them. One without a port is meant at every port: the rules say which.
 * @module
 */
import type { Host } from "../policy/host.ts";
import { type HostPattern, masked } from "../policy/pattern.ts";

/** Hosts that were written in a policy. */
export class Hosts {
  readonly #patterns: readonly HostPattern[];

  constructor(patterns: readonly HostPattern[]) {
    this.#patterns = patterns;
  }

  /** True when one of them is this host, at this port. */
  has({ text, address }: Host, port: number): boolean {
    return this.#patterns.some(({ place, port: only }) => {
      if (only !== null && only !== port) return false;
      if (place.kind === "network") return address !== null && masked(address, place.bits) === place.address;
      if (address !== null) return false;
      return place.kind === "name" ? text === place.name : text.endsWith(`.${place.name}`);
    });
  }
}
