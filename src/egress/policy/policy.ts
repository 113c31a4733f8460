/**
 * A policy's decisions: about a request, about the address that its host turned out to have, about a tunnel.
 *
 * What name, port, method and path decide is decided before any look-up. A rule that names addresses is for names that resolve to
 * them, too: where one could matter, the look-up comes first (`needsAddress`).
 * @module
 */
import { type AddressNumber, formatAddress, privateKind } from "./address.ts";
import type { Host } from "./host.ts";
import { isUnconditional, type Rule } from "./rule.ts";
import { type Asked, RuleIndex } from "./rule_index.ts";

/** What a policy says of something. */
export interface Verdict {
  readonly decision: "allow" | "deny" | "tunnel";
  /** Which rule says so; null for `default`, or `private`. */
  readonly rule: Rule | null;
  /** Why it is denied, as the end of a sentence; empty where it is not. */
  readonly reason: string;
  /** It is allowed only where the host's address is named by a rule: look it up, and ask again. */
  readonly needsAddress: boolean;
}

/** A request as a policy sees it. */
export interface Question extends Asked {
  readonly host: Host;
}

/** What the file says apart from rules. */
export interface PolicyInit {
  readonly rules: readonly Rule[];
  /** What no rule names. */
  readonly default: "deny" | "allow";
  /** Private addresses that no rule names. */
  readonly private: "deny" | "allow";
}

/** A policy's rules, ready to decide. */
export class Policy {
  readonly #init: PolicyInit;
  readonly #index: RuleIndex;

  constructor(init: PolicyInit) {
    this.#init = init;
    this.#index = new RuleIndex(init.rules);
  }

  /** What is decided of a request before its host is looked up. */
  decide(question: Question): Verdict {
    const { host } = question;
    const rule = this.#index.first(host, question);
    const verdict = this.#of(rule, host);
    if (host.address !== null) return this.#checked(verdict, host.address, rule?.effect === "allow");
    if (verdict.decision !== "deny") return verdict;
    const byAddress = this.#index.firstOfAnyAddress(question, rule?.index ?? Infinity);
    return byAddress === null || byAddress.effect !== "allow" ? verdict : { ...verdict, needsAddress: true };
  }

  /** True where an address makes no difference: no rule names any, and it is none that is private. */
  isIndifferent(address: AddressNumber): boolean {
    return !this.#index.hasAddresses && privateKind(address) === null;
  }

  /** The same, with an address that the host has: the last word about connecting to it. */
  decideAddress(question: Question, address: AddressNumber): Verdict {
    const { host } = question;
    if (host.address !== null) return this.decide(question);
    const byName = this.#index.first(host, question);
    const byAddress = this.#index.firstOfAddress(address, question);
    const rule = byAddress !== null && byAddress.index < (byName?.index ?? Infinity) ? byAddress : byName;
    const isNamed = byAddress?.effect === "allow" || rule?.private === true;
    return this.#checked(this.#of(rule, host), address, isNamed);
  }

  /**
   * What may go through a CONNECT to a host and port: "allow" when some request may, "tunnel" when it is for raw bytes.
   */
  decideConnect(host: Host, port: number): Verdict {
    for (const rule of this.#index.possible(host, port)) {
      if (rule.effect !== "deny" || isUnconditional(rule)) return this.#connect(rule, host, port);
    }
    return this.#connect(null, host, port);
  }

  /** What is decided of raw bytes to a host and port: only a `tunnel` rule lets them through. */
  decideTunnel(host: Host, port: number): Verdict {
    for (const rule of this.#index.possible(host, port)) {
      if (rule.effect === "tunnel") return this.#checkedIfAddress(verdictOf("tunnel", rule), host);
      if (rule.effect === "deny" && isUnconditional(rule)) return this.#of(rule, host);
    }
    const byAddress = host.address === null && this.#anyTunnel(port);
    const verdict = denied(null, `no tunnel rule names ${shownPlace(host, port)}`);
    return byAddress ? { ...verdict, needsAddress: true } : verdict;
  }

