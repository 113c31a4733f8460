import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ipText } from "../../src/net/ip.ts";
import {
  encodeGreeting,
  encodeLogin,
  encodeLoginAnswer,
  encodeMethodChoice,
  encodeReply,
  encodeRequest,
  type Parsed,
  parseGreeting,
  parseLogin,
  parseLoginAnswer,
  parseMethodChoice,
  parseReply,
  parseRequest,
} from "../../src/socks/messages.ts";

const byte = fc.integer({ min: 0, max: 255 });
const counted = fc.string({ unit: "grapheme", maxLength: 20 });
const name = fc.string({ unit: fc.constantFrom(..."abc-.xyz"), maxLength: 254 }).map((text) => `n${text}`);
const address = fc.record({
  hostname: fc.oneof(fc.ipV4(), fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipText), name),
  port: fc.integer({ min: 0, max: 65535 }),
});

function property<T>(
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  parse: (bytes: Uint8Array) => Parsed<T>,
) {
  return {
    parse: parse as (bytes: Uint8Array) => Parsed<unknown>,
    run() {
      fc.assert(fc.property(values, fc.uint8Array({ maxLength: 20 }), (value, rest) => {
        const bytes = encode(value);
        for (let length = 0; length < bytes.length; length++) {
          assertEquals(parse(bytes.subarray(0, length)).kind, "more", `${length} of ${bytes.length} bytes`);
        }
        const parsed = parse(Uint8Array.from([...bytes, ...rest]));
        assertEquals(parsed, { kind: "message", message: value, length: bytes.length });
      }));
    },
  };
}

const methods = fc.uint8Array({ maxLength: 255 }).map((bytes) => [...bytes]);
const login = fc.record({ username: counted, password: counted });

/** Each message with its writer and its reader. */
const MESSAGES = {
  greeting: property(methods, encodeGreeting, parseGreeting),
  "method choice": property(byte, encodeMethodChoice, parseMethodChoice),
  login: property(login, encodeLogin, parseLogin),
  "login answer": property(fc.boolean(), encodeLoginAnswer, parseLoginAnswer),
  request: property(fc.record({ command: byte, address }), encodeRequest, parseRequest),
  reply: property(fc.record({ code: byte, bound: address }), encodeReply, parseReply),
};

for (const [name, { run, parse }] of Object.entries(MESSAGES)) {
  Deno.test(`a ${name} is read as it was written: never early, and not a byte of what follows`, run);

  Deno.test(`bytes of any kind are a ${name}, the beginning of one, or none`, () => {
    const anything = fc.uint8Array({ maxLength: 600 });
    fc.assert(fc.property(anything, fc.integer({ min: 0, max: 5 }), (bytes, first) => {
      if (bytes.length > 0) bytes[0] = first;
      const parsed = parse(bytes);
      // 1 + 1 + 255 + 1 + 255 bytes are the longest message there is.
      if (parsed.kind === "more") return bytes.length < 513;
      if (parsed.kind === "no") return parsed.reason.length > 0;
      return parsed.length <= bytes.length && parsed.length >= 2;
    }));
  });
}

const hex = (text: string) => Uint8Array.from(text.split(" "), (digits) => parseInt(digits, 16));

function message(command: number, hostname: string, port: number, length: number): Parsed<unknown> {
  return { kind: "message", message: { command, address: { hostname, port } }, length };
}

Deno.test("requests as others write them", () => {
  const SAMPLES: readonly (readonly [string, Parsed<unknown>])[] = [
    ["05 01 00 01 7f 00 00 01 1f 90", message(1, "127.0.0.1", 8080, 10)],
    [
      "05 01 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 01 bb",
      message(1, "::1", 443, 22),
    ],
    ["05 01 00 03 09 6c 6f 63 61 6c 68 6f 73 74 00 50", message(1, "localhost", 80, 16)],
    ["05 03 00 01 00 00 00 00 00 00", message(3, "0.0.0.0", 0, 10)],
    ["05 01 00 03 00 00 50", message(1, "", 80, 7)],
  ];
  for (const [text, expected] of SAMPLES) assertEquals(parseRequest(hex(text)), expected, text);
});

Deno.test("what is not SOCKS5 is known by its first byte, and an unknown address type has a reply", () => {
  const reason = (parsed: Parsed<unknown>) => parsed.kind === "no" ? [parsed.reason, parsed.reply] : parsed;
  assertEquals(reason(parseGreeting(hex("04"))), [
    "it speaks version 4 of SOCKS, or something else",
    undefined,
  ]);
  assertEquals(reason(parseLogin(hex("05"))), ["its login is of version 5, not 1", undefined]);
  assertEquals(reason(parseRequest(hex("05 01 00 02 01"))), ["there is no address type 2", 8]);
});

Deno.test("an answer to a login may have the version of SOCKS, and only 0 lets in", () => {
  const answers = ["01 00", "05 00", "01 01", "01 ff"].map((text) => parseLoginAnswer(hex(text)));
  assertEquals(answers.map((parsed) => parsed.kind === "message" && parsed.message), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("what SOCKS5 has no room for is an error that says which part it is", () => {
  const long = "ü".repeat(128);
  const login = (username: string, password: string) => () => encodeLogin({ username, password });
  assertThrows(login(long, ""), RangeError, "user name is longer than 255 bytes");
  assertThrows(login("", long), RangeError, "password is longer than 255 bytes");
  const to = (hostname: string) => () => encodeRequest({ command: 1, address: { hostname, port: 1 } });
  assertThrows(to(long), RangeError, "host name is longer than 255 bytes");
  assertThrows(to(""), RangeError, "empty");
});

Deno.test("user names and passwords keep what a text decoder would take away", () => {
  const login = { username: "\ufeffme", password: "a:b\0 ü" };
  const parsed = parseLogin(encodeLogin(login));
  assertEquals(parsed.kind === "message" && parsed.message, login);
});
