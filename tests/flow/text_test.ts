/** `text`: which charset a body is in, and that editing it leaves all else as it was. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { charsetNamed, UTF8 } from "../../src/flow/charsets.ts";
import { declarationOf, encodeText, withCharset } from "../../src/flow/charset.ts";
import { makeHttpFlow, type Response } from "../../src/mod.ts";

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const utf8 = (text: string) => new TextEncoder().encode(text);

function response(body: Uint8Array, type: string | null): Response {
  const headers: [string, string][] = type === null ? [] : [["Content-Type", type]];
  return makeHttpFlow({ request: { url: "http://a.example/" }, response: { body, headers } }).response!;
}

/** The bytes after `edit`, and what content-type says then. */
function edited(
  body: Uint8Array,
  type: string | null,
  edit: (text: string) => string,
): [Uint8Array, string | null] {
  const message = response(body, type);
  message.text = edit(message.text!);
  return [message.rawContent!, message.headers.get("content-type")];
}

const NIHON = Uint8Array.of(0x93, 0xfa, 0x96, 0x7b);
// deno-fmt-ignore
const READ: [what: string, type: string | null, body: Uint8Array, text: string][] = [
  ["UTF-8 by default", "text/plain", utf8("grün"), "grün"],
  ["the type's charset", "text/plain; charset=shift_jis", NIHON, "日本"],
  ["the type's charset in quotes", `text/plain; x="a;charset=gbk"; Charset = "Shift_JIS"`, NIHON, "日本"],
  ["a label that nobody knows", "text/plain; charset=no-such", utf8("ü"), "ü"],
  ["latin1 as browsers have it", "text/plain; charset=ISO-8859-1", Uint8Array.of(0x80, 0xfc), "€ü"],
  ["meta charset", "text/html", latin1("<meta charset=gbk>\xd6\xd0"), "<meta charset=gbk>中"],
  ["meta charset in quotes", "text/html", latin1("<META a=b CHARSET = ' gbk '>\xd6\xd0"), "<META a=b CHARSET = ' gbk '>中"],
  ["meta http-equiv", "text/html", latin1(`<meta http-equiv=Content-Type content="text/html; charset=gb2312">\xd6\xd0`), `<meta http-equiv=Content-Type content="text/html; charset=gb2312">中`],
  ["a meta within a comment is none", "text/html", latin1("<!-- <meta charset=gbk> --><meta charset=big5>\xa4\xa4"), "<!-- <meta charset=gbk> --><meta charset=big5>中"],
  ["a meta in what is no page is none", "text/plain", utf8("<meta charset=gbk>中"), "<meta charset=gbk>中"],
  ["a page without a type", null, latin1("\n<html><meta charset=gbk>\xd6\xd0"), "\n<html><meta charset=gbk>中"],
  ["a meta that says UTF-16 means UTF-8", "text/html", utf8("<meta charset=utf-16>中"), "<meta charset=utf-16>中"],
  ["the type beats the document", "text/html; charset=utf-8", utf8("<meta charset=gbk>中"), "<meta charset=gbk>中"],
  ["XML's declaration", "application/xml", latin1("<?xml version='1.0' encoding='gbk'?>\xd6\xd0"), "<?xml version='1.0' encoding='gbk'?>中"],
  ["XHTML's meta", "application/xhtml+xml", latin1("<html><meta charset=gbk>\xd6\xd0"), "<html><meta charset=gbk>中"],
  ["CSS's @charset", "text/css", latin1(`@charset "gbk";\xd6\xd0`), `@charset "gbk";中`],
  ["a byte order mark beats all", "text/html; charset=gbk", Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8("中")), "中"],
  ["UTF-16 by its mark", "text/plain", Uint8Array.of(0xff, 0xfe, 0x2d, 0x4e), "中"],
  ["UTF-16BE by its mark", "text/plain", Uint8Array.of(0xfe, 0xff, 0x4e, 0x2d), "中"],
  ["UTF-16 by its type", "text/plain; charset=utf-16", Uint8Array.of(0x2d, 0x4e), "中"],
  ["ISO-2022-JP", "text/plain; charset=iso-2022-jp", latin1("\x1b$B\x46\x7c\x1b(B"), "日"],
  ["EUC-JP of three bytes", "text/plain; charset=euc-jp", Uint8Array.of(0x8f, 0xb0, 0xa1), "丂"],
  ["GB 18030 of four bytes", "text/plain; charset=gb18030", Uint8Array.of(0x81, 0x30, 0x81, 0x30, 0x95, 0x32, 0x82, 0x36), "\x80𠀀"],
];
for (const [what, type, body, text] of READ) {
  Deno.test(`text: ${what}`, () => {
    const message = response(body, type);
    assertEquals(message.text, text);
    message.text = text;
    assertEquals([message.rawContent, message.headers.get("content-type")], [body, type]);
  });
}

