/**
 * Field lines (RFC 9112 §5): `name ":" OWS value OWS CRLF`, nothing else. Line folding is refused (§5.2).
 * @module
 */
import type { Side } from "../errors.ts";
import { isBlank } from "../http/mod.ts";
import { malformed, quoted } from "./refusal.ts";

const CR = 13, COLON = 58;

/** RFC 9110 §5.6.2: which bytes may be in a token. */
export const TOKEN_BYTE: Uint8Array = Uint8Array.from(
  { length: 256 },
  (_, byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)) && byte < 128 ? 1 : 0,
);

/**
 * A server's head, or its trailer section, as it should have been sent: every line ends with CRLF, and folded field lines
 * are joined (RFC 9112 §2.2, §5.2). A line that seems to go on the start line is left, and refused.
 */
export function mended(text: string, hasStartLine: boolean): string {
  const lines = text.replace(/\r?\n/g, "\r\n");
  const fields = hasStartLine ? lines.indexOf("\r\n") + 2 : 0;
  return lines.slice(0, fields) + lines.slice(fields).replace(/\r\n[ \t]+/g, " ");
}

/**
 * Parses field lines up to the empty line. `text` is the head as a string; a scanner has made sure that it ends with
 * an empty line and has no bare CR, bare LF or other control character. Gives name, value, name, value, ….
 */
export function parseFields(text: string, start: number, side: Side): string[] {
  const raw: string[] = [];
  let at = start;
  while (text.charCodeAt(at) !== CR) {
    let colon = at;
    while (TOKEN_BYTE[text.charCodeAt(colon)] === 1) colon++;
    if (colon === at || text.charCodeAt(colon) !== COLON) throw badField(text, at, colon, side);
    const lineEnd = text.indexOf("\r\n", colon);
    let from = colon + 1, to = lineEnd;
    while (from < to && isBlank(text.charCodeAt(from))) from++;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
    raw.push(text.slice(at, colon), text.slice(from, to));
    at = lineEnd + 2;
  }
  return raw;
}

function badField(text: string, at: number, stop: number, side: Side) {
  const line = quoted(text.slice(at, text.indexOf("\r\n", at)));
  if (isBlank(text.charCodeAt(at))) {
    return malformed(side, `A field line is folded (obsolete line folding): ${line}.`);
  }
  if (stop === at) return malformed(side, `A field line has no valid name: ${line}.`);
  if (isBlank(text.charCodeAt(stop))) return malformed(side, `A field name is followed by a space: ${line}.`);
  return malformed(side, `A field line has no valid name and colon: ${line}.`);
}
