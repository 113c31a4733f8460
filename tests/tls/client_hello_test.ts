import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import tls from "node:tls";
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { type ClientHello, keyTypeFor, parseClientHello } from "../../src/tls/client_hello.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const u8 = (value: number) => [value];
const u16 = (value: number) => [value >> 8, value & 0xff];
const u24 = (value: number) => [value >> 16, ...u16(value & 0xffff)];
const text = (value: string) => [...value].map((char) => char.charCodeAt(0));
const vector = (size: (n: number) => number[], content: number[]) => [...size(content.length), ...content];
const extension = (type: number, content: number[]) => [...u16(type), ...vector(u16, content)];

const SNI = extension(0, vector(u16, [0, ...vector(u16, text("example.com"))]));
const ALPN = extension(16, vector(u16, [...vector(u8, text("h2")), ...vector(u8, text("http/1.1"))]));
const SUPPORTED = extension(43, vector(u8, [0x7a, 0x7a, 3, 4, 3, 3]));
const signatures = (...list: number[]) => extension(13, vector(u16, list.flatMap(u16)));

function message(extensions: number[] | null, { type = 1, session = 32 } = {}): number[] {
  const body = [
    ...[3, 3],
    ...new Array(32).fill(7),
    ...vector(u8, new Array(session).fill(9)),
    ...vector(u16, [0x13, 1, 0x13, 2]),
    ...vector(u8, [0]),
    ...(extensions === null ? [] : vector(u16, extensions)),
  ];
  return [type, ...vector(u24, body)];
}

/** The message in records of at most `size` bytes. */
function records(bytes: number[], size = 16384): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    out.push(22, 3, 1, ...vector(u16, bytes.slice(at, at + size)));
  }
  return Uint8Array.from(out);
}

const FULL = message([
  ...extension(0x1a1a, []),
  ...SNI,
  ...ALPN,
  ...SUPPORTED,
  ...signatures(0x0403, 0x0804),
]);
const EXPECTED: Omit<ClientHello, "length"> = {
  sni: "example.com",
  alpn: ["h2", "http/1.1"],
  versions: ["TLSv1.3", "TLSv1.2"],
  cipherSuites: [0x1301, 0x1302],
  signatureAlgorithms: [0x0403, 0x0804],
};

Deno.test("a ClientHello tells name, protocols, versions and its length", () => {
  const bytes = records(FULL);
  assertEquals(parseClientHello(bytes), { kind: "hello", hello: { ...EXPECTED, length: bytes.length } });
});

Deno.test("every proper prefix needs more, in records of any size; bytes after it do not count", () => {
  for (const size of [1, 3, 40, 16384]) {
    const bytes = records(FULL, size);
    for (let end = 0; end < bytes.length; end++) {
      assertEquals(parseClientHello(bytes.subarray(0, end)).kind, "more", `${end} bytes of ${bytes.length}`);
    }
    const early = Uint8Array.from([...bytes, 23, 3, 3, 0, 1, 0]);
    for (const whole of [bytes, early]) {
      assertEquals(parseClientHello(whole), { kind: "hello", hello: { ...EXPECTED, length: bytes.length } });
    }
  }
});

Deno.test("what is not asked for is null, empty, or the legacy version", () => {
  const bare = parseClientHello(records(message(null)));
  assert(bare.kind === "hello");
  assertEquals([bare.hello.sni, bare.hello.alpn, bare.hello.versions], [null, [], ["TLSv1.2"]]);
  const empty = parseClientHello(records(message([])));
  assert(empty.kind === "hello");
});