  /** The same, with an address that the host has. */
  decideTunnelAddress(host: Host, port: number, address: AddressNumber): Verdict {
    if (host.address !== null) return this.decideTunnel(host, port);
    const byName = this.decideTunnel(host, port);
    let byAddress: Rule | null = null;
    for (const rule of this.#index.possibleOfAddress(address, port)) {
      if (rule.effect === "allow" || rule.effect === "deny" && !isUnconditional(rule)) continue;
      byAddress = rule;
      break;
    }
    if (byAddress !== null && byAddress.index < (byName.rule?.index ?? Infinity)) {
      return this.#checked(this.#of(byAddress, host), address, byAddress.effect === "tunnel");
    }
    const isNamed = byAddress?.effect === "tunnel" || byName.rule?.private === true;
    return this.#checked({ ...byName, needsAddress: false }, address, isNamed);
  }

  /** True when something at this host and port may go to the address, whichever request it is: else nothing is connected to. */
  mayReach(host: Host, port: number, address: AddressNumber): boolean {
    const isPrivate = this.#init.private === "deny" && privateKind(address) !== null;
    const byName = firstOpen(this.#index.possible(host, port), isPrivate);
    const byAddress = firstOpen(this.#index.possibleOfAddress(address, port), false);
    if (byAddress.opens < byName.closes) return true;
    const isDefault = this.#init.default === "allow" && byName.closes === Infinity && !isPrivate;
    return Math.min(byName.opens, isDefault ? Number.MAX_SAFE_INTEGER : Infinity) < byAddress.closes;
  }

  #connect(rule: Rule | null, host: Host, port: number): Verdict {
    const verdict = this.#of(rule, host);
    if (verdict.decision !== "deny") {
      if (host.address === null) return verdict;
      return this.#checked(verdict, host.address, rule !== null);
    }
    if (host.address !== null) return verdict;
    for (const { index } of this.#index.possibleOfAnyAddress(port)) {
      if (index < (rule?.index ?? Infinity)) return { ...verdict, needsAddress: true };
      break;
    }
    return verdict;
  }

  #anyTunnel(port: number): boolean {
    for (const { effect } of this.#index.possibleOfAnyAddress(port)) if (effect === "tunnel") return true;
    return false;
  }

  #checkedIfAddress(verdict: Verdict, host: Host): Verdict {
    return host.address === null ? verdict : this.#checked(verdict, host.address, true);
  }

  #of(rule: Rule | null, host: Host): Verdict {
    if (rule === null) {
      return this.#init.default === "allow"
        ? verdictOf("allow", null)
        : denied(null, `no rule allows it (${host.text})`);
    }
    if (rule.effect === "deny") return denied(rule, `the rule in line ${rule.line} denies it`);
    return verdictOf(rule.effect, rule);
  }

  /** Private addresses are denied unless a rule means them. */
  #checked(verdict: Verdict, address: AddressNumber, isNamed: boolean): Verdict {
    if (verdict.decision === "deny" || isNamed || this.#init.private === "allow") return verdict;
    const kind = privateKind(address);
    if (kind === null) return verdict;
    return denied(
      verdict.rule,
      `${formatAddress(address)} is a ${kind} address (private: deny), and no rule names it`,
    );
  }
}

/** Places of the first rule that lets something pass, and of one before it that lets nothing: Infinity for none. */
function firstOpen(rules: Iterable<Rule>, mustBePrivate: boolean): { opens: number; closes: number } {
  for (const rule of rules) {
    if (rule.effect === "deny" && isUnconditional(rule)) return { opens: Infinity, closes: rule.index };
    if (rule.effect !== "deny" && (rule.private || !mustBePrivate)) {
      return { opens: rule.index, closes: Infinity };
    }
  }
  return { opens: Infinity, closes: Infinity };
}

function verdictOf(decision: "allow" | "tunnel", rule: Rule | null): Verdict {
  return { decision, rule, reason: "", needsAddress: false };
}

function denied(rule: Rule | null, reason: string): Verdict {
  return { decision: "deny", rule, reason, needsAddress: false };
}

function shownPlace({ text }: Host, port: number): string {
  return text.includes(":") ? `[${text}]:${port}` : `${text}:${port}`;
}
