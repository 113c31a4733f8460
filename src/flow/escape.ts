/**
 * Makes text from the network safe to print: a terminal acts on control characters, and a line break forges log lines.
 * @module
 */

/** C0, DEL and C1 controls (ECMA-48 §5), line separators, and what turns the direction of writing (UAX #9 §2). */
// deno-lint-ignore no-control-regex -- control characters are what it is for
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const SHORT: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/**
 * Writes every control character as JavaScript would: `\n`, `\x1b`, `\u202e`.
 *
 * ```ts
 * escapeControl("a\x1b[31m"); // "a\\x1b[31m"
 * ```
 */
export function escapeControl(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0).toString(16);
    return SHORT[char] ?? (code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`);
  });
}
