/**
 * The policy file, checked: every key known, every value of its type, every host one that can match.
 * @module
 */
import { hint, parseSize } from "../../options/mod.ts";
import { shortened, shown } from "../../shown.ts";
import { PolicyError } from "../error.ts";
import { type HostPattern, parsePattern } from "./pattern.ts";
import { parseGlob, type PathGlob } from "./path.ts";
import type { PolicyInit } from "./policy.ts";
import type { Effect, Rule } from "./rule.ts";
import { parseYaml, type Yaml, type YamlEntry, type YamlMap } from "./yaml.ts";

/** Where a secret's value comes from. */
export type SecretSource =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "command"; readonly command: readonly string[] };

/** Where in a request a value may be put. */
export type SecretPlace =
  | { readonly kind: "header"; readonly name: string | null }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "path" | "body" | "websocket" };

/** A secret as the file describes it; its value is read elsewhere. */
export interface SecretInit {
  readonly name: string;
  readonly line: number;
  readonly from: SecretSource;
  readonly hosts: readonly HostPattern[];
  readonly places: readonly SecretPlace[];
  /** What the program holds, with `{id}` where digits are to stand; null for the default. */
  readonly placeholder: string | null;
  /** It may be sent without TLS. */
  readonly plain: boolean;
}

/** Header fields that are added to requests. */
export interface AddedFields {
  readonly line: number;
  readonly hosts: readonly HostPattern[];
  /** Name and value; `${NAME}` in it stands for a secret. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What a policy file says. */
export interface PolicyFile extends PolicyInit {
  readonly path: string;
  readonly mode: "enforce" | "warn";
  readonly secrets: readonly SecretInit[];
  readonly add: readonly AddedFields[];
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PLACES = ["header", "query", "path", "body", "websocket"] as const;
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/** Reads a policy's text. @throws {PolicyError} a sentence with file, line and, for a key, the nearest that is known. */
export async function parsePolicyFile(path: string, text: string): Promise<PolicyFile> {
  return new Reader(path).file(await parseYaml(path, text));
}

class Reader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  file(root: Yaml): PolicyFile {
    const map = this.#map(root, "a policy");
    const get = this.#keys(map, "a policy", ["default", "mode", "private", "rules", "secrets", "add"]);
    const secrets = this.#secrets(get("secrets"));
    return {
      path: this.#path,
      default: this.#choice(get("default"), "default", ["deny", "allow"]) ?? "deny",
      mode: this.#choice(get("mode"), "mode", ["enforce", "warn"]) ?? "enforce",
      private: this.#choice(get("private"), "private", ["deny", "allow"]) ?? "deny",
      rules: this.#list(get("rules"), "rules").map((item, index) => this.#rule(item, index)),
      secrets,
      add: this.#list(get("add"), "add").map((item) => this.#added(item, secrets)),
    };
  }

