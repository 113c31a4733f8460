/** ClientHellos as they are met, and as they should not be, with what is made of each (RFC 8446 §4.1.2, §5.1; RFC 6066; RFC 7301). */
import { assertEquals } from "@std/assert";
import { parseClientHello } from "../../src/tls/client_hello.ts";

const u8 = (value: number) => [value];
const u16 = (value: number) => [value >> 8, value & 0xff];
const u24 = (value: number) => [value >> 16, ...u16(value & 0xffff)];
const text = (value: string) => [...value].map((char) => char.charCodeAt(0));
const vector = (size: (n: number) => number[], content: number[]) => [...size(content.length), ...content];
const extension = (type: number, content: number[]) => [...u16(type), ...vector(u16, content)];
const name = (value: string, type = 0) => [type, ...vector(u16, text(value))];
const sni = (...names: number[][]) => extension(0, vector(u16, names.flat()));
const alpn = (...protocols: string[]) =>
  extension(16, vector(u16, protocols.flatMap((one) => vector(u8, text(one)))));
const versions = (...list: number[]) => extension(43, vector(u8, list.flatMap(u16)));

interface Shape {
  legacy?: number;
  session?: number[];
  ciphers?: number[];
  compression?: number[];
  extensions?: number[] | null;
  behind?: number[];
}

function message(
  { legacy = 0x0303, session = [], ciphers = [0x1301], compression = [0], extensions = [], behind = [] }:
    Shape,
): number[] {
  const body = [
    ...u16(legacy),
    ...new Array(32).fill(7),
    ...vector(u8, session),
    ...vector(u16, ciphers.flatMap(u16)),
    ...vector(u8, compression),
    ...(extensions === null ? [] : vector(u16, extensions)),
    ...behind,
  ];
  return [1, ...vector(u24, body)];
}

function records(bytes: number[], size = 16384, version = 0x0301): number[] {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    out.push(22, ...u16(version), ...vector(u16, bytes.slice(at, at + size)));
  }
  return out;
}

/** What is made of it in a line. */
function verdict(bytes: number[]): string {
  const result = parseClientHello(Uint8Array.from(bytes));
  if (result.kind !== "hello") return result.kind;
  const { sni, alpn, versions } = result.hello;
  return `${JSON.stringify(sni)} ${JSON.stringify(alpn)} ${versions.join(" ")}`;
}

const FULL = message({
  extensions: [...sni(name("a.example")), ...alpn("h2", "http/1.1"), ...versions(0x0304, 0x0303)],
});
const SEEN = '"a.example" ["h2","http/1.1"] TLSv1.3 TLSv1.2';

// deno-fmt-ignore -- one case per line reads as a table
const CASES: [what: string, bytes: number[], verdict: string][] = [
  ["a browser's", records(FULL), SEEN],
  ["in records of one byte", records(FULL, 1), SEEN],
  ["in records of SSL 3.0's version", records(FULL, 16384, 0x0300), SEEN],
  ["in records of TLS 1.3's version", records(FULL, 16384, 0x0304), SEEN],
  ["with early data behind it", [...records(FULL), 23, 3, 3, 0, 5, 1, 2, 3, 4, 5], SEEN],
  ["of TLS 1.0, without extensions", records(message({ legacy: 0x0301, extensions: null })), "null [] TLSv1"],
  ["of SSL 3.0", records(message({ legacy: 0x0300, extensions: null })), "null [] SSLv3"],
  ["with no extension", records(message({})), "null [] TLSv1.2"],
  ["with GREASE everywhere", records(message({ ciphers: [0x0a0a, 0x1301], extensions: [...extension(0x1a1a, []), ...sni(name("a")), ...alpn("\x0a\x0a", "h2"), ...versions(0x2a2a, 0x0304), ...extension(0xfafa, [0])] })), '"a" ["\\n\\n","h2"] TLSv1.3'],
  ["with a protocol of another kind", records(message({ extensions: alpn("mqtt", "x-amzn-mqtt-ca") })), 'null ["mqtt","x-amzn-mqtt-ca"] TLSv1.2'],
  ["with bytes beyond ASCII in a protocol", records(message({ extensions: alpn("\xff\x80") })), `null ["\xff\x80"] TLSv1.2`],
  ["with a name of no known type", records(message({ extensions: sni(name("x", 7)) })), "null [] TLSv1.2"],
  ["with two names: the first counts", records(message({ extensions: sni(name("a"), name("b")) })), '"a" [] TLSv1.2'],
  ["with an empty name", records(message({ extensions: sni(name("")) })), "null [] TLSv1.2"],
  ["with a session id of 32 bytes", records(message({ session: new Array(32).fill(1), extensions: sni(name("a")) })), '"a" [] TLSv1.2'],
  ["with 50 KiB of extensions", records(message({ extensions: [...extension(21, new Array(50_000).fill(0)), ...sni(name("a"))] })), '"a" [] TLSv1.2'],
  ["of which the last record is not whole", records(FULL, 100).slice(0, -1), "more"],
  ["of which only the record's type is there", [22], "more"],
  ["of nothing", [], "more"],
  ["that is a ServerHello", records([2, ...FULL.slice(1)]), "no"],
  ["in a record of data", [23, ...records(FULL).slice(1)], "no"],
  ["in a record of version 2", [22, 2, ...records(FULL).slice(2)], "no"],
  ["in an empty record", [22, 3, 1, 0, 0, ...records(FULL)], "no"],
  ["in a record of 16385 bytes", [22, 3, 1, 0x40, 0x01, ...FULL], "no"],
  ["of SSL 2.0", [0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10], "no"],
  ["of more than 60 KiB", [22, 3, 1, 0x40, 0, 1, 1, 0, 0], "no"],
  ["with bytes behind its extensions", records(message({ extensions: [], behind: [0] })), "no"],
  ["with an extension that goes over its end", records(message({ extensions: [0, 0, 0, 200, 1] })), "no"],
  ["with a name that goes over its extension", records(message({ extensions: extension(0, [0, 9, 0, 0, 1, 97]) })), "no"],
  ["with a protocol that goes over its extension", records(message({ extensions: extension(16, [0, 3, 9, 104, 50]) })), "no"],
  ["with half a cipher in its list of extensions", records(message({ extensions: [0] })), "no"],
  ["with a handshake message behind it in its record", records([...FULL, 1, 0, 0, 0]), "no"],
  ["that is a request in HTTP", text("GET / HTTP/1.1\r\n\r\n"), "no"],
];

for (const [what, bytes, wanted] of CASES) {
  Deno.test(`a ClientHello ${what}: ${wanted}`, () => {
    assertEquals(verdict(bytes), wanted);
    // A verdict is not taken back by what comes later, and none is given before it must be.
    const kinds = Array.from(
      { length: Math.min(bytes.length, 600) + 1 },
      (_, end) => verdict(bytes.slice(0, end)),
    );
    const settled = kinds.findIndex((kind) => kind !== "more");
    if (settled !== -1) assertEquals(new Set(kinds.slice(settled)), new Set([wanted]));
  });
}
