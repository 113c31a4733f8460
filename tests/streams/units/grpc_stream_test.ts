import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import type { WeirError } from "../../../src/errors.ts";
import { drop } from "../../../src/streams/drop.ts";
import { decodeBytes, encodeBytes } from "../../../src/streams/mod.ts";
import { type GrpcMessage, type GrpcOutput, grpcStream } from "../../../src/streams/units/mod.ts";
import { utf8 } from "../support.ts";
import { byteByByte, cutAt, cuts, Fed, through } from "./support.ts";

function frame(flags: number, payload: Uint8Array | string): Uint8Array {
  const bytes = typeof payload === "string" ? utf8(payload) : payload;
  const head = new DataView(new ArrayBuffer(5));
  head.setUint8(0, flags);
  head.setUint32(1, bytes.length);
  return concat([new Uint8Array(head.buffer), bytes]);
}

interface Frame {
  flags: number;
  payload: Uint8Array;
}

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(1);
    frames.push({ flags: bytes[at], payload: bytes.slice(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return frames;
}

const payload = fc.uint8Array({ maxLength: 30 });
const frames = fc.array(
  fc.record({ flags: fc.constantFrom(0, 0, 1, 2, 3, 0x80, 0x81), payload }),
  { maxLength: 8 },
);

/** What functions do with a message, by number. */
const DEEDS: ((message: GrpcMessage) => GrpcOutput)[] = [
  () => {},
  () => null,
  () => drop,
  (message) => void message.data.reverse(),
  (message) => void (message.data = utf8("new")),
  (message) => ({ ...message, data: "text" }),
  () => ({ data: "plain" }),
  (message) => void (message.compressed = !message.compressed),
  (message) => [{ data: "before" }, message, { data: "after", compressed: true }].values(),
];

for (const encoding of [undefined, "gzip", "deflate", "br", "zstd"]) {
  Deno.test(`messages are what the function makes of them, at every split (${encoding ?? "as on the wire"})`, async () => {
    const headers = new Headers(encoding === undefined ? {} : { "grpc-encoding": encoding });
    const message = encoding === undefined ? undefined : { headers };
    const coded = (flags: number, bytes: Uint8Array) =>
      encoding !== undefined && (flags & 0x83) === 1 ? encodeBytes(bytes, encoding) : bytes;
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.nat(), { minLength: 1 }), cuts, async (list, deeds, places) => {
        const whole = concat(list.map(({ flags, payload }) => frame(flags, coded(flags, payload))));
        const deed = (index: number) => DEEDS[deeds[index % deeds.length] % DEEDS.length];
        let count = 0;
        /** Messages before they are compressed, and those frames that must be the same bytes. */
        const expected = list.flatMap(({ flags, payload }) => {
          if ((flags & 0x82) !== 0) return [{ flags, payload }];
          const message = { data: payload.slice(), flags, compressed: flags === 1 };
          const given = deed(count++)(message);
          if (given === null || given === drop) return [];
          const sent = given === undefined ? [message] : Symbol.iterator in Object(given) ? given : [given];
          const byDefault = encoding === undefined ? 0 : flags;
          return [...sent as Iterable<GrpcMessage>].map(({ data, compressed, flags = byDefault }) => ({
            flags: compressed === undefined ? flags : compressed ? 1 : 0,
            payload: typeof data === "string" ? utf8(data) : data,
          }));
        });
        const stage = () => {
          let index = 0;
          return grpcStream((message) => deed(index++)(message), message);
        };
        const out = await through(stage(), [whole]);
        const decoded = framesOf(out).map(({ flags, payload }) => ({
          flags,
          payload: encoding !== undefined && (flags & 0x83) === 1
            ? decodeBytes(payload, encoding).slice()
            : payload,
        }));
        assertEquals(decoded, expected);
        assertEquals(await through(stage(), cutAt(whole, places)), out);
        assertEquals(await through(stage(), byteByByte(whole)), out);
      }),
      { numRuns: 150 },
    );
  });
}

Deno.test("messages that are only looked at keep their bytes, also compressed ones", async () => {
  const { gzipSync } = await import("node:zlib");
  // Another level than weir's own.
  const packed = new Uint8Array(gzipSync(utf8("hello ".repeat(50)), { level: 1 }));
  const whole = concat([frame(1, packed), frame(0, "plain"), frame(1, packed)]);
  const seen: string[] = [];
  const stage = grpcStream((message) => {
    seen.push(
      `${message.compressed} ${message.flags} ${new TextDecoder().decode(message.data).slice(0, 11)}`,
    );
    return { ...message };
  }, { headers: new Headers({ "connect-content-encoding": "gzip" }) });
  assertEquals(await through(stage, [whole]), whole);
  assertEquals(seen, ["true 1 hello hello", "false 0 plain", "true 1 hello hello"]);
});