const GBK_PAGE = latin1('<meta charset="gbk">\xd6\xd0x');
// deno-fmt-ignore
const WRITTEN: [what: string, type: string | null, body: Uint8Array, edit: (text: string) => string, bytes: Uint8Array, type: string | null][] = [
  ["in the type's charset", "text/plain; charset=latin1", latin1("a\xfc"), (t) => `${t}é€`, latin1("a\xfc\xe9\x80"), "text/plain; charset=latin1"],
  ["in UTF-8 where that has not all of it", 'text/plain; charset="latin1"; x=y', latin1("\xfc"), (t) => `${t}中`, utf8("ü中"), "text/plain; charset=utf-8; x=y"],
  ["in the document's charset", "text/html", GBK_PAGE, (t) => t.replace("中", "文"), latin1('<meta charset="gbk">\xce\xc4x'), "text/html"],
  ["in UTF-8 where the document's has not all of it", "text/html", GBK_PAGE, (t) => t.replace("中", "한"), utf8('<meta charset="gbk">한x').slice(), null],
  ["in the charset of a new document", "text/html", GBK_PAGE, () => "<meta charset=big5>中", latin1("<meta charset=big5>\xa4\xa4"), "text/html"],
  ["in UTF-8 that says so, where its declaration is gone", "text/html", GBK_PAGE, () => "<p>中", utf8("<p>中"), "text/html; charset=utf-8"],
  ["as it is where nothing needs a charset", "text/html", GBK_PAGE, () => "<p>x", utf8("<p>x"), "text/html"],
  ["in UTF-8 without a word where it was that", "text/plain", utf8("ü"), (t) => `${t}中`, utf8("ü中"), "text/plain"],
  ["with its mark", "text/plain", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), (t) => t + "ü", Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8("aü")), "text/plain"],
  ["with one mark", "text/plain", Uint8Array.of(0xef, 0xbb, 0xbf), () => "\ufeffa", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), "text/plain"],
  ["in UTF-16 with its mark", "text/plain", Uint8Array.of(0xff, 0xfe, 0x61, 0), (t) => t + "中", Uint8Array.of(0xff, 0xfe, 0x61, 0, 0x2d, 0x4e), "text/plain"],
  ["in UTF-16 with an odd byte at its end", "text/plain; charset=utf-16be", Uint8Array.of(0, 0x61, 7), (t) => t + "b", Uint8Array.of(0, 0x61, 0, 0x62, 7), "text/plain; charset=utf-16be"],
  ["around bytes that are no UTF-8", "text/plain", Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0x80), (t) => t.replace("a", "ü") + "b", Uint8Array.of(0xc3, 0xbc, 0xff, 0xc3, 0x28, 0x80, 0x62), "text/plain"],
  ["around bytes that are no GBK", "text/plain; charset=gbk", Uint8Array.of(0xd6, 0xd0, 0xff, 0x61), (t) => t.replace("a", "文"), Uint8Array.of(0xd6, 0xd0, 0xff, 0xce, 0xc4), "text/plain; charset=gbk"],
  ["around what another spelling has", "text/plain; charset=shift_jis", Uint8Array.of(0x87, 0x90, 0x61, 0xfa, 0x5c), (t) => t.replace("a", "日"), Uint8Array.of(0x87, 0x90, 0x93, 0xfa, 0xfa, 0x5c), "text/plain; charset=shift_jis"],
  ["without a partner's surrogate", "text/plain", utf8("a"), () => "\ud800b", utf8("\ufffdb"), "text/plain"],
  ["in GB 18030 of four bytes", "text/plain; charset=gb18030", utf8("a"), () => "\x80€𠀀\u{10ffff}", Uint8Array.of(0x81, 0x30, 0x81, 0x30, 0xa2, 0xe3, 0x95, 0x32, 0x82, 0x36, 0xe3, 0x32, 0x9a, 0x35), "text/plain; charset=gb18030"],
];
for (const [what, type, body, edit, bytes, then] of WRITTEN) {
  Deno.test(`text is written ${what}`, () => {
    const seen = edited(body, type, edit);
    assertEquals(seen, [bytes, then ?? "text/html; charset=utf-8"]);
    // What was written is read again.
    const again = response(...seen);
    if (!what.startsWith("without")) {
      assertEquals(again.text, edit(response(body, type).text!).replace(/^\ufeff/, ""));
    }
  });
}

