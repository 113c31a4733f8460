/**
 * Words of a POSIX shell (IEEE 1003.1 §2.2) that stand for any bytes, and can be shown on any terminal.
 * @module
 */
import { Buffer } from "node:buffer";
import { escapeControl } from "../../escape.ts";

/** What needs no quotes. */
const PLAIN = /^[A-Za-z0-9_\-.\/:=@%+,]+$/;
/** Bytes that one argument may have: Linux takes 128 KiB. */
const MAX_ARGUMENT = 100_000;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What bytes say in UTF-8, if a terminal can show it as it is; else null. Line breaks are allowed where `isBody`. */
function showable(bytes: Uint8Array, isBody: boolean): string | null {
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    return null;
  }
  const lines = isBody ? text.replaceAll("\n", "") : text;
  // An empty line parts exports.
  if (isBody && /\n\n|^\n|\n$/.test(text)) return null;
  return lines.includes("\ufeff") || escapeControl(lines) !== lines ? null : text;
}

/** An argument; `text` has one character for each byte, and no NUL. */
export function word(text: string): string {
  if (PLAIN.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  const shown = showable(bytes, false);
  // Inside the quotes of a substitution those of its own count.
  return shown === null ? `"$(printf ${format(bytes)})"` : quoted(shown);
}

/** How a body gets to a command. */
export interface ShellBody {
  /** The body as an argument; null when it does not fit into one. */
  readonly argument: string | null;
  /** A command that prints it. */
  readonly printed: string;
}

/** The ways to write a body. */
export function shellBody(bytes: Uint8Array): ShellBody {
  const shown = showable(bytes, true);
  if (shown === null) return { argument: null, printed: `printf ${format(bytes)}` };
  return {
    argument: bytes.length > MAX_ARGUMENT ? null : quoted(shown),
    printed: `printf %s ${quoted(shown)}`,
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The format by which `printf` prints these bytes: what is not plain in octal. */
function format(bytes: Uint8Array): string {
  let text = "'";
  for (const [i, byte] of bytes.entries()) {
    // Apart from quotes and printf's own characters: what an interactive bash takes for its history, and a first `-`, which
    // would be an option.
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x27 && byte !== 0x5c && byte !== 0x25 &&
      byte !== 0x21 && (i > 0 || byte !== 0x2d);
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
  }
  return `${text}'`;
}
