/**
 * Whether what a process uses stays as it is: the last third of a run beside the third before it. The first
 * is for warming up.
 * @module
 */

/** What a process used at some moment. */
export interface Sample {
  /** Resident memory in bytes. */
  readonly rss: number;
  /** Open file descriptors. */
  readonly descriptors: number;
  /** Exchanges that were finished so far. */
  readonly exchanges: number;
}

/** Growth from one third to the next that means nothing: what the garbage collector has not come to yet. */
const RSS_SLACK = 48 * 1024 * 1024;
const DESCRIPTOR_SLACK = 24;
/** And growth in proportion. */
const GROWTH = 0.25;

/** A sentence for each thing that drifts; none when all is well. */
export function drifts(samples: readonly Sample[]): string[] {
  const third = Math.floor(samples.length / 3);
  if (third === 0) return ["The run was too short to say anything: fewer than three samples."];
  const before = samples.slice(third, 2 * third), after = samples.slice(-third);
  const found: string[] = [];
  const [rssBefore, rssAfter] = [before, after].map((part) => median(part.map(({ rss }) => rss)));
  if (rssAfter > rssBefore * (1 + GROWTH) + RSS_SLACK) {
    found.push(`Memory grows: ${megabytes(rssBefore)}, then ${megabytes(rssAfter)}.`);
  }
  const [openBefore, openAfter] = [before, after].map((part) =>
    median(part.map(({ descriptors }) => descriptors))
  );
  if (openAfter > openBefore * (1 + GROWTH) + DESCRIPTOR_SLACK) {
    found.push(`Descriptors grow: ${openBefore}, then ${openAfter}.`);
  }
  if (after[0].exchanges === after[after.length - 1].exchanges && after.length > 1) {
    found.push("Nothing moves any more: no exchange was finished in the last third.");
  }
  return found;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** `123 MiB` */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
