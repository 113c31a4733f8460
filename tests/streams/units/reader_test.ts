import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { type BodyUnit, type UnitReader, unitReader } from "../../../src/streams/units/mod.ts";
import { encodeBytes } from "../../../src/streams/mod.ts";
import { utf8 } from "../support.ts";
import { byteByByte } from "./support.ts";

const readerFor = (fields: Record<string, string>, most?: number): UnitReader | null =>
  unitReader({ headers: new Headers(fields) }, most);

/** All units of a body, in one line each. */
function unitsOf(reader: UnitReader, pieces: Uint8Array[]): string[] {
  const line = ({ kind, name, about, at, size, content, isCut }: BodyUnit) =>
    `${at}+${size} ${kind} ${name}(${about}) ${new TextDecoder().decode(content)}${isCut ? "…" : ""}`;
  return [...pieces.flatMap((piece) => [...reader.push(piece)].map(line)), ...[...reader.end()].map(line)];
}

function assertUnits(fields: Record<string, string>, body: Uint8Array | string, units: string[]): void {
  const bytes = typeof body === "string" ? utf8(body) : body;
  for (const pieces of [[bytes], byteByByte(bytes)]) assertEquals(unitsOf(readerFor(fields)!, pieces), units);
}

Deno.test("events, with what they say and where they are", () => {
  assertUnits(
    { "content-type": "text/event-stream" },
    "event: a\nid: 7\nretry: 5\ndata: 1\ndata: 2\n\n: c\n\n\ndata\n\ndata: x",
    [
      "0+41 event a(id 7, retry 5) 1\n2",
      "41+5 rest () : c\n\n",
      "46+7 event message() ",
      "53+7 rest () data: x",
    ],
  );
});

Deno.test("lines of JSON", () => {
  assertUnits({ "content-type": "application/x-ndjson" }, '{"a": 1}\r\n\nno\n2', [
    '0+10 value () {"a": 1}',
    "10+4 rest () no\n",
    "14+1 value () 2",
  ]);
});

const frame = (flags: number, payload: Uint8Array) =>
  concat([Uint8Array.of(flags, 0, 0, 0, payload.length), payload]);

Deno.test("gRPC messages, decompressed; what cannot be is shown as it came", () => {
  const packed = encodeBytes(utf8("hello"), "gzip");
  const body = concat([frame(0, utf8("a")), frame(1, packed), frame(1, utf8("bad"))]);
  const size = 5 + packed.length;
  assertUnits({ "content-type": "application/grpc+proto", "grpc-encoding": "gzip" }, body, [
    "0+6 message () a",
    `6+${size} message (gzip) hello`,
    `${6 + size}+8 message (gzip, as it came) bad`,
  ]);
  const reader = readerFor({ "content-type": "application/grpc-web" })!;
  const units = unitsOf(reader, [concat([frame(0, utf8("a")), frame(0x80, utf8("grpc-status:0"))])]);
  assertEquals(units, ["0+6 message () a", "6+18 trailers () grpc-status:0"]);
});

Deno.test("parts of a form", () => {
  const body =
    '--b\r\nContent-Disposition: form-data; name="n"; filename="f.txt"\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b\r\n\r\nx\r\n--b--\r\n';
  const first = body.indexOf("\r\n--b\r\n\r\nx") + 2;
  assertUnits({ "content-type": "multipart/form-data; boundary=b" }, body, [
    `0+${first} part n(f.txt, text/html) <p>`,
    `${first}+10 part () x`,
  ]);
});

Deno.test("long units are cut off, and what is no unit any more is the rest", () => {
  const cut = readerFor({ "content-type": "text/event-stream" }, 3)!;
  assertEquals(unitsOf(cut, [utf8("data: 12345\n\n")]), ["0+13 event message() 123…"]);
  const form = readerFor({ "content-type": "multipart/form-data; boundary=b" }, 3)!;
  assertEquals(unitsOf(form, byteByByte(utf8("--b\r\n\r\n12345\r\n--b--"))), ["0+14 part () 123…"]);
  const broken = readerFor({ "content-type": "application/grpc" })!;
  assertEquals(unitsOf(broken, [frame(0, utf8("a")), utf8("<html>"), utf8("more")]), [
    "0+6 message () a",
    "6+6 rest () <html>",
    "12+4 rest () more",
  ]);
});

Deno.test("other types have no units", () => {
  for (const type of ["text/html", "application/json", "multipart/form-data", "application/grpc-web-text"]) {
    assertEquals(readerFor({ "content-type": type }), null, type);
  }
  assertEquals(readerFor({}), null);
});
