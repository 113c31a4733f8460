/**
 * The characters that HTTP's texts are made of (RFC 9110 §5.5, §5.6), the same in every version: white space is SP and HTAB
 * and nothing else, and control characters are in no value, trailer, reason phrase or target.
 *
 * JavaScript's own `trim` and `\s` also take VT, FF and NBSP for white space. A proxy that does so reads another length or
 * another `Connection` option than the peer behind it.
 * @module
 */

const TAB = 9, SPACE = 32;

/** RFC 9110 §5.5: field-vchar, obs-text, SP and HTAB, one character for each byte. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * RFC 9112 §3.2, read as clients write it: no white space, no control character, and no `#`, which would be the beginning of
 * a fragment. Bytes 0x80 to 0xff are no part of a URI, and pass as they are: many clients send them.
 */
const TARGET = /^[!"$-~\x80-\xff]+$/;

/** True for a value (or a reason phrase) that can be sent and received, blanks around it included. */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}

/** True for what may be a request target, or its path, in any of the four forms. */
export function isTarget(text: string): boolean {
  return TARGET.test(text);
}

/** `text` without the OWS (RFC 9110 §5.6.3) around it. */
export function trimBlanks(text: string): string {
  let from = 0, to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

/** SP or HTAB. */
export function isBlank(char: number): boolean {
  return char === SPACE || char === TAB;
}

/** The elements of a comma-separated list without the blanks around them (RFC 9110 §5.6.1); quoted strings are not looked into. */
export function listElements(list: string): string[] {
  return list.includes(",") ? list.split(",").map(trimBlanks) : [trimBlanks(list)];
}

/** True when `token` (lower case) is an element of a comma-separated list. */
export function hasToken(list: string | null, token: string): boolean {
  if (list === null) return false;
  const lower = list.toLowerCase();
  if (lower === token) return true;
  return lower.includes(token) && listElements(lower).includes(token);
}
