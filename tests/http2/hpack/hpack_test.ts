import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { MAX_FIELD_BLOCK, MAX_FIELDS } from "../../../src/http/limits.ts";
import { HpackDecoder } from "../../../src/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../src/http2/hpack/encoder.ts";
import { HpackError } from "../../../src/http2/hpack/error.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "../../../src/http2/hpack/huffman.ts";
import { Cursor, encodeInteger } from "../../../src/http2/hpack/integer.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const toHex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

Deno.test("integers are coded as in RFC 7541 C.1", () => {
  for (const [value, prefix, expected] of [[10, 5, "0a"], [1337, 5, "1f9a0a"], [42, 8, "2a"]] as const) {
    const into = new Uint8Array(6);
    const end = encodeInteger(value, prefix, 0, into, 0);
    assertEquals(toHex(into.subarray(0, end)), expected);
    assertEquals(new Cursor(hex(expected), 0, end).integer(prefix), value);
  }
});

Deno.test("integers survive with every prefix, and overlong or cut ones are refused", () => {
  fc.assert(fc.property(fc.nat(1 << 27), fc.integer({ min: 1, max: 8 }), (value, prefix) => {
    const into = new Uint8Array(6);
    const end = encodeInteger(value, prefix, 0, into, 0);
    assertEquals(new Cursor(into, 0, end).integer(prefix), value);
    if (end > 1) assertThrows(() => new Cursor(into, 0, end - 1).integer(prefix), HpackError);
  }));
  assertThrows(() => new Cursor(hex("1fffffffff0f"), 0, 6).integer(5), HpackError, "too large");
  assertThrows(() => new Cursor(hex("1f808080808000"), 0, 7).integer(5), HpackError, "too large");
});

Deno.test("fields are decoded as in RFC 7541 C.2", () => {
  const one = (block: string) => new HpackDecoder().decode(hex(block));
  assertEquals(one("400a637573746f6d2d6b65790d637573746f6d2d686561646572"), ["custom-key", "custom-header"]);
  assertEquals(one("040c2f73616d706c652f70617468"), [":path", "/sample/path"]);
  assertEquals(one("100870617373776f726406736563726574"), ["password", "secret"]);
  assertEquals(one("82"), [":method", "GET"]);
});

