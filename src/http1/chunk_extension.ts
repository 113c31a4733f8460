/**
 * Chunk extensions (RFC 9112 §7.1.1), a byte at a time: they mean nothing to weir, but where they end is where the chunk
 * begins, so what is not by their grammar is refused.
 *
 *     chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )        chunk-ext-val = token / quoted-string
 *
 * Blanks behind the size, with nothing after them, are no extension; servers that write sizes of a fixed width pad with them.
 * @module
 */
import { isBlank } from "../http/mod.ts";
import { TOKEN_BYTE } from "./fields.ts";

/** Where in the grammar the next byte belongs. */
export const enum ExtensionState {
  /** Behind the size; blanks have come. */
  Padding,
  /** Behind ";", blanks may come. */
  NameStart,
  Name,
  /** Blanks behind a name: only "=" or ";" can follow. */
  AfterName,
  /** Behind "=", blanks may come. */
  ValueStart,
  Token,
  Quoted,
  /** Behind a backslash in a quoted string. */
  Escaped,
  /** Behind a quoted string. */
  AfterQuoted,
  /** Blanks behind a value: only ";" can follow. */
  AfterValue,
  /** CR has come. */
  End,
  Broken,
}

const CR = 13, QUOTE = 34, SEMICOLON = 59, EQUALS = 61, BACKSLASH = 92;

/** Where the grammar is after one more byte. */
export function nextInExtension(state: ExtensionState, byte: number): ExtensionState {
  switch (state) {
    case ExtensionState.Padding:
      if (isBlank(byte)) return state;
      if (byte === SEMICOLON) return ExtensionState.NameStart;
      return byte === CR ? ExtensionState.End : ExtensionState.Broken;
    case ExtensionState.NameStart:
      if (isBlank(byte)) return state;
      return TOKEN_BYTE[byte] === 1 ? ExtensionState.Name : ExtensionState.Broken;
    case ExtensionState.Name:
      if (TOKEN_BYTE[byte] === 1) return state;
      return byte === CR ? ExtensionState.End : afterName(byte);
    case ExtensionState.AfterName:
      return afterName(byte);
    case ExtensionState.ValueStart:
      if (isBlank(byte)) return state;
      if (byte === QUOTE) return ExtensionState.Quoted;
      return TOKEN_BYTE[byte] === 1 ? ExtensionState.Token : ExtensionState.Broken;
    case ExtensionState.Token:
      return TOKEN_BYTE[byte] === 1 ? state : afterValue(byte);
    case ExtensionState.Quoted:
      if (byte === QUOTE) return ExtensionState.AfterQuoted;
      if (byte === BACKSLASH) return ExtensionState.Escaped;
      return isText(byte) ? state : ExtensionState.Broken;
    case ExtensionState.Escaped:
      return isText(byte) ? ExtensionState.Quoted : ExtensionState.Broken;
    case ExtensionState.AfterQuoted:
      return afterValue(byte);
    case ExtensionState.AfterValue:
      if (isBlank(byte)) return state;
      return byte === SEMICOLON ? ExtensionState.NameStart : ExtensionState.Broken;
    default:
      return ExtensionState.Broken;
  }
}

function afterName(byte: number): ExtensionState {
  if (isBlank(byte)) return ExtensionState.AfterName;
  if (byte === EQUALS) return ExtensionState.ValueStart;
  return byte === SEMICOLON ? ExtensionState.NameStart : ExtensionState.Broken;
}

function afterValue(byte: number): ExtensionState {
  if (isBlank(byte)) return ExtensionState.AfterValue;
  if (byte === SEMICOLON) return ExtensionState.NameStart;
  return byte === CR ? ExtensionState.End : ExtensionState.Broken;
}

/** RFC 9110 §5.6.4: HTAB, SP, VCHAR, obs-text. */
function isText(byte: number): boolean {
  return byte === 9 || byte >= 32 && byte !== 127;
}
