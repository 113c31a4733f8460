/**
 * All options that exist, weir's own and those that addons register, with their values (mitmproxy `optmanager.py`).
 * @module
 */
import { shortened, shown } from "../shown.ts";
import { OptionError } from "./error.ts";
import { hint } from "./nearest.ts";
import { type CoreValues, type OptionDefinition, OPTIONS } from "./table.ts";
import {
  BadValue,
  bool,
  int,
  type Kind,
  list,
  optional,
  type OptionType,
  type OptionValue,
  size,
  str,
} from "./values.ts";

/**
 * Parsed values: sizes are numbers of bytes or null, lists are read-only arrays. Live: reading gives what holds now.
 * Read only. Options that addons register are properties too; `get` reads those whose names the compiler cannot know.
 *
 * A type alias, because an interface would not fit where unknown names are allowed as well (`AddonOptions`).
 */
export type Options = CoreValues & {
  /** @throws {OptionError} when there is no option of that name. */
  get<T extends OptionValue = OptionValue>(name: string): T;
};

/** Changes to weir's own options; sizes may be text. */
export type OptionChanges = { readonly [N in keyof CoreValues]?: CoreValues[N] | SizeText<CoreValues[N]> };
type SizeText<T> = number extends T ? null extends T ? string : never : never;

/** Told after values changed, with the names of those that did; may throw (or reject) to have the change undone. */
export type OptionListener = (changed: ReadonlySet<string>) => unknown;

/** What {@linkcode OptionRegistry.addOption} may be told besides. */
export interface AddOptionExtras {
  /** The only texts allowed, for `str` and `list`. */
  readonly choices?: readonly string[];
  /** Who registers it; the same owner may register it again (an addon that was loaded again), nobody else. */
  readonly owner?: string;
  /** What help calls the value. */
  readonly metavar?: string;
  /** Heading in help; "Addons" by default. */
  readonly group?: string;
}

interface Entry {
  definition: OptionDefinition;
  value: OptionValue;
  /** False while the value is the default. */
  set: boolean;
  /** Null for weir's own. */
  owner: string | null;
}

/** Names that would hide a flag, or `get`. */
const RESERVED: ReadonlySet<string> = new Set([
  "get",
  "set",
  "help",
  "version",
  "options",
  "man",
  "completions",
  "types",
  "browser",
  "quiet",
  "verbose",
]);

/** The options of one weir. */
export class OptionRegistry {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<OptionListener>();
  /** The values, for reading. */
  readonly values: Options;

