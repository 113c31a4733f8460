/**
 * What two sessions differ in: requests that are missing, added, or moved, and what has changed in the others.
 * @module
 */
import type { FlowDigest } from "./digest.ts";

/** Two flows of which each stands for the other. */
type Pair = readonly [FlowDigest, FlowDigest];

/** Flows with the same key that are looked at for equal ones: beyond that the first stands for the first, and so on. */
const MAX_GROUP = 1000;

/** A line for each difference, in the order of the first session, what was added at its end. */
export function* differences(a: readonly FlowDigest[], b: readonly FlowDigest[]): Generator<string, void> {
  const groups = Map.groupBy(b, ({ key }) => key);
  const pairs: Pair[] = [], missing: FlowDigest[] = [];
  const added = new Set(b);
  for (const [key, ours] of Map.groupBy(a, ({ key }) => key)) {
    const matched = matchGroup(ours, groups.get(key) ?? []);
    pairs.push(...matched);
    for (const [, theirs] of matched) added.delete(theirs);
    const paired = new Set(matched.map(([our]) => our));
    missing.push(...ours.filter((our) => !paired.has(our)));
  }
  pairs.sort(([x], [y]) => x.index - y.index);
  const inPlace = longestRise(pairs.map(([, { index }]) => index));
  const lines: [number, string[]][] = missing.map(({ key, index }) => [index, [`${key}: missing`]]);
  for (const [i, [our, their]] of pairs.entries()) {
    const own = [...changes(our, their)].map((text) => `${our.key}: ${text}`);
    if (!inPlace.has(i)) own.unshift(`${our.key}: moved: ${our.index} → ${their.index}`);
    lines.push([our.index, own]);
  }
  for (const [, own] of lines.sort(([x], [y]) => x - y)) yield* own;
  for (const { key } of added) yield `${key}: added`;
}

/** `what: A → B` for all that differs in two flows. */
function* changes({ facts, whole }: FlowDigest, other: FlowDigest): Generator<string, void> {
  if (whole === other.whole) return;
  for (const name of new Set([...facts.keys(), ...other.facts.keys()])) {
    const [before, after] = [facts.get(name), other.facts.get(name)];
    if (before !== after) yield `${name}: ${before ?? "none"} → ${after ?? "none"}`;
  }
}

/** Pairs as many flows of one key as can be: equal ones in order, those between them, then whatever is left, one for one. */
function matchGroup(ours: readonly FlowDigest[], theirs: readonly FlowDigest[]): Pair[] {
  if (ours.length === 0 || theirs.length === 0) return [];
  const isFew = ours.length <= MAX_GROUP && theirs.length <= MAX_GROUP;
  const equal = ours.length !== theirs.length && isFew ? longestCommon(ours, theirs) : [];
  const pairs: Pair[] = [];
  const left: [FlowDigest[], FlowDigest[]] = [[], []];
  let i = 0, j = 0;
  for (const [x, y] of [...equal, [ours.length, theirs.length]]) {
    while (i < x && j < y) pairs.push([ours[i++], theirs[j++]]);
    left[0].push(...ours.slice(i, x));
    left[1].push(...theirs.slice(j, y));
    i = x + 1;
    j = y + 1;
    if (x < ours.length) pairs.push([ours[x], theirs[y]]);
  }
  for (let i = 0; i < Math.min(left[0].length, left[1].length); i++) pairs.push([left[0][i], left[1][i]]);
  return pairs;
}

/** Places of the longest row of equal flows that both have in that order. */
function longestCommon(ours: readonly FlowDigest[], theirs: readonly FlowDigest[]): [number, number][] {
  const width = theirs.length + 1;
  const lengths = new Uint16Array((ours.length + 1) * width);
  for (let i = ours.length - 1; i >= 0; i--) {
    for (let j = theirs.length - 1; j >= 0; j--) {
      lengths[i * width + j] = ours[i].whole === theirs[j].whole
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const places: [number, number][] = [];
  for (let i = 0, j = 0; i < ours.length && j < theirs.length;) {
    if (ours[i].whole === theirs[j].whole) places.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return places;
}

/** Places of a longest rising row of numbers: those that are not in it have moved. */
function longestRise(numbers: readonly number[]): Set<number> {
  /** The place of the smallest number in which a row of each length ends, and what comes before each number. */
  const ends: number[] = [], before: number[] = [];
  for (const [i, number] of numbers.entries()) {
    let low = 0, high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[ends[middle]] < number) low = middle + 1;
      else high = middle;
    }
    before[i] = low > 0 ? ends[low - 1] : -1;
    ends[low] = i;
  }
  const row = new Set<number>();
  for (let i = ends.at(-1) ?? -1; i >= 0; i = before[i]) row.add(i);
  return row;
}
