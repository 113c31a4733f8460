/**
 * One rule of a policy, as it was read.
 * @module
 */
import type { HostPattern } from "./pattern.ts";
import type { PathGlob } from "./path.ts";

/** What a rule does: `tunnel` lets raw bytes through, the others are for requests. */
export type Effect = "allow" | "deny" | "tunnel";

/** A rule. */
export interface Rule {
  /** Its place among all rules, from 0: the first that matches decides. */
  readonly index: number;
  /** Where it begins in the file. */
  readonly line: number;
  readonly effect: Effect;
  readonly hosts: readonly HostPattern[];
  /** Methods, as they are sent; null for all. */
  readonly methods: ReadonlySet<string> | null;
  /** Null for all paths. */
  readonly paths: readonly PathGlob[] | null;
  /** Most bytes of a request's body; null for no limit. */
  readonly uploads: number | null;
  /** Names that resolve to a private address are meant, too. */
  readonly private: boolean;
}

/** True when the rule is for this method and path, wherever it leads. */
export function isFor(rule: Rule, method: string, path: string): boolean {
  return (rule.methods === null || rule.methods.has(method)) &&
    (rule.paths === null || rule.paths.some(({ expression }) => expression.test(path)));
}

/** True when it is for every method and path. */
export function isUnconditional(rule: Rule): boolean {
  return rule.methods === null && rule.paths === null;
}
