/**
 * What a filter says in plain facts of a flow: for databases, which can look for these and for nothing else.
 * @module
 */
import type { Flow } from "../flow/flow.ts";
import * as facts from "./facts.ts";

/** What is known of a flow that has ended, as single texts and numbers; null is what it has not. */
export interface FlowFacts {
  /** "http" or "tcp". */
  readonly type: "http" | "tcp";
  /** Where it went. */
  readonly host: string | null;
  /** What its Host field says (`host` where it has none). */
  readonly hostField: string | null;
  /** Of the request. */
  readonly method: string | null;
  /** Of the response. */
  readonly status: number | null;
  /** Bytes of its bodies, or of its messages. */
  readonly size: number;
  /** From its beginning to its end. */
  readonly durationMs: number;
  /** From the request's first byte to the response's. */
  readonly ttfbMs: number | null;
  /** It ended badly. */
  readonly hasError: boolean;
}

/** The facts of a flow, as filters see them. */
export function flowFacts(flow: Flow): FlowFacts {
  const common = {
    size: facts.sizeOf(flow).value ?? 0,
    durationMs: facts.durationOf(flow).value ?? 0,
    ttfbMs: facts.firstByteOf(flow).value,
    hasError: flow.error !== null,
  };
  if (flow.type === "tcp") {
    const host = flow.serverConn?.address.hostname ?? null;
    return { type: "tcp", host, hostField: host, method: null, status: null, ...common };
  }
  const [host, hostField] = facts.hosts(flow.request);
  const { method } = flow.request;
  return { type: "http", host, hostField, method, status: flow.response?.statusCode ?? null, ...common };
}

/**
 * A condition on facts. `like` takes a pattern of SQL: `%` is any text, `_` any character, `\\` takes their meaning from them, and
 * case does not count. What is null fulfils no `fact`.
 */
export type Condition =
  | { readonly kind: "all" | "any"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  | {
    readonly kind: "fact";
    readonly fact: keyof FlowFacts;
    readonly test: "=" | "<" | "<=" | ">" | ">=" | "like";
    readonly value: string | number | boolean;
  };

/** The contrary of a condition. */
export function negated(condition: Condition): Condition {
  return condition.kind === "not" ? condition.part : { kind: "not", part: condition };
}

/**
 * A pattern for `like` that fits whatever a regular expression of Python's finds something in, case ignored; null where the expression is
 * more than letters, dots, and escapes of punctuation.
 */
export function likePattern(expression: string): string | null {
  const match = /^(\^?)((?:[\w\-/:@ .]|\\[.\-/:@])+)\$?$/.exec(expression);
  if (match === null) return null;
  const [, start, text] = match;
  const like = text.replace(/\\?(.)/g, (found, char) => {
    if (found === ".") return "_";
    // Without case these also fit a letter beyond ASCII (the Kelvin sign, the long s).
    return /[ks]/i.test(char) ? "_" : char === "_" ? "\\_" : char;
  });
  // What `$` means is left to the expression: in Python it fits before a last line break as well.
  return `${start === "" ? "%" : ""}${like}%`;
}
