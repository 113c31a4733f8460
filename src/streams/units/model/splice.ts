/**
 * Values of a JSON text (RFC 8259) replaced in their places: every other character stays as it was written.
 * @module
 */

/** Where a value is: names of members and indexes of elements, from the outermost in. */
export type Path = readonly (string | number)[];

/** A value to be written in the place of another. */
export interface Edit {
  readonly path: Path;
  /** The value as JSON. */
  readonly json: string;
}

/** What is to be done at a value and in it. */
interface Node {
  json: string | null;
  readonly children: Map<string, Node>;
}

/** `text`, which is valid JSON, with these edits; a member that stands there twice is edited twice. */
export function splice(text: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return text;
  const root: Node = { json: null, children: new Map() };
  for (const { path, json } of edits) {
    let node = root;
    for (const step of path) {
      const child = node.children.get(String(step)) ?? { json: null, children: new Map() };
      node.children.set(String(step), child);
      node = child;
    }
    node.json = json;
  }
  const splicer = new Splicer(text);
  splicer.value(splicer.space(0), root);
  return splicer.result();
}

class Splicer {
  readonly #text: string;
  #out = "";
  #copied = 0;

  constructor(text: string) {
    this.#text = text;
  }

  result(): string {
    return this.#out + this.#text.slice(this.#copied);
  }

  /** Edits the value at `at`; gives where it ends. */
  value(at: number, node: Node): number {
    if (node.json !== null) {
      this.#out += this.#text.slice(this.#copied, at) + node.json;
      return this.#copied = this.#skip(at);
    }
    if (node.children.size > 0 && this.#text[at] === "{") return this.#object(at, node);
    if (node.children.size > 0 && this.#text[at] === "[") return this.#array(at, node);
    return this.#skip(at);
  }

  /** Behind the white space at `at`. */
  space(at: number): number {
    while (" \t\n\r\ufeff".includes(this.#text[at] ?? "x")) at++;
    return at;
  }

  #object(at: number, node: Node): number {
    at = this.space(at + 1);
    while (this.#text[at] === '"') {
      const end = this.#string(at);
      const child = node.children.get(JSON.parse(this.#text.slice(at, end)));
      at = this.#next(this.#member(this.space(this.space(end) + 1), child));
    }
    return at + 1;
  }

  #array(at: number, node: Node): number {
    at = this.space(at + 1);
    for (let index = 0; this.#text[at] !== "]"; index++) {
      at = this.#next(this.#member(at, node.children.get(String(index))));
    }
    return at + 1;
  }

  #member(at: number, node: Node | undefined): number {
    return node === undefined ? this.#skip(at) : this.value(at, node);
  }

  /** Behind the comma that follows a value, or before the bracket. */
  #next(at: number): number {
    at = this.space(at);
    return this.#text[at] === "," ? this.space(at + 1) : at;
  }

  /** Behind the value at `at`. */
  #skip(at: number): number {
    const text = this.#text;
    let depth = 0;
    do {
      const char = text[at];
      if (char === '"') at = this.#string(at);
      else {
        at++;
        if (char === "{" || char === "[") depth++;
        else if (char === "}" || char === "]") depth--;
        else if (depth === 0) {
          while (at < text.length && !" \t\n\r,]}".includes(text[at])) at++;
        }
      }
    } while (depth > 0);
    return at;
  }

  /** Behind the string at `at`. */
  #string(at: number): number {
    for (at++; this.#text[at] !== '"'; at++) if (this.#text[at] === "\\") at++;
    return at + 1;
  }
}
