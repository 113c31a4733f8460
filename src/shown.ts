/**
 * Values as messages show them: on one line, and never longer than a reader needs to recognise them.
 *
 * A value may be many times larger than the text that it was read from (YAML aliases that name each other), so it is
 * never written out whole: writing stops where the cut is.
 * @module
 */

/** Characters of a value that a message shows. */
export const MAX_SHOWN = 100;

/** `value` as JSON, cut after {@linkcode MAX_SHOWN} characters; what JSON has no form for as `String` has it. */
export function shown(value: unknown): string {
  const text = written(value, MAX_SHOWN);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** Text as it is, cut after {@linkcode MAX_SHOWN} characters. */
export function shortened(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** At least the first `most + 1` characters of the JSON of `value`; all of it when that is shorter. */
function written(value: unknown, most: number): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, most + 1));
  if (value instanceof Date) return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length && text.length <= most; i++) {
      text += (i === 0 ? "" : ",") + written(value[i], most - text.length);
    }
    return `${text}]`;
  }
  let text = "{";
  for (const name in value) {
    if (text.length > most) break;
    text += (text === "{" ? "" : ",") + `${written(name, most - text.length)}:`;
    text += written(Reflect.get(value, name), most - text.length);
  }
  return `${text}}`;
}
