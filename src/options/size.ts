/**
 * Sizes as people write them: an integer with an optional unit, base 1024 (mitmproxy `human.py`).
 * @module
 */

/** Bytes in each unit. */
const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/**
 * Reads a size like `3m`, in any case; null when the text is none, or is more than a number can hold exactly.
 *
 * ```ts
 * parseSize("3m"); // 3145728
 * ```
 */
export function parseSize(text: string): number | null {
  const match = /^(\d+)([bkmgt]?)$/i.exec(text.trim());
  if (match === null) return null;
  const bytes = Number(match[1]) * UNITS[match[2].toLowerCase() || "b"];
  return Number.isSafeInteger(bytes) ? bytes : null;
}
