/**
 * The filter language of mitmproxy, read into a tree.
 *
 * Loosest first: neighbours (AND) · `|` · `&` · `!` · `( )`, `~op`, `~op argument`, a word (= `~u word`). A list of neighbours binds
 * weaker than `|`, so `a b | c` is a AND (b OR c), as in mitmproxy; unlike there it may stand in parentheses, too. Words are
 * what has no blank, parenthesis, quote or `~` in it; `&`, `|` and `!` mean something between words only.
 * @module
 */
import { FilterError } from "./error.ts";
import { nearest } from "../options/mod.ts";
import { OPERATORS, type Term } from "./operators.ts";

/** A filter, taken apart. */
export type Node =
  | { readonly kind: "all" | "any"; readonly parts: readonly Node[] }
  | { readonly kind: "not"; readonly part: Node }
  | { readonly kind: "term"; readonly term: Term };

/** How deep parentheses and `!` may be nested: more than anybody writes, less than the stack holds. */
const MAX_DEPTH = 200;

/** @throws {FilterError} that names the place. */
export function parse(text: string): Node {
  return new Parser(text).filter();
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  filter(): Node {
    if (this.#peek() === null) this.#fail("an expression is missing", this.#text.length);
    const node = this.#neighbours();
    if (this.#peek() === ")") this.#fail("this ) closes nothing");
    return node;
  }

  /** Up to the end or a closing parenthesis. */
  #neighbours(): Node {
    const parts = [this.#any()];
    for (let next = this.#peek(); next !== null && next !== ")"; next = this.#peek()) parts.push(this.#any());
    return joined("all", parts);
  }

  #any(): Node {
    const parts = [this.#all()];
    while (this.#operator("|")) parts.push(this.#all());
    return joined("any", parts);
  }

  #all(): Node {
    const parts = [this.#not()];
    while (this.#operator("&")) parts.push(this.#not());
    return joined("all", parts);
  }

  #not(): Node {
    if (this.#peek() !== "!") return this.#atom();
    this.#at++;
    return this.#nested(() => ({ kind: "not", part: this.#not() }));
  }

  #atom(): Node {
    const next = this.#peek();
    if (next === null) this.#fail("an expression is missing", this.#text.length);
    if (next === ")") this.#fail("an expression is missing");
    if (next === "&" || next === "|") this.#fail(`an expression is missing before ${next}`);
    if (next === "(") return this.#parentheses();
    if (next === "~") return this.#term();
    const at = this.#at;
    return { kind: "term", term: this.#made("u", this.#word()!, at) };
  }

  #parentheses(): Node {
    this.#at++;
    return this.#nested(() => {
      if (this.#peek() === null) this.#fail("a closing ) is missing", this.#text.length);
      const node = this.#neighbours();
      if (this.#peek() !== ")") this.#fail("a closing ) is missing", this.#text.length);
      this.#at++;
      return node;
    });
  }

  #nested(read: () => Node): Node {
    if (++this.#depth > MAX_DEPTH) this.#fail(`the filter is nested more than ${MAX_DEPTH} deep`);
    const node = read();
    this.#depth--;
    return node;
  }

  #term(): Node {
    const at = this.#at;
    const name = /^\w*/.exec(this.#text.slice(at + 1))![0];
    const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
    if (operator === undefined) {
      const close = nearest(name.toLowerCase(), Object.keys(OPERATORS));
      const hint = close === null ? "" : ` (did you mean ~${close}?)`;
      this.#fail(name === "" ? "an operator is missing behind ~" : `~${name} is not an operator${hint}`, at);
    }
    this.#at += 1 + name.length;
    if (operator.argument === null) return { kind: "term", term: this.#made(name, null, at) };
    const before = this.#at;
    this.#peek();
    const start = this.#at;
    const argument = this.#word();
    if (argument === null || operator.takes?.(argument) === false) {
      this.#at = before;
      if (!operator.isOptional) {
        this.#fail(`~${name} needs ${operator.argument}`, argument === null ? start : at);
      }
      return { kind: "term", term: this.#made(name, null, at) };
    }
    return { kind: "term", term: this.#made(name, argument, start) };
  }

  /** `at` is where its argument begins. */
  #made(name: string, argument: string | null, at: number): Term {
    const isQuoted = this.#text[at] === '"' || this.#text[at] === "'";
    return OPERATORS[name].make(
      argument ?? "",
      // Escapes in quotes shift the places behind them: then only the argument itself can be named.
      (reason, offset = 0) => this.#fail(reason, at + (isQuoted ? 0 : offset)),
    );
  }

  /** A bare or quoted word at this very place, or null. */
  #word(): string | null {
    const quote = this.#text[this.#at];
    if (quote === '"' || quote === "'") return this.#quoted(quote);
    const word = /^[^()~'"\s]+/.exec(this.#text.slice(this.#at));
    if (word === null) return null;
    this.#at += word[0].length;
    return word[0];
  }

  #quoted(quote: string): string {
    const start = this.#at;
    let out = "";
    for (let i = start + 1; i < this.#text.length; i++) {
      const char = this.#text[i];
      if (char === quote) {
        this.#at = i + 1;
        return out;
      }
      if (char === "\n" || char === "\r") break;
      if (char !== "\\") out += char;
      else if (++i < this.#text.length) out += CONTROLS[this.#text[i]] ?? this.#text[i];
    }
    this.#fail(`the closing ${quote} is missing`, this.#text.length);
  }

  #operator(operator: "&" | "|"): boolean {
    if (this.#peek() !== operator) return false;
    this.#at++;
    return true;
  }

  /** The next character that is no white space, or null at the end. */
  #peek(): string | null {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
    return this.#text[this.#at] ?? null;
  }

  #fail(reason: string, offset = this.#at): never {
    throw new FilterError(this.#text, reason, [...this.#text.slice(0, offset)].length + 1);
  }
}

const CONTROLS: Readonly<Record<string, string>> = { t: "\t", n: "\n", f: "\f", r: "\r" };

function joined(kind: "all" | "any", parts: readonly Node[]): Node {
  return parts.length === 1 ? parts[0] : { kind, parts };
}
