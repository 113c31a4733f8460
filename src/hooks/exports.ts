/**
 * From what a module exports to objects with hooks: its own functions, an object, a class, an array of those.
 * @module
 */
import { WeirError } from "../errors.ts";
import { levenshtein } from "../options/mod.ts";
import { shown } from "../shown.ts";
import type { Addon, AddonTraits } from "./addon.ts";
import { HOOK_NAMES, isHookName } from "./names.ts";

/**
 * The addons of a module, in order: its exported functions, then what it exports by default. Classes are
 * instantiated.
 * @throws {WeirError} when the default export is none of the kinds.
 */
export function addonsOf(module: object & { default?: unknown }): Addon[] {
  const addons: Addon[] = [];
  // A module's namespace may have hooks and a default export with hooks: both are meant.
  if (HOOK_NAMES.some((hook) => typeof (module as Addon)[hook] === "function")) addons.push(module as Addon);
  if (module.default !== undefined) collect(module.default, addons);
  return addons;
}

function collect(value: unknown, into: Addon[]): void {
  if (Array.isArray(value)) { for (const item of value) collect(item, into); }
  else if (typeof value === "function") {
    if (!/^class\b/.test(Function.prototype.toString.call(value))) {
      throw new WeirError(
        "weir",
        "addon",
        `the default export is a function; export it under a hook's name, or an object, a class, an array of them`,
      );
    }
    into.push(new (value as new () => Addon)());
  } else if (typeof value === "object" && value !== null) into.push(value as Addon);
  else {
    throw new WeirError(
      "weir",
      "addon",
      `the default export is ${value === null ? "null" : typeof value}, not an object, a class or an array`,
    );
  }
}

/** A kind of trait: in words, and what fits. */
interface TraitKind {
  readonly words: string;
  fits(value: unknown): boolean;
}

const isBool = (value: unknown) => typeof value === "boolean";
const isFunction = (value: unknown) => typeof value === "function";
const BOOL: TraitKind = { words: "true or false", fits: isBool };

/**
 * What an addon says of itself, all of it; a module's default exports need not repeat what the module says.
 */
const TRAITS: { readonly [Trait in keyof AddonTraits]-?: TraitKind } = {
  keepsFlows: BOOL,
  readsBodies: {
    words: "true, false or a function",
    fits: (value) => isBool(value) || isFunction(value),
  },
  isOff: { words: "a function", fits: isFunction },
  failClosed: BOOL,
  doneMs: {
    words: "a number of milliseconds",
    fits: (value) => typeof value === "number" && value >= 0,
  },
};

/**
 * What an addon, or the module that exports it, says of itself.
 * @throws {WeirError} when it says something that has no meaning.
 */
export function traitsOf(addon: Addon, module: object): AddonTraits {
  const traits: Record<string, unknown> = {};
  for (const [name, { words, fits }] of Object.entries(TRAITS)) {
    const [from, value] = Reflect.has(addon, name)
      ? [addon, Reflect.get(addon, name)]
      : [module, Reflect.get(module, name)];
    if (value === undefined) continue;
    if (!fits(value)) {
      throw new WeirError("weir", "addon", `${name} is ${shown(value)}, and must be ${words}`);
    }
    traits[name] = typeof value === "function" ? value.bind(from) : value;
  }
  return traits;
}

/** Names that are nearly those of what an addon may say of itself, with the name that was probably meant. */
export function nearTraits(addon: object): [name: string, trait: string][] {
  const plain = (name: string) => name.toLowerCase().replaceAll("_", "");
  return Object.keys(addon).flatMap((name): [string, string][] => {
    const trait = Object.keys(TRAITS).find((trait) => plain(trait) === plain(name) && trait !== name);
    return trait === undefined ? [] : [[name, trait]];
  });
}

/** Functions of an addon that are nearly named like a hook, with the name that was probably meant. */
export function nearMisses(addon: Addon): [name: string, hook: string][] {
  const found: [string, string][] = [];
  for (const name of functionNames(addon)) {
    if (isHookName(name)) continue;
    const hook = HOOK_NAMES.find((hook) => isNear(name, hook));
    if (hook !== undefined && typeof addon[hook] !== "function") found.push([name, hook]);
  }
  return found;
}

/** Names of own and inherited methods. */
function functionNames(addon: object): Set<string> {
  const names = new Set<string>();
  for (
    let at: object | null = addon;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const value = Object.getOwnPropertyDescriptor(at, name)?.value;
      if (name !== "constructor" && typeof value === "function") names.add(name);
    }
  }
  return names;
}

/** True for `responseHeaders`, `response_headers` and `reponseheaders` beside `responseheaders`. */
function isNear(name: string, hook: string): boolean {
  const a = name.toLowerCase().replaceAll("_", ""), b = hook.replaceAll("_", "");
  // Short names are near too many words: "log" is no misspelt "load".
  return a === b || (b.length > 6 && levenshtein(a, b) <= 2);
}