  constructor() {
    const view: object = Object.create(null, { get: { value: (name: string) => this.#entry(name).value } });
    this.values = view as Options;
    for (const [name, definition] of Object.entries(OPTIONS)) {
      this.#define(name, definition as OptionDefinition, null);
    }
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** All names: weir's own first, then in the order in which addons came. */
  names(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** @throws {OptionError} when there is no option of that name. */
  definition(name: string): OptionDefinition {
    return this.#entry(name).definition;
  }

  /** True when someone gave the option a value. */
  isSet(name: string): boolean {
    return this.#entry(name).set;
  }

  /**
   * Registers an option. A default of null says that it may be unset; a size always may.
   * @throws {OptionError} when the name is taken or no name, or the default does not fit the type.
   */
  addOption(
    name: string,
    type: OptionType,
    defaultValue: OptionValue,
    help: string,
    extras: AddOptionExtras = {},
  ): void {
    if (!/^[a-z][a-z0-9_]*$/.test(name) || RESERVED.has(name)) {
      throw new OptionError(name, `${shown(name)} cannot be the name of an option`);
    }
    const owner = extras.owner ?? "an addon";
    const existing = this.#entries.get(name);
    if (existing !== undefined && existing.owner !== owner) {
      throw new OptionError(name, `option ${name} exists already, registered by ${existing.owner ?? "weir"}`);
    }
    const kind = kindOf(name, type, defaultValue === null, extras.choices);
    this.#define(
      name,
      { kind, default: defaultValue, help, group: extras.group ?? "Addons", metavar: extras.metavar },
      owner,
    );
  }

  /** Takes away an option that an addon registered; its next generation does not have it. Unknown names are ignored. */
  removeOption(name: string): void {
    if (this.#entries.get(name)?.owner == null) return;
    this.#entries.delete(name);
    delete (this.values as unknown as Record<string, unknown>)[name];
  }

  /**
   * Changes weir's own options: all of them, or none when one is refused. Sets them before it returns, then awaits
   * the listeners; one that throws has everything undone. Resolves to the names whose values are new.
   */
  update(changes: OptionChanges): Promise<ReadonlySet<string>> {
    return this.updateNamed(Object.entries(changes));
  }

  /** As {@linkcode update}, for names that the compiler does not know. Rejects with {@linkcode OptionError}. */
  async updateNamed(changes: Iterable<readonly [string, unknown]>): Promise<ReadonlySet<string>> {
    const checked = Array.from(changes, ([name, value]) => [name, this.check(name, value)] as const);
    const before = new Map<string, Pick<Entry, "value" | "set">>();
    const changed = new Set<string>();
    for (const [name, value] of checked) {
      const entry = this.#entry(name);
      if (!before.has(name)) before.set(name, { value: entry.value, set: entry.set });
      if (!same(entry.value, value)) changed.add(name);
      entry.value = value;
      entry.set = true;
    }
    if (changed.size === 0) return changed;
    try {
      for (const listener of [...this.#listeners]) await listener(changed);
    } catch (thrown) {
      for (const [name, old] of before) Object.assign(this.#entries.get(name) ?? {}, old);
      // Those that had accepted must hear that the old values are back; what they throw now changes nothing.
      for (const listener of [...this.#listeners]) {
        try {
          await listener(changed);
        } catch {
          continue;
        }
      }
      throw thrown;
    }
    return changed;
  }

  /** The value as the option would hold it. @throws {OptionError} */
  check(name: string, value: unknown): OptionValue {
    const { definition: { kind } } = this.#entry(name);
    return named(name, () => kind.check(value));
  }

  /** Reads the texts given for one option, in order; null is a name without a value. @throws {OptionError} */
  read(name: string, texts: readonly (string | null)[]): OptionValue {
    const { definition: { kind }, value } = this.#entry(name);
    return named(name, () => kind.read(texts, value));
  }

  /** Calls back after each change; returns how to stop that. */
  subscribe(listener: OptionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #define(name: string, definition: OptionDefinition, owner: string | null): void {
    const value = named(name, () => definition.kind.check(definition.default));
    const known = this.#entries.get(name);
    if (known !== undefined) {
      known.definition = definition;
      // An addon that was loaded again keeps what the user has set, unless the new kind refuses it.
      const kept = known.set ? accepted(definition, known.value) : undefined;
      known.set = kept !== undefined;
      known.value = kept === undefined ? value : kept;
      return;
    }
    const entry: Entry = { definition, value, set: false, owner };
    this.#entries.set(name, entry);
    Object.defineProperty(this.values, name, {
      get: () => entry.value,
      enumerable: true,
      configurable: true,
    });
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new OptionError(name, `unknown option ${shortened(name)}${hint(name, this.#entries.keys())}`);
    }
    return entry;
  }
}

/** Puts the option's name before what a kind complains of. */
function named<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof BadValue)) throw thrown;
    throw new OptionError(name, `option ${name}: ${thrown.message}`, thrown);
  }
}

/** The value as this option would hold it; undefined when it would not. */
function accepted({ kind }: OptionDefinition, value: OptionValue): OptionValue | undefined {
  try {
    return kind.check(value);
  } catch {
    return undefined;
  }
}

function kindOf(
  name: string,
  type: OptionType,
  unset: boolean,
  choices?: readonly string[],
): Kind<OptionValue> {
  const kinds: Record<OptionType, () => unknown> = {
    bool: () => bool,
    int: () => unset ? optional(int()) : int(),
    size: () => size,
    str: () => unset ? optional(str({ choices })) : str({ choices }),
    list: () => list({ choices }),
  };
  if (!Object.hasOwn(kinds, type)) {
    throw new OptionError(
      name,
      `option ${name}: ${shown(type)} is none of ${Object.keys(kinds).join(", ")}`,
    );
  }
  return kinds[type]() as Kind<OptionValue>;
}

function same(a: OptionValue, b: OptionValue): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