const REQUESTS = [
  [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
  [
    ":method",
    "GET",
    ":scheme",
    "http",
    ":path",
    "/",
    ":authority",
    "www.example.com",
    "cache-control",
    "no-cache",
  ],
  // deno-fmt-ignore
  [":method", "GET", ":scheme", "https", ":path", "/index.html", ":authority", "www.example.com", "custom-key", "custom-value"],
];
const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const RESPONSES = [
  // deno-fmt-ignore
  [":status", "302", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:21 GMT", "location", "https://www.example.com"],
  // deno-fmt-ignore
  [":status", "307", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:21 GMT", "location", "https://www.example.com"],
  // deno-fmt-ignore
  [":status", "200", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:22 GMT", "location", "https://www.example.com", "content-encoding", "gzip", "set-cookie", COOKIE],
];
/** A dynamic table of 256 bytes, as RFC 7541 C.5 and C.6 assume, set by a size update. */
const SIZE_256 = "3fe101";

const VECTORS: [name: string, blocks: string[], lists: string[][]][] = [
  ["C.3 requests without Huffman", [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
  ], REQUESTS],
  ["C.4 requests with Huffman", [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ], REQUESTS],
  ["C.5 responses without Huffman, with eviction", [
    SIZE_256 + "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54" +
    "6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    "4803333037c1c0bf",
    "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b" +
    "425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
  ], RESPONSES],
  ["C.6 responses with Huffman, with eviction", [
    SIZE_256 +
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f" +
    "3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ], RESPONSES],
];
for (const [name, blocks, lists] of VECTORS) {
  Deno.test(`header blocks are decoded as in RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder();
    blocks.forEach((block, i) => assertEquals(decoder.decode(hex(block)), lists[i]));
  });
}

Deno.test("Huffman codes every byte value, and refuses EOS and bad padding", () => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  const into = new Uint8Array(huffmanLength(all));
  assertEquals(huffmanEncode(all, into, 0), into.length);
  assertEquals(huffmanDecode(into, 0, into.length), all);
  assertEquals(toHex(encoded("www.example.com")), "f1e3c2e5f23a6ba0ab90f4ff");
  assertThrows(() => huffmanDecode(hex("fffffffc"), 0, 4), HpackError, "EOS");
  assertThrows(() => huffmanDecode(hex("1f" + "ff"), 0, 2), HpackError, "padding");
  assertThrows(() => huffmanDecode(hex("00"), 0, 1), HpackError, "padding");
});

function encoded(text: string): Uint8Array {
  const into = new Uint8Array(huffmanLength(text));
  huffmanEncode(text, into, 0);
  return into;
}

const latin1 = (max: number) =>
  fc.array(fc.nat(255), { maxLength: max }).map((codes) => String.fromCharCode(...codes));

Deno.test("Huffman round trip of random text", () => {
  fc.assert(fc.property(latin1(300), (text) => {
    const bytes = encoded(text);
    assertEquals(huffmanDecode(bytes, 0, bytes.length), text);
  }));
});

Deno.test("what the encoder writes, the decoder reads, over many blocks with a table that evicts and is resized", () => {
  const name = fc.constantFrom(
    "x-a",
    "x-b",
    "cookie",
    "authorization",
    ":path",
    "content-type",
    "x-" + "n".repeat(90),
  );
  const value = fc.oneof(fc.constantFrom("1", "2", "text/html", "v".repeat(3000)), latin1(200));
  const block = fc.record({
    fields: fc.array(fc.tuple(name, value), { maxLength: 12 }),
    resize: fc.option(fc.array(fc.nat(6000), { minLength: 1, maxLength: 3 })),
  });
  fc.assert(fc.property(fc.array(block, { maxLength: 30 }), (blocks) => {
    const encoder = new HpackEncoder(), decoder = new HpackDecoder();
    for (const { fields, resize } of blocks) {
      for (const size of resize ?? []) encoder.setMaxTableSize(size);
      const list = fields.flat();
      assertEquals(decoder.decode(encoder.encode(list)), list);
    }
  }));
});

Deno.test("a field that comes again costs one byte, and secrets are never indexed", () => {
  const encoder = new HpackEncoder();
  encoder.encode(["x-trace", "abcdef"]);
  assertEquals(encoder.encode(["x-trace", "abcdef"]).length, 1);
  for (const [name, value] of [["authorization", "Bearer x"], ["cookie", "sid=1"]]) {
    for (let i = 0; i < 2; i++) {
      assertEquals(encoder.encode([name, value])[0] & 0xf0, 0x10, `${name} is not a never-indexed literal`);
    }
  }
  // A long cookie is worth an entry.
  encoder.encode(["cookie", "c".repeat(40)]);
  assertEquals(encoder.encode(["cookie", "c".repeat(40)]).length, 1);
});

Deno.test("a list over 200 fields or 64 KiB gives null and leaves the table right", () => {
  const encoder = new HpackEncoder(), decoder = new HpackDecoder();
  const many = Array.from({ length: MAX_FIELDS + 1 }, (_, i) => [`x-${i}`, "v"]).flat();
  assertEquals(decoder.decode(encoder.encode(many)), null);
  assertEquals(decoder.decode(encoder.encode(many.slice(0, 2 * MAX_FIELDS))), many.slice(0, 2 * MAX_FIELDS));
  assertEquals(decoder.decode(encoder.encode(["x-big", "v".repeat(MAX_FIELD_BLOCK)])), null);
  const edge = ["x-big", "v".repeat(MAX_FIELD_BLOCK - 5 - 32)];
  assertEquals(decoder.decode(encoder.encode(edge)), edge);
  assertEquals(decoder.decode(encoder.encode(["x-a", "1"])), ["x-a", "1"]);
});

Deno.test("a header bomb (one large entry, indexed thousands of times) is bounded", () => {
  const decoder = new HpackDecoder(), encoder = new HpackEncoder();
  decoder.decode(encoder.encode(["x-bomb", "v".repeat(2900)]));
  assertEquals(decoder.decode(new Uint8Array(16_000).fill(0x80 | 62)), null);
});

Deno.test("broken blocks are refused", () => {
  for (
    const [block, message] of [
      ["80", "Index 0"],
      ["be", "neither table"],
      ["ff8001", "neither table"],
      ["7f8001", "neither table"],
      ["8220", "size update comes after"],
      ["3fe21f", "beyond the 4096"],
      ["400a6375", "longer than its header block"],
      ["40", "ends in mid"],
      ["0001", "longer than"],
      ["000161", "ends in mid"],
    ]
  ) assertThrows(() => new HpackDecoder().decode(hex(block)), HpackError, message);
});

Deno.test("garbage gives a list or an HpackError, never anything else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder();
      try {
        for (const block of blocks) decoder.decode(block);
      } catch (error) {
        if (!(error instanceof HpackError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a table that was emptied and grown again between two blocks says both sizes (RFC 7541 4.2)", () => {
  const encoder = new HpackEncoder();
  encoder.setMaxTableSize(0);
  encoder.setMaxTableSize(9999);
  assertEquals(toHex(encoder.encode([":method", "GET"])), "20" + "3fe11f" + "82");
  assertEquals(toHex(encoder.encode([":method", "GET"])), "82");
});