  #rule(item: Yaml, index: number): Rule {
    const map = this.#map(item, "a rule");
    const get = this.#keys(map, "a rule", [
      "allow",
      "deny",
      "tunnel",
      "methods",
      "paths",
      "uploads",
      "private",
    ]);
    const effects = (["allow", "deny", "tunnel"] as const).filter((key) => get(key) !== null);
    if (effects.length !== 1) {
      const what = effects.length === 0 ? "none of them" : effects.join(" and ");
      this.#fail(map.line, `a rule has one of allow, deny and tunnel; this one has ${what}.`);
    }
    const effect: Effect = effects[0];
    for (
      const key of effect === "tunnel"
        ? ["methods", "paths", "uploads"]
        : effect === "deny"
        ? ["uploads", "private"]
        : []
    ) {
      const entry = map.entries.find((entry) => entry.key === key);
      if (entry !== undefined) this.#fail(entry.line, `${key} means nothing in a rule with ${effect}.`);
    }
    const methods = get("methods"), paths = get("paths"), uploads = get("uploads");
    return {
      index,
      line: map.line,
      effect,
      hosts: this.#hosts(get(effect)!.value, effect),
      methods: methods && new Set(this.#texts(methods.value, "methods").map((text) => this.#method(text))),
      paths: paths && this.#texts(paths.value, "paths").map((text) => this.#glob(text)),
      uploads: uploads && this.#size(uploads),
      private: this.#boolean(get("private"), "private") ?? false,
    };
  }

  #method({ text, line }: Text): string {
    const upper = text.toUpperCase();
    if (!TOKEN.test(text)) this.#fail(line, `${shown(text)} is no method.`);
    if (text !== upper && METHODS.includes(upper)) {
      this.#fail(
        line,
        `the method ${text} cannot match: methods are case-sensitive (did you mean ${upper}?).`,
      );
    }
    return text;
  }

  #glob({ text, line }: Text): PathGlob {
    const glob = parseGlob(text);
    return typeof glob === "string" ? this.#fail(line, glob) : glob;
  }

  #size(entry: YamlEntry): number {
    const { value, line } = entry.value.kind === "scalar" ? entry.value : { value: null, line: entry.line };
    const size = typeof value === "number" || typeof value === "string" ? parseSize(String(value)) : null;
    return size ?? this.#fail(line, `${entry.key} must be a size such as 64k or 3m.`);
  }

  #hosts(value: Yaml, key: string): HostPattern[] {
    return this.#texts(value, key).map(({ text, line }) => {
      const pattern = parsePattern(text);
      return typeof pattern === "string" ? this.#fail(line, pattern) : pattern;
    });
  }

  #secrets(entry: YamlEntry | null): SecretInit[] {
    if (entry === null || isNull(entry.value)) return [];
    const map = this.#map(entry.value, "secrets");
    const secrets = map.entries.map((entry) => this.#secret(entry));
    const fixed = new Map<string, string>();
    for (const { name, placeholder, line } of secrets) {
      if (placeholder === null || placeholder.includes("{id}")) continue;
      const other = fixed.get(placeholder);
      if (other !== undefined) {
        this.#fail(line, `the secrets ${other} and ${name} have the same placeholder: each needs its own.`);
      }
      fixed.set(placeholder, name);
    }
    return secrets;
  }

  #secret({ key: name, line, value }: YamlEntry): SecretInit {
    if (!VARIABLE.test(name)) {
      this.#fail(line, `the secret ${shown(name)} must have the name of a variable: letters, digits and _.`);
    }
    const what = `the secret ${name}`;
    const map = this.#map(value, what);
    const get = this.#keys(map, what, ["from", "hosts", "in", "placeholder", "plain"]);
    const from = get("from"), hosts = get("hosts"), places = get("in"), placeholder = get("placeholder");
    if (from === null) {
      this.#fail(line, `${what} has no value: write from: env, env:NAME, file:PATH or command.`);
    }
    if (hosts === null) this.#fail(line, `${what} has no hosts: write to which it may be sent.`);
    const found = this.#hosts(hosts!.value, "hosts");
    if (found.length === 0) this.#fail(hosts!.line, `${what} has no hosts: write to which it may be sent.`);
    return {
      name,
      line,
      from: this.#source(from!, name),
      hosts: found,
      places: places === null
        ? [{ kind: "header", name: null }]
        : this.#texts(places.value, "in").map((text) => this.#place(text)),
      placeholder: placeholder && this.#placeholder(placeholder),
      plain: this.#boolean(get("plain"), "plain") ?? false,
    };
  }

  #placeholder({ value, line }: YamlEntry): string {
    const { text } = this.#text(value, "placeholder");
    const least = text.replaceAll("{id}", "x".repeat(32)).length;
    if (least < 8) {
      this.#fail(line, "a placeholder must have at least 8 characters, or it would be found everywhere.");
    }
    if (!/^[!-~]+$/.test(text)) this.#fail(line, "a placeholder must be of visible ASCII characters.");
    return text;
  }

  #source({ value, line }: YamlEntry, secret: string): SecretSource {
    if (value.kind === "map") {
      const get = this.#keys(value, "from", ["command"]);
      const command = get("command");
      if (command === null) this.#fail(value.line, "from must be env, env:NAME, file:PATH or a command.");
      const words = this.#texts(command!.value, "command").map(({ text }) => text);
      if (words.length === 0 || words[0] === "") this.#fail(command!.line, "command must name a program.");
      return { kind: "command", command: words };
    }
    const { text } = this.#text(value, "from");
    if (text === "env") return { kind: "env", name: secret };
    const [, kind, rest] = /^(env|file):(.*)$/.exec(text) ?? [];
    if (kind === "file" && rest !== "") return { kind: "file", path: rest };
    if (kind === "env" && VARIABLE.test(rest)) return { kind: "env", name: rest };
    const near = kind === undefined ? hint(text.split(":")[0], ["env", "file", "command"]) : "";
    // What stands there may be the value itself: it is not shown.
    this.#fail(line, `from must be env, env:NAME, file:PATH or a command${near}.`);
  }

  #place({ text, line }: Text): SecretPlace {
    const [kind, name] = text.includes(":")
      ? [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)]
      : [text, null];
    if (kind === "header" && (name === null || TOKEN.test(name))) {
      return { kind, name: name?.toLowerCase() ?? null };
    }
    if (kind === "query" && name !== null && name !== "") return { kind, name };
    if ((kind === "path" || kind === "body" || kind === "websocket") && name === null) return { kind };
    this.#fail(
      line,
      `in must be of header, header:NAME, query:NAME, path, body and websocket, not ${shown(text)}${
        hint(kind, PLACES)
      }.`,
    );
  }

  #added(item: Yaml, secrets: readonly SecretInit[]): AddedFields {
    const map = this.#map(item, "an entry of add");
    const get = this.#keys(map, "an entry of add", ["host", "headers"]);
    const host = get("host"), headers = get("headers");
    if (host === null) this.#fail(map.line, "an entry of add needs a host.");
    if (headers === null) this.#fail(map.line, "an entry of add needs headers.");
    const fields = this.#map(headers!.value, "headers").entries.map(({ key, value, line }) => {
      if (!TOKEN.test(key)) this.#fail(line, `${shown(key)} is no name of a header field.`);
      const { text } = this.#text(value, key);
      if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
        this.#fail(line, `the value of ${key} has characters that no field may have.`);
      }
      for (const [, name] of text.matchAll(/\$\{([^}]*)\}/g)) {
        const names = secrets.map(({ name }) => name);
        if (names.includes(name)) continue;
        this.#fail(line, `\${${name}} names no secret of this file${hint(name, names)}.`);
      }
      return [key, text] as const;
    });
    return { line: map.line, hosts: this.#hosts(host!.value, "host"), headers: fields };
  }

  /** Looks keys up. @throws {PolicyError} for one that is not known. */
  #keys(map: YamlMap, what: string, known: readonly string[]): (key: string) => YamlEntry | null {
    for (const { key, line } of map.entries) {
      if (known.includes(key)) continue;
      this.#fail(
        line,
        `${what} has no key ${shortened(key)}${hint(key, known) || `; it has ${known.join(", ")}`}.`,
      );
    }
    return (key) => map.entries.find((entry) => entry.key === key) ?? null;
  }

  #map(value: Yaml, what: string): YamlMap {
    if (value.kind === "map") return value;
    this.#fail(value.line, `${what} must be a mapping of keys and values, not ${nameOf(value)}.`);
  }

  #list(entry: YamlEntry | null, what: string): readonly Yaml[] {
    if (entry === null || isNull(entry.value)) return [];
    const { value } = entry;
    if (value.kind === "list") return value.items;
    this.#fail(value.line, `${what} must be a list, not ${nameOf(value)}.`);
  }

  /** One text, or a list of them. */
  #texts(value: Yaml, what: string): Text[] {
    const texts = value.kind === "list"
      ? value.items.map((item) => this.#text(item, what))
      : [this.#text(value, what)];
    if (texts.length === 0) this.#fail(value.line, `${what} is an empty list: it matches nothing.`);
    return texts;
  }

  #text(value: Yaml, what: string): Text {
    if (value.kind === "scalar" && typeof value.value === "string") {
      return { text: value.value, line: value.line };
    }
    this.#fail(value.line, `${what} must be text, not ${nameOf(value)}.`);
  }

  #boolean(entry: YamlEntry | null, what: string): boolean | null {
    if (entry === null) return null;
    const { value } = entry;
    if (value.kind === "scalar" && typeof value.value === "boolean") return value.value;
    this.#fail(value.line, `${what} must be true or false, not ${nameOf(value)}.`);
  }

  #choice<T extends string>(entry: YamlEntry | null, what: string, choices: readonly T[]): T | null {
    if (entry === null) return null;
    const { value } = entry;
    const found = value.kind === "scalar" && choices.find((choice) => choice === value.value);
    if (found) return found;
    const near = value.kind === "scalar" && typeof value.value === "string" ? hint(value.value, choices) : "";
    this.#fail(value.line, `${what} must be ${choices.join(" or ")}, not ${nameOf(value)}${near}.`);
  }

  #fail(line: number, what: string): never {
    throw new PolicyError(this.#path, line, what);
  }
}

interface Text {
  readonly text: string;
  readonly line: number;
}

function isNull(value: Yaml): boolean {
  return value.kind === "scalar" && value.value === null;
}

/** A value as messages call it. */
function nameOf(value: Yaml): string {
  if (value.kind === "map") return "a mapping";
  if (value.kind === "list") return "a list";
  return value.value === null ? "nothing" : shown(value.value);
}
