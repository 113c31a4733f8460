/**
 * What is wrong with a filter, and where.
 * @module
 */

/** A filter that cannot be read. */
export class FilterError extends Error {
  /** Always "FilterError". */
  override readonly name = "FilterError";
  /** The filter, as given. */
  readonly filter: string;
  /** Where it stops making sense: characters from 1; what is missing at the end is one past the end. */
  readonly place: number;
  /** What is wrong, without the filter and the place. */
  readonly reason: string;

  /** `reason` is a clause, `place` counts from 1. */
  constructor(filter: string, reason: string, place: number) {
    super(`filter ${JSON.stringify(shortened(filter))}: ${reason} at ${place}`);
    this.filter = filter;
    this.place = place;
    this.reason = reason;
  }
}

const MAX_SHOWN = 100;

function shortened(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`;
}