Deno.test("text that was taken and assigned leaves every body as it was, in every charset", () => {
  const names = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "iso-8859-2",
    "koi8-r",
    "gbk",
    "gb18030",
    "big5",
    "euc-kr",
    "euc-jp",
    "shift_jis",
    "windows-1251",
    "macintosh",
  ];
  const byte = fc.oneof(
    fc.nat(255),
    fc.integer({ min: 0x81, max: 0xfe }),
    fc.constantFrom(0xc3, 0xe2, 0x82, 0xed, 0xa0, 0xf0, 0x90),
  );
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.array(byte, { maxLength: 40 }), (name, list) => {
      const body = Uint8Array.from(list), type = `text/plain; charset=${name}`;
      assertEquals(edited(body, type, (text) => text), [body, type]);
    }),
    { seed: 10, numRuns: 3000 },
  );
});

Deno.test("an edit in the middle leaves what is around it as it was", () => {
  const part = fc.uint8Array({ maxLength: 20 });
  fc.assert(
    fc.property(part, part, (before, after) => {
      // A line break on both sides: no sequence goes across it.
      const body = Uint8Array.from([0x0a, ...before, 0x0a, ...utf8("<edit>"), 0x0a, ...after]);
      const [bytes] = edited(body, "text/plain", (text) => text.replace("<edit>", "grün 中"));
      assertEquals(bytes, Uint8Array.from([0x0a, ...before, 0x0a, ...utf8("grün 中"), 0x0a, ...after]));
    }),
    { seed: 10, numRuns: 1000 },
  );
});

Deno.test("what is well-formed UTF-8 is what TextDecoder and TextEncoder make of it", () => {
  const point = fc.oneof(fc.nat(0x7ff), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }));
  fc.assert(
    fc.property(fc.array(point, { maxLength: 30 }), (points) => {
      const text = String.fromCodePoint(...points), bytes = utf8(text);
      assertEquals(UTF8.decode(bytes), text);
      // The way that is taken where a byte is no text.
      const broken = Uint8Array.from([...bytes, 0xff]);
      assertEquals(UTF8.decode(broken), `${text}\udcff`);
      assertEquals(UTF8.encode(`${text}\udcff`, bytes), broken);
    }),
    { seed: 10 },
  );
});

Deno.test("every character that a charset has is written as it is read", () => {
  for (
    const name of [
      "windows-1252",
      "koi8-u",
      "gbk",
      "big5",
      "euc-kr",
      "euc-jp",
      "shift_jis",
      "iso-8859-8",
      "windows-874",
    ]
  ) {
    const charset = charsetNamed(name)!;
    for (let point = 0; point < 0x10000; point += 7) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      const bytes = charset.encode(character, new Uint8Array(0));
      if (bytes !== null) assertEquals(charset.decode(bytes), character, `${name} U+${point.toString(16)}`);
    }
  }
});

Deno.test("content-type gets another charset in its place, or at its end", () => {
  const cases: [string, string][] = [
    ["text/html", "text/html; charset=utf-8"],
    ["text/html; charset=gbk", "text/html; charset=utf-8"],
    ['text/html;Charset="gbk";x=y', "text/html;Charset=utf-8;x=y"],
    ['multipart/x; boundary="; charset=gbk"', 'multipart/x; boundary="; charset=gbk"; charset=utf-8'],
  ];
  for (const [type, wanted] of cases) assertEquals(withCharset(type, "utf-8"), wanted);
});

Deno.test("a binary body of some megabytes has a text in a moment, and comes back from it", () => {
  const body = new Uint8Array(4_000_000);
  for (let at = 0, seed = 1; at < body.length; at++) body[at] = (seed = seed * 48271 % 0x7fffffff) >> 8;
  const started = performance.now();
  const { charset } = declarationOf(body, "image/png");
  assertEquals(encodeText(charset.decode(body), body, "image/png").bytes, body);
  const ms = performance.now() - started;
  assertEquals(ms < 5000, true, `${ms} ms`);
});
