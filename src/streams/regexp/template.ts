/**
 * What takes the place of a match: the `$` forms of a replacement (ECMA-262 §22.1.3.19.1, GetSubstitution).
 * @module
 */

/** A part of a replacement: text, or the groups of which the one that took part in the match is put there. */
export type TemplatePart = string | readonly number[];

/**
 * Reads a replacement for an expression with `groups` capturing groups.
 * @throws {TypeError} on what needs the text before or behind the match.
 */
export function readTemplate(
  template: string,
  groups: number,
  names: ReadonlyMap<string, readonly number[]> | null,
): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  const put = (part: TemplatePart) => {
    const last = parts.length - 1;
    if (typeof part === "string" && typeof parts[last] === "string") parts[last] += part;
    else parts.push(part);
  };
  while (at < template.length) {
    const sign = template.indexOf("$", at);
    if (sign === -1) break;
    if (sign > at) put(template.slice(at, sign));
    const [length, part] = form(template, sign, groups, names);
    put(part);
    at = sign + length;
  }
  if (at < template.length) put(template.slice(at));
  return parts;
}

/** The form that begins with the `$` at `at`: its length, and what it stands for. */
function form(
  template: string,
  at: number,
  groups: number,
  names: ReadonlyMap<string, readonly number[]> | null,
): [length: number, part: TemplatePart] {
  const after = template[at + 1];
  if (after === "$") return [2, "$"];
  if (after === "&") return [2, [0]];
  if (after === "`" || after === "'") {
    throw new TypeError(
      `The replacement has $${after}, the text ${
        after === "`" ? "before" : "behind"
      } the match, which a stream does ` +
        "not have; for the two characters themselves write $$" + after + ".",
    );
  }
  const [digits] = /^\d{0,2}/.exec(template.slice(at + 1))!;
  if (digits !== "") {
    const used = digits.length === 2 && Number(digits) > groups ? digits[0] : digits;
    const group = Number(used);
    return [1 + used.length, group >= 1 && group <= groups ? [group] : "$" + used];
  }
  if (after === "<" && names !== null) {
    const end = template.indexOf(">", at);
    if (end !== -1) return [end + 1 - at, names.get(template.slice(at + 2, end)) ?? ""];
  }
  return [1, "$"];
}
