/**
 * JSON and text that every database holds: PostgreSQL takes neither NUL nor half a surrogate pair.
 * @module
 */

/** Text with U+FFFD in the place of what no database holds. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Escapes of NUL and of lone surrogates, in JSON. */
const UNHELD = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** The JSON of a value, with null for cycles and text for big integers; null where there is none (`toJSON` throws). */
export function jsonText(value: unknown): string | null {
  const text = stringified(value);
  return text?.includes("\\u") ? text.replace(UNHELD, "$1\ufffd") : text;
}

function stringified(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    // A cycle, or a big integer.
  }
  try {
    return JSON.stringify(value, withoutCycles()) ?? null;
  } catch {
    return null;
  }
}

function withoutCycles() {
  /** The objects around the current one. */
  const around: unknown[] = [];
  return function (this: unknown, _key: string, value: unknown): unknown {
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    while (around.length > 0 && around.at(-1) !== this) around.pop();
    if (around.includes(value)) return null;
    around.push(value);
    return value;
  };
}
