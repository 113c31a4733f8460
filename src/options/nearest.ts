/**
 * The known name that someone who mistyped most likely meant.
 * @module
 */

/** Edits that a word of this length may need and still count as a slip; beyond that a hint would be noise. */
function tolerance(length: number): number {
  return Math.max(2, Math.floor(length / 3));
}

/** The candidate with the fewest edits from `name`, or one that begins as it does; null when none is close. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null, bestDistance = Infinity;
  let continuation: string | null = null;
  for (const candidate of candidates) {
    const distance = levenshtein(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
    if (continuation === null && name.length >= 3 && candidate.startsWith(name)) continuation = candidate;
  }
  return bestDistance <= tolerance(name.length) ? best : continuation;
}

/** ` (did you mean x?)`, or nothing: ready to be put behind a complaint about `name`. */
export function hint(name: string, candidates: Iterable<string>): string {
  const found = nearest(name, candidates);
  return found === null ? "" : ` (did you mean ${found}?)`;
}

/** Insertions, deletions and substitutions that turn `a` into `b`. */
export function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
