/**
 * Which charset a body's text is in, as browsers find out (WHATWG HTML §13.2.3, Encoding §6.1): a byte order mark, the
 * `charset` of `content-type`, what the document itself says, UTF-8.
 * @module
 */
import { concat } from "@std/bytes";
import { charsetNamed, UTF8 } from "./charsets.ts";
import type { Charset } from "./charset_units.ts";

/** Bytes at the beginning of a document in which its own declaration is looked for. */
const PRESCANNED = 8192;

/** What is known of a body's charset. */
export interface Declaration {
  readonly charset: Charset;
  readonly by: "mark" | "type" | "document" | "default";
  /** The byte order mark; empty where there is none. It is no part of the text. */
  readonly mark: Uint8Array;
}

const NO_MARK = new Uint8Array(0);
const MARKS: readonly (readonly [mark: Uint8Array, name: string])[] = [
  [Uint8Array.of(0xef, 0xbb, 0xbf), "utf-8"],
  [Uint8Array.of(0xfe, 0xff), "utf-16be"],
  [Uint8Array.of(0xff, 0xfe), "utf-16le"],
];

/** The charset of `content` under that `content-type`. */
export function declarationOf(content: Uint8Array, contentType: string | null): Declaration {
  for (const [mark, name] of MARKS) {
    if (mark.every((byte, i) => content[i] === byte)) {
      return { charset: charsetNamed(name)!, by: "mark", mark };
    }
  }
  const start = () => String.fromCharCode(...content.subarray(0, PRESCANNED));
  return declarationIn(start, contentType) ?? { charset: UTF8, by: "default", mark: NO_MARK };
}

/** What `content-type`, or else the document that begins with `start`, says; null where neither names a known charset. */
export function declarationIn(start: () => string, contentType: string | null): Declaration | null {
  const named = contentType === null ? null : charsetIn(contentType);
  const byType = named === null ? null : charsetNamed(named);
  if (byType !== null) return { charset: byType, by: "type", mark: NO_MARK };
  const label = labelInDocument(start, contentType);
  const byDocument = label === null ? null : charsetNamed(label);
  return byDocument && { charset: byDocument, by: "document", mark: NO_MARK };
}

/** RFC 9110 §5.6.6: one parameter; a quoted string may have a semicolon in it. */
const PARAMETER = /;[ \t]*([^;=" \t]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;" \t]*)/g;

/** The value of the `charset` parameter, or null. */
function charsetIn(contentType: string): string | null {
  for (const [, name, value] of contentType.matchAll(PARAMETER)) {
    if (name.toLowerCase() === "charset") return value.replace(/^["']|["']$/g, "");
  }
  return null;
}

/** `content-type` with another charset in the place of its own, or at its end. */
export function withCharset(contentType: string, charset: string): string {
  let isDone = false;
  const changed = contentType.replace(PARAMETER, (parameter, name: string, value: string) => {
    if (isDone || name.toLowerCase() !== "charset") return parameter;
    isDone = true;
    return parameter.slice(0, parameter.length - value.length) + charset;
  });
  return isDone ? changed : `${contentType}; charset=${charset}`;
}

const XML = /^<\?xml[^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*["']([^"']*)["']/;
const CSS = /^@charset "([^"]*)";/;
const META = /<meta[ \t\r\n\f/][^>]*?charset[ \t\r\n\f]*=[ \t\r\n\f]*["']?[ \t\r\n\f]*([^"' \t\r\n\f/>;]+)/i;

function labelInDocument(start: () => string, contentType: string | null): string | null {
  const type = contentType?.split(";", 1)[0].toLowerCase() ?? null;
  if (type?.includes("css")) return CSS.exec(start())?.[1] ?? null;
  const isXml = type?.includes("xml") ?? false;
  if (!isXml && type !== null && !type.includes("html")) return null;
  const text = start();
  // Without a type it is a page if it looks like one (WHATWG MIME Sniffing §7.1).
  if (type === null && !/^[ \t\r\n\f]*</.test(text)) return null;
  const declared = isXml ? XML.exec(text)?.[1] : undefined;
  if (declared !== undefined) return supported(declared);
  if (isXml && !type!.includes("html")) return null;
  const meta = META.exec(text.replace(/<!--[^]*?(?:-->|$)/g, ""))?.[1];
  return meta === undefined ? null : supported(meta);
}

/** A document that could be read so far is in no charset of two bytes (WHATWG HTML §13.2.3.2). */
function supported(label: string): string {
  if (/^utf-?16/i.test(label)) return "utf-8";
  return label.toLowerCase() === "x-user-defined" ? "windows-1252" : label;
}

/**
 * `text` as it is written in the place of `before`: in the same charset, with its byte order mark. A new document may declare
 * another one. `charset` is what `content-type` has to say from now on; null: it may stay.
 */
export function encodeText(
  text: string,
  before: Uint8Array,
  contentType: string | null,
): { readonly bytes: Uint8Array; readonly charset: string | null } {
  const old = declarationOf(before, contentType);
  if (old.by === "mark") {
    const bytes = old.charset.encode(text.replace(/^\ufeff/, ""), before.subarray(old.mark.length));
    return { bytes: concat([old.mark, bytes!]), charset: null };
  }
  const now = old.by === "type" ? old : declarationIn(() => text.slice(0, PRESCANNED), contentType);
  const charset = now?.charset ?? UTF8;
  const bytes = charset.encode(text, charset === old.charset ? before : NO_MARK);
  // Without its own declaration it would be taken for something else.
  const isLost = now === null && old.by === "document" && bytes?.length !== text.length;
  if (bytes === null) return { bytes: UTF8.encode(text, NO_MARK)!, charset: UTF8.name };
  return { bytes, charset: isLost ? UTF8.name : null };
}