Deno.test("other protocols and broken messages are a no, as early as can be", () => {
  const cases: [string, Uint8Array][] = [
    ["HTTP", new TextEncoder().encode("G")],
    ["SSH", new TextEncoder().encode("SSH-2.0-")],
    ["an alert", Uint8Array.of(21, 3, 1)],
    ["a version that is none", Uint8Array.of(22, 2)],
    ["an empty record", Uint8Array.of(22, 3, 1, 0, 0)],
    ["a record that is too long", Uint8Array.of(22, 3, 1, 0x40, 1)],
    ["another handshake message", records(message([], { type: 2 })).subarray(0, 6)],
    ["a message without an end", Uint8Array.of(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff)],
    ["bytes after the extensions", records(message([...SNI]).with(3, message([...SNI])[3] + 1).concat(0))],
    ["an extension that ends too early", records(message([0, 0, 0, 9, 1]))],
    ["a session id longer than the message", records([1, 0, 0, 35, 3, 3, ...new Array(32).fill(0), 200])],
    ["more than the message in its record", records([...FULL, 0])],
  ];
  for (const [what, bytes] of cases) assertEquals(parseClientHello(bytes).kind, "no", what);
});

Deno.test("garbage and mutations never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void parseClientHello(bytes)));
  const whole = records(FULL, 100);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      fc.nat(whole.length),
      (changes, end) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        parseClientHello(bytes.subarray(0, end));
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("node's own ClientHello is read", async () => {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const wire = new Duplex({ read() {}, write: (chunk, _encoding, done) => (resolve(chunk), done()) });
  const socket = tls.connect({
    socket: wire as unknown as Socket,
    servername: "weir.example",
    ALPNProtocols: ["h2"],
  });
  socket.on("error", () => {});
  const result = parseClientHello(await promise);
  assert(result.kind === "hello");
  assertEquals([result.hello.sni, result.hello.alpn], ["weir.example", ["h2"]]);
  assert(result.hello.versions.includes("TLSv1.3"));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await closed;
});

Deno.test("an RSA certificate is for clients that could not check an ECDSA one, and for no others", () => {
  const TLS13 = ["TLSv1.3", "TLSv1.2"], TLS12 = ["TLSv1.2"];
  const CASES: [
    what: string,
    expected: string,
    versions: string[],
    suites: number[],
    signatures: number[],
  ][] = [
    ["a browser", "ecdsa", TLS13, [0x1301, 0xc02b, 0xc02f], [0x0403, 0x0804, 0x0401]],
    ["TLS 1.3 and RSA signatures alone", "rsa", TLS13, [0x1301, 0xc02f], [0x0804, 0x0401]],
    ["TLS 1.3 and ECDSA with other curves alone", "rsa", TLS13, [0x1301], [0x0503, 0x0603, 0x0804]],
    ["TLS 1.3 with suites that say RSA only for 1.2", "ecdsa", TLS13, [0x1301, 0xc02f], [0x0403, 0x0804]],
    ["TLS 1.2 with both", "ecdsa", TLS12, [0xc02f, 0xc02b], [0x0401, 0x0403]],
    ["TLS 1.2 with ChaCha20 alone", "ecdsa", TLS12, [0xcca9], [0x0403]],
    ["TLS 1.2 and suites with RSA alone", "rsa", TLS12, [0xc02f, 0xc030], [0x0403, 0x0401]],
    ["TLS 1.2 with ECDSA suites, CBC alone", "rsa", TLS12, [0xc023, 0xc009, 0xc02f], [0x0403, 0x0401]],
    ["TLS 1.2 and RSA signatures alone", "rsa", TLS12, [0xc02b, 0xc02f], [0x0401, 0x0501]],
    ["TLS 1.2 without the extension", "ecdsa", TLS12, [0xc02b], []],
  ];
  for (const [what, expected, versions, cipherSuites, signatureAlgorithms] of CASES) {
    const hello = { sni: null, alpn: [], versions, cipherSuites, signatureAlgorithms, length: 0 };
    assertEquals(keyTypeFor(hello), expected, what);
  }
  const hello = { sni: null, alpn: [], versions: TLS13, cipherSuites: [0x1301, 0xc02f], length: 0 };
  assertEquals(keyTypeFor({ ...hello, signatureAlgorithms: [0x0403] }, "TLSv1.2"), "rsa");
});
