/**
 * Rules by host, port and path, so that 5 000 of them cost what five cost: a request is compared with those that its host, its
 * port and the first segments of its path lead to.
 *
 * Names are found by their suffixes, addresses by the lengths of the networks that there are.
 * @module
 */
import type { AddressNumber } from "./address.ts";
import type { Host } from "./host.ts";
import { masked } from "./pattern.ts";
import type { PathGlob } from "./path.ts";
import { isFor, isUnconditional, type Rule } from "./rule.ts";

/** What a rule is asked about. */
export interface Asked {
  readonly port: number;
  readonly method: string;
  /** From `matchedPath`. */
  readonly path: string;
}

/** Rules whose globs begin with the same whole segments, and those with more segments below. */
class PathNode {
  readonly rules: Rule[] = [];
  readonly children = new Map<string, PathNode>();

  child(segment: string): PathNode {
    let child = this.children.get(segment);
    if (child === undefined) this.children.set(segment, child = new PathNode());
    return child;
  }
}

/** The rules for one host and port. */
class Bucket {
  /** In their order. */
  readonly rules: Rule[] = [];
  readonly #root = new PathNode();

  add(rule: Rule): void {
    if (this.rules.at(-1) === rule) return;
    this.rules.push(rule);
    // No request is let through by a rule for raw bytes.
    if (rule.effect === "tunnel") return;
    for (const glob of rule.paths ?? [null]) nodeOf(this.#root, glob).rules.push(rule);
  }

  /** The first rule before `before` for a request. */
  first({ method, path }: Asked, before: number): Rule | null {
    let best = firstOf(this.#root, method, path, before);
    const look = (node: PathNode) => best = firstOf(node, method, path, best?.index ?? before) ?? best;
    let node: PathNode | undefined = this.#root;
    for (let from = 1; node.children.size > 0 && from <= path.length;) {
      const slash = path.indexOf("/", from);
      const end = slash < 0 ? path.length : slash;
      node = node.children.get(path.slice(from, end));
      if (node === undefined) break;
      look(node);
      from = end + 1;
    }
    return best;
  }
}

function firstOf({ rules }: PathNode, method: string, path: string, before: number): Rule | null {
  for (const rule of rules) {
    if (rule.index >= before) return null;
    if (isFor(rule, method, path)) return rule;
  }
  return null;
}

function nodeOf(root: PathNode, glob: PathGlob | null): PathNode {
  return (glob?.segments ?? []).reduce((node, segment) => node.child(segment), root);
}

/** The rules for one place, by port. */
class Ports {
  readonly #buckets = new Map<number, Bucket>();

  add(rule: Rule, ports: readonly number[]): void {
    for (const port of ports) {
      let bucket = this.#buckets.get(port);
      if (bucket === undefined) this.#buckets.set(port, bucket = new Bucket());
      bucket.add(rule);
    }
  }

  at(port: number): Bucket | undefined {
    return this.#buckets.get(port);
  }
}

/** All rules of a policy. */
export class RuleIndex {
  readonly #names = new Map<string, Ports>();
  readonly #below = new Map<string, Ports>();
  /** By length of the network's prefix, then by the prefix. */
  readonly #networks = new Map<number, Map<AddressNumber, Ports>>();
  /** All that name addresses, whichever: a name may lead to one of them. */
  readonly #anyAddress = new Ports();

  /** A rule names an address or a network. */
  readonly hasAddresses: boolean;

  constructor(rules: readonly Rule[]) {
    this.hasAddresses = rules.some(({ hosts }) => hosts.some(({ place }) => place.kind === "network"));
    for (const rule of rules) {
      for (const { place, ports } of rule.hosts) {
        if (place.kind === "network") {
          const network = entry(this.#networks, place.bits, () => new Map<AddressNumber, Ports>());
          entry(network, place.address, () => new Ports()).add(rule, ports);
          if (rule.effect !== "deny") this.#anyAddress.add(rule, ports);
        } else {
          const names = place.kind === "name" ? this.#names : this.#below;
          entry(names, place.name, () => new Ports()).add(rule, ports);
        }
      }
    }
  }

  /** The first rule that names this host, for a request. */
  first(host: Host, asked: Asked): Rule | null {
    return firstIn(this.#buckets(host, asked.port), asked);
  }

  /** The first rule that names an address that a name has turned out to have, for a request. */
  firstOfAddress(address: AddressNumber, asked: Asked): Rule | null {
    return firstIn(this.#networksOf(address, asked.port), asked);
  }

  /** The first rule before `before` that lets a request go to some address. */
  firstOfAnyAddress(asked: Asked, before: number): Rule | null {
    return this.#anyAddress.at(asked.port)?.first(asked, before) ?? null;
  }

  /**
   * The rules that may decide about something at this host and port, whatever the method and path, in their order: until one
   * that is for all methods and paths.
   */
  *possible(host: Host, port: number): Generator<Rule> {
    yield* merged([...this.#buckets(host, port)].map(({ rules }) => rules));
  }

  /** The same of the rules that name an address. */
  *possibleOfAddress(address: AddressNumber, port: number): Generator<Rule> {
    yield* merged([...this.#networksOf(address, port)].map(({ rules }) => rules));
  }

  /** The same of all rules that let something go to an address. */
  *possibleOfAnyAddress(port: number): Generator<Rule> {
    yield* this.#anyAddress.at(port)?.rules ?? [];
  }

  *#buckets(host: Host, port: number): Generator<Bucket> {
    if (host.address !== null) return yield* this.#networksOf(host.address, port);
    const exact = this.#names.get(host.text)?.at(port);
    if (exact !== undefined) yield exact;
    if (this.#below.size === 0) return;
    for (let dot = host.text.indexOf("."); dot >= 0; dot = host.text.indexOf(".", dot + 1)) {
      const below = this.#below.get(host.text.slice(dot + 1))?.at(port);
      if (below !== undefined) yield below;
    }
  }

  *#networksOf(address: AddressNumber, port: number): Generator<Bucket> {
    for (const [bits, networks] of this.#networks) {
      const bucket = networks.get(masked(address, bits))?.at(port);
      if (bucket !== undefined) yield bucket;
    }
  }
}

function firstIn(buckets: Iterable<Bucket>, asked: Asked): Rule | null {
  let best: Rule | null = null;
  let before = Infinity;
  for (const bucket of buckets) {
    const rule = bucket.first(asked, before);
    if (rule !== null) [best, before] = [rule, rule.index];
  }
  return best;
}

/** Rules of several lists in their order, up to the first that is for all methods and paths. */
function* merged(lists: readonly (readonly Rule[])[]): Generator<Rule> {
  const at = lists.map(() => 0);
  for (;;) {
    let next: Rule | undefined;
    lists.forEach((list, i) => {
      if (at[i] < list.length && list[at[i]].index < (next?.index ?? Infinity)) next = list[at[i]];
    });
    if (next === undefined) return;
    lists.forEach((list, i) => {
      if (list[at[i]] === next) at[i]++;
    });
    yield next;
    if (isUnconditional(next)) return;
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
