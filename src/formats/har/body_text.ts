/**
 * Bodies as HAR has them: text where they are text, else base64.
 * @module
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of a body, or its base64. */
export interface BodyText {
  readonly text: string;
  readonly isBase64: boolean;
}

/** Text is what is UTF-8 from end to end without a NUL, unless its type names a charset in which it would be another text. */
export function textOfBody(bytes: Uint8Array, mimeType: string): BodyText {
  const base64 = () => ({ text: (bytes as Uint8Array<ArrayBuffer>).toBase64(), isBase64: true });
  if (bytes.includes(0)) return base64();
  const charset = charsetOf(mimeType);
  if (charset !== null && !isUtf8(charset) && bytes.some((byte) => byte > 0x7f)) return base64();
  try {
    return { text: strict.decode(bytes), isBase64: false };
  } catch {
    return base64();
  }
}

/** The bytes of a text in the charset of its type, UTF-8 where it has none or cannot be written in it; null for bad base64. */
export function bytesOfText({ text, isBase64 }: BodyText, mimeType: string): Uint8Array | null {
  if (isBase64) {
    try {
      return Uint8Array.fromBase64(text);
    } catch {
      return null;
    }
  }
  const charset = charsetOf(mimeType) ?? "";
  if (
    /^(?:iso-?8859-1|latin-?1|windows-1252|us-ascii)$/i.test(charset) && /^[\0-\x7f\xa0-\xff]*$/.test(text)
  ) {
    return Uint8Array.from(text, (char) => char.charCodeAt(0));
  }
  return encoder.encode(text);
}

function charsetOf(mimeType: string): string | null {
  return /charset\s*=\s*"?([^";\s]+)"?/i.exec(mimeType)?.[1] ?? null;
}

function isUtf8(charset: string): boolean {
  return /^utf-?8$/i.test(charset);
}
