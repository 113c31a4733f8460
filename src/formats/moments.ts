/**
 * The timeline of a body, as files have it.
 * @module
 */
import type { Moment } from "../streams/mod.ts";

/** The moments of a JSON value; none where it is no timeline. */
export function momentsOf(value: unknown): Moment[] {
  if (!Array.isArray(value)) return [];
  const isMoment = (item: unknown) => Array.isArray(item) && item.length === 2 && item.every(Number.isFinite);
  return value.every(isMoment) ? value as Moment[] : [];
}
