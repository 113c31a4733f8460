/**
 * What takes the place of a match, as Python's `re.sub` has it: `\1`, `\12`, `\g<name>`, `\g<0>`, and escapes; written as
 * `String.prototype.replace` reads it.
 * @module
 */
import { bytesAsText, escapeAt } from "./escapes.ts";
import type { Part, Spec } from "./spec.ts";

/** Of what the text is made that the expression is for: bytes, one character each, or characters. */
export type Unit = "bytes" | "text";

/** @throws {OptionError} on a group that is not there, and on what is no escape. */
export function templateOf(spec: Spec, part: Part, regexp: RegExp, unit: Unit): string {
  const { text, at } = part;
  const groups = groupsOf(regexp);
  let out = "";
  for (let from = 0;;) {
    const backslash = text.indexOf("\\", from);
    out += literal(text.slice(from, backslash < 0 ? text.length : backslash), unit);
    if (backslash < 0) return out;
    const rest = text.slice(backslash + 1, backslash + 200);
    const named = /^g<([^>]*)>/.exec(rest);
    const octal = /^(?:0[0-7]{0,2}|[1-3][0-7]{2})/.exec(rest);
    const digits = octal === null ? /^[1-9]\d?/.exec(rest) : null;
    const reference = named?.[1] ?? digits?.[0];
    if (reference !== undefined) {
      out += groupForm(groups, reference) ?? spec.refuse(`there is no group ${reference}`, at + backslash);
      from = backslash + 1 + (named ?? digits)![0].length;
      continue;
    }
    if (rest[0] === "g") spec.refuse("\\g needs a group: \\g<1> or \\g<name>", at + backslash);
    const escape = escapeAt(spec, part, backslash);
    const isKnown = escape !== null && !(unit === "text" && /['"\n]/.test(rest[0]));
    if (!isKnown && unit === "text" && /[A-Za-z]/.test(rest[0])) {
      spec.refuse(`the escape \\${rest[0]} is not known`, at + backslash);
    }
    out += isKnown ? asIs(escape.value) : "\\";
    from = backslash + (isKnown ? escape.length : 1);
  }
}

/** Text that stands for itself. */
export function literal(text: string, unit: Unit): string {
  return asIs(unit === "bytes" ? bytesAsText(text) : text);
}

/** The same of text that is made of the right units already. */
export function asIs(text: string): string {
  return text.replaceAll("$", "$$$$");
}

interface Groups {
  readonly count: number;
  readonly names: readonly string[];
}

function groupsOf({ source, flags }: RegExp): Groups {
  // With an empty alternative it matches anything, and says what it has.
  const match = new RegExp(`${source}|`, flags).exec("")!;
  return { count: match.length - 1, names: Object.keys(match.groups ?? {}) };
}

/** How `replace` calls a group: with two digits, so that digits behind it are none of its number. */
function groupForm({ count, names }: Groups, reference: string): string | null {
  if (names.includes(reference)) return `$<${reference}>`;
  if (!/^\d+$/.test(reference)) return null;
  const number = Number(reference);
  if (number === 0) return "$&";
  return number <= count && number <= 99 ? `$${String(number).padStart(2, "0")}` : null;
}
