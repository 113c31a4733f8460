/**
 * Pieces of UTF-8 in which every byte is a character, as most are: places in the text are places in the
 * bytes, and text is searched and cut up several times as fast as bytes.
 * @module
 */

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of `piece` from `at` on as text; null when they have not as many characters as bytes. */
export function plainText(piece: Uint8Array, at = 0): string | null {
  const text = decoder.decode(at === 0 ? piece : piece.subarray(at));
  return text.length === piece.length - at ? text : null;
}
