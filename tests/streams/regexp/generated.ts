/**
 * Expressions and texts made at random.
 * @module
 */
import fc from "fast-check";

/** Sources of expressions, built from parts that overlap and can be empty. */
export const sources: fc.Arbitrary<string> = fc.letrec<{ part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 4, depthIdentifier: "regexp" },
    fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\W", "é", "😀", "[^]", "^", "$", "\\b", ""),
    fc.tuple(tie("part"), tie("part")).map((parts) => parts.join("")),
    fc.tuple(tie("part"), tie("part")).map((parts) => `(?:${parts.join("|")})`),
    tie("part").map((part) => `(${part})`),
    fc.tuple(tie("part"), fc.constantFrom("*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"))
      .map(
        ([part, times]) => `(?:${part})${times}`,
      ),
    fc.tuple(tie("part"), tie("part"), fc.constantFrom("*", "+", "*?", "{1,2}")).map(
      ([one, other, times]) => `(${one}|${other})${times}`,
    ),
  ),
})).part;
/** Longer texts would make V8 backtrack for minutes. */
export const letters: fc.Arbitrary<string> = fc.string({
  maxLength: 7,
  unit: fc.constantFrom("a", "b", "c", "A", " ", "\n", "é", "😀"),
});

/**
 * False where V8 15.0 reads beyond the end of the text: `"c".replace(/((?:a|a)|(?:[^a][^])*)*\/g, "<$&>")`
 * has bytes in it that were never in the text.
 */
export function staysInside(regexp: RegExp, whole: string): boolean {
  for (const match of whole.matchAll(new RegExp(regexp.source, regexp.flags + "g"))) {
    if (!whole.startsWith(match[0], match.index)) return false;
  }
  return true;
}
