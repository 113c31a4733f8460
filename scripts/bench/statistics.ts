/**
 * The few statistics that the bench prints.
 * @module
 */

/** The value below which `share` (0 to 1) of `values` lie, nearest rank; NaN when there are none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** The middle one, or the mean of the two in the middle; NaN when there are none. NaN itself does not count. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What each key of several records is in the median; a key counts where it is there. */
export function medians(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const keys = new Set(records.flatMap((record) => Object.keys(record)));
  const result: Record<string, number> = {};
  for (const key of keys) {
    result[key] = median(records.flatMap((record) => key in record ? [record[key]] : []));
  }
  return result;
}

/** `ours[i] / theirs[i]` for the rounds that both have; NaN where one is not above zero (added latency, in luck). */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.slice(0, theirs.length).map((value, round) =>
    value > 0 && theirs[round] > 0 ? value / theirs[round] : NaN
  );
}
