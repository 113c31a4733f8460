/**
 * Which characters an atom of a regular expression stands for: a class, an escape, a dot, a letter in either
 * case.
 *
 * The platform's own `RegExp` is asked, character by character, so that Unicode properties and case folding
 * are the same as in `String.prototype.replace`.
 * @module
 */

/** Ranges of units, ascending and apart: from, to, from, to, … (both inclusive). */
export type Ranges = readonly number[];

/** Ranges that were asked for, by atom and flags. */
const known = new Map<string, Ranges>();
const MAX_KNOWN = 512;

/** The units (without `u`) or code points (with it) that `atom` matches. `flags`: any of `i`, `s`, `u`. */
export function rangesOf(atom: string, flags: string): Ranges {
  if (atom.length === 1 && !"\\.[^$".includes(atom)) {
    const code = atom.charCodeAt(0);
    if (!flags.includes("i")) return [code, code];
    if (code < 0x80 && !flags.includes("u")) return inBothCases(atom);
  }
  const key = `${flags}/${atom}`;
  let ranges = known.get(key);
  if (ranges === undefined) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, ranges = asked(atom, flags));
  }
  return ranges;
}

/** Without `u`, no character beyond ASCII is the same as one in it (ECMA-262 §22.2.2.7.3, Canonicalize). */
function inBothCases(letter: string): Ranges {
  const upper = letter.toUpperCase().charCodeAt(0), lower = letter.toLowerCase().charCodeAt(0);
  return upper === lower ? [upper, upper] : [upper, upper, lower, lower];
}

function asked(atom: string, flags: string): Ranges {
  const regexp = new RegExp(`(?:${atom})+`, flags + "g");
  const ranges: number[] = [];
  const ask = (text: string, first: number, perUnit: number) => {
    regexp.lastIndex = 0;
    for (let found = regexp.exec(text); found !== null; found = regexp.exec(text)) {
      const from = first + found.index / perUnit, to = first + regexp.lastIndex / perUnit - 1;
      if (ranges.length > 0 && ranges[ranges.length - 1] === from - 1) ranges[ranges.length - 1] = to;
      else ranges.push(from, to);
    }
  };
  const isUnicode = flags.includes("u");
  if (!isUnicode) {
    ask(characters(0, 0xffff), 0, 1);
    return ranges;
  }
  // Decoded text has no lone surrogates.
  ask(characters(0, 0xd7ff), 0, 1);
  ask(characters(0xe000, 0xffff), 0xe000, 1);
  for (let plane = 1; plane <= planesOf(atom, flags); plane++) {
    ask(characters(plane << 16, plane << 16 | 0xffff), plane << 16, 2);
  }
  return ranges;
}

/** How many of the 16 planes beyond the BMP the atom can have to do with. */
function planesOf(atom: string, flags: string): number {
  // ASCII, alone or in a class that is not negated, and \d \s \w: letters that have two cases end with plane
  // 1.
  const isNear = /^(?:[ -\-\/-~]|\\[dsw]|\[(?!\^)(?:[ -[^-~]|\\[dsw\W])*\])$/.test(atom);
  return isNear ? flags.includes("i") ? 1 : 0 : 16;
}

/** What was made of the BMP: it is asked for most. */
const made = new Map<string, string>();

/** All characters from one to another. */
function characters(from: number, to: number): string {
  const name = `${from}-${to}`, before = made.get(name);
  if (before !== undefined) return before;
  let text = "";
  for (let code = from; code <= to; code += 4096) {
    const codes = Array.from({ length: Math.min(4096, to - code + 1) }, (_, i) => code + i);
    text += from > 0xffff ? String.fromCodePoint(...codes) : String.fromCharCode(...codes);
  }
  if (to <= 0xffff) made.set(name, text);
  return text;
}
