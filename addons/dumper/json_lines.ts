/**
 * JSON set out on lines, one at a time, with its tokens as they came: numbers, escapes and repeated keys are not changed.
 * @module
 */

/** Longer texts are shown as they came: to know whether they are JSON at all they would have to be read whole. */
export const MAX_JSON = 1024 * 1024;
/** Deeper ones too: each level makes every line in it longer. */
const MAX_NESTING = 64;
/** Characters that setting out may make of a text. */
const MAX_LAID_OUT = 8 * 1024 * 1024;
const INDENT = 4;

const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const SPACE = /\s*/y;
const WORD = /[^\s"[\]{},:]+/y;

/** The lines, or null for what is not JSON, or is too much of it. */
export function jsonLines(text: string): Iterable<string> | null {
  if (text.length > MAX_JSON || !isShallow(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return laidOut(text);
}

/** Looks at brackets alone: neither too many levels nor, by them, too much to print. */
function isShallow(text: string): boolean {
  let depth = 0, size = text.length;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = Math.max(at, matchEnd(STRING, text, at) - 1);
    else if (char === "[" || char === "{") {
      if (++depth > MAX_NESTING) return false;
      size += depth * INDENT;
    } else if (char === "]" || char === "}") size += --depth * INDENT;
    else if (char === ",") size += depth * INDENT;
  }
  return size <= MAX_LAID_OUT;
}

function* laidOut(text: string): Generator<string> {
  let line = "", depth = 0;
  const begin = () => " ".repeat(depth * INDENT);
  for (let at = matchEnd(SPACE, text, 0); at < text.length; at = matchEnd(SPACE, text, at)) {
    const char = text[at];
    if (char === "[" || char === "{") {
      const next = matchEnd(SPACE, text, at + 1);
      if (text[next] === "]" || text[next] === "}") {
        line += char + text[next];
        at = next + 1;
        continue;
      }
      yield line + char;
      depth++;
      line = begin();
    } else if (char === "]" || char === "}") {
      yield line;
      depth--;
      line = begin() + char;
    } else if (char === ",") {
      yield `${line},`;
      line = begin();
    } else if (char === ":") line += ": ";
    else {
      const end = matchEnd(char === '"' ? STRING : WORD, text, at);
      line += text.slice(at, end);
      at = end;
      continue;
    }
    at++;
  }
  yield line;
}

/** Where the match that begins at `at` ends; `at` when there is none. */
function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