Deno.test("a message goes out with its last byte, trailers flow as they come", async () => {
  const fed = new Fed(grpcStream((message) => void message.data.fill(120)));
  const one = frame(0, "abc");
  assertEquals(await fed.push(one.subarray(0, 7)), "");
  assertEquals(await fed.push(one.subarray(7)), "\0\0\0\0\x03xxx");
  assertEquals(await fed.push(frame(0, "")), "\0\0\0\0\0");
  const trailer = frame(0x80, "grpc-status: 0\r\n");
  assertEquals((await fed.pushBytes(trailer.subarray(0, 5))).length, 5);
  assertEquals(await fed.push("grpc"), "grpc");
  assertEquals(await fed.push("-status: 0\r\n"), "-status: 0\r\n");
  assertEquals(
    await fed.push(concat([frame(2, "{}"), frame(0, "a"), one.subarray(0, 2)])),
    "\x02\0\0\0\x02{}\0\0\0\0\x01x",
  );
});

Deno.test("a body that ends in the middle of a message, or of trailers, is cut", async () => {
  for (
    const rest of [
      frame(0, "abc").subarray(0, 3),
      frame(0, "abc").subarray(0, 7),
      frame(0x80, "abc").subarray(0, 6),
    ]
  ) {
    const fed = new Fed(grpcStream(() => {}));
    await fed.push(concat([frame(0, "x"), rest]));
    await fed.end();
    const error = fed.error as WeirError;
    assertEquals([error.code, fed.faults], ["protocol", [error]]);
    assertStringIncludes(error.message, "ends in the middle of a gRPC message");
  }
});

Deno.test("a message beyond the bound cuts the body: its length, and what it unfolds to", async () => {
  const message = { headers: new Headers({ "grpc-encoding": "gzip" }) };
  const large = new Fed(grpcStream(() => {}, message, { hold: 100 }));
  assertEquals((await large.pushBytes(frame(0, "x".repeat(100)))).length, 105);
  await large.push(frame(0, "x".repeat(101)).subarray(0, 5));
  assertEquals((large.error as WeirError).code, "limit");
  const whole = new Fed(grpcStream(() => {}, message, { hold: 100 }));
  await whole.push(frame(0, "x".repeat(101)));
  assertEquals((whole.error as WeirError).code, "limit");
  const bomb = new Fed(grpcStream(() => {}, message, { hold: 100 }));
  await bomb.push(frame(1, encodeBytes(utf8("x".repeat(101)), "gzip")));
  assertEquals((bomb.error as WeirError).code, "limit");
  const four = new Fed(grpcStream(() => {}));
  await four.push(Uint8Array.of(0, 0, 0x40, 0, 1));
  assertStringIncludes((four.error as WeirError).message, `${4 * 1024 * 1024} bytes`);
  const fits = new Fed(grpcStream(() => {}));
  await fits.push(Uint8Array.of(0, 0, 0x40, 0, 0));
  assertEquals(fits.error, null);
});

Deno.test("gRPC-Web's base64 form passes with one warning", async () => {
  const body = btoa("\0\0\0\0\x01a");
  const typed = new Fed(
    grpcStream(() => null, { headers: new Headers({ "content-type": "application/grpc-web-text+proto" }) }),
  );
  const untyped = new Fed(grpcStream(() => null));
  for (const fed of [typed, untyped]) {
    assertEquals(await fed.push(body), body);
    assertEquals(await fed.push(body), body);
    await fed.end();
    assertEquals([fed.error, fed.warnings.length], [null, 1]);
    assertStringIncludes(fed.warnings[0], "base64");
  }
});

Deno.test("what is no message cuts the body", async () => {
  const message = { headers: new Headers() };
  const bad: [(message: GrpcMessage) => unknown, string][] = [
    [() => new Uint8Array(3), "its data is undefined"],
    [() => "x", "but the string x"],
    [(message) => void (message.flags = 256), "one byte"],
    [(message) => void (message.compressed = true), "names no encoding"],
    [() => Promise.reject(new Error("oh no")), "oh no"],
  ];
  for (const [fn, text] of bad) {
    const fed = new Fed(grpcStream(fn as () => null, message));
    assertEquals(await fed.push(frame(0, "a")), "");
    assertStringIncludes((fed.error as WeirError).message, text);
    assertEquals((fed.error as WeirError).code, "addon");
  }
  const nameless = new Fed(grpcStream(() => {}, message));
  await nameless.push(frame(1, "a"));
  assertEquals((nameless.error as WeirError).code, "protocol");
});

Deno.test("wrong arguments are refused when the stage is made", async () => {
  const untyped = grpcStream as unknown as (...given: unknown[]) => TransformStream;
  assertThrows(() => untyped({}), TypeError, "grpcStream takes a function");
  assertThrows(() => untyped(() => {}, { hold: 5 }), TypeError, "flow.response");
  assertThrows(
    () => untyped(() => {}, { headers: new Headers({ "grpc-encoding": "snappy" }) }),
    TypeError,
    "snappy",
  );
  const stage = grpcStream(() => {});
  await through(stage, [frame(0, "a")]);
  await assertRejects(() => through(stage, [frame(0, "a")]), TypeError, "in use");
});
