/**
 * Makes text from the network safe to print: a terminal acts on control characters, and a line break forges log lines.
 * @module
 */

/**
 * C0, DEL and C1 controls (ECMA-48 §5), line and paragraph separators, and all that turns the direction of writing
 * (UAX #9 §2, the property Bidi_Control: among them U+061C, U+200F, U+202E).
 */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

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
