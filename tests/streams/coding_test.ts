import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import zlib from "node:zlib";
import { WeirError } from "../../src/errors.ts";
import { decodeBytes, encodeBytes } from "../../src/streams/coding.ts";
import { decoded, decodeStream, encodeStream } from "../../src/streams/coding_stream.ts";
import { replaceStream } from "../../src/streams/replace.ts";
import { ZstdFrames } from "../../src/streams/zstd_frames.ts";
import {
  bodyOfPieces,
  next,
  pieces,
  TestBody,
  text,
  throughHook,
  turn,
  utf8,
  whole,
  wholeText,
} from "./support.ts";

const CODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br", "Deflate , GZIP", "identity, zstd"];
const GONE = new WeirError("client", "closed", "The client has gone.");

/** Cuts bytes into parts of `step`. */
function parts(bytes: Uint8Array, step: number): Uint8Array[] {
  return Array.from(
    { length: Math.ceil(bytes.length / step) },
    (_, i) => bytes.slice(i * step, (i + 1) * step),
  );
}

for (const coding of CODINGS) {
  Deno.test(`${coding}: whole bodies come back as they were`, () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      assertEquals(new Uint8Array(decodeBytes(encodeBytes(bytes, coding), coding)), bytes);
    }));
  });

  Deno.test(`${coding}: streams come back as they were, at any split`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.integer({ min: 1, max: 700 }),
        async (bytes, step) => {
          const coded = concat(
            await pieces(throughHook(bodyOfPieces(parts(bytes, step)), encodeStream(coding))),
          );
          assertEquals(new Uint8Array(decodeBytes(coded, coding)), bytes);
          const body = throughHook(bodyOfPieces(parts(coded, step)), decodeStream(coding));
          assertEquals(await whole(body), bytes);
        },
      ),
      { numRuns: 15 },
    );
  });

  Deno.test(`${coding}: one event in is one event out, coded and decoded`, async () => {
    const source = new TestBody();
    const body = throughHook(source, [encodeStream(coding), decodeStream(coding)]);
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      source.push(event);
      assertEquals(text((await next(body))!), event);
    }
    source.end();
    assertEquals(await next(body), null);
  });

  Deno.test(`${coding}: where nobody takes a warning, bytes that are cut short fail`, () => {
    const coded = encodeBytes(utf8("some text that is long enough to be cut"), coding);
    const error = assertThrows(() => decodeBytes(coded.slice(0, -3), coding), WeirError);
    assertEquals(error.code, "protocol");
  });

  Deno.test(`${coding}: a body that the wire has cut stays cut, whatever could be unpacked`, async () => {
    const coded = encodeBytes(utf8("some text that is long enough to be cut"), coding);
    for (const length of [coded.length, coded.length - 3, 1]) {
      const source = new TestBody().push(coded.slice(0, length));
      const body = throughHook(source, decoded({ headers: new Headers({ "content-encoding": coding }) }));
      source.end(GONE);
      assertStrictEquals(await assertRejects(() => whole(body)), GONE);
      await turn();
    }
  });

  Deno.test(`${coding}: a bomb stops at the bound when whole, and waits for its reader when streamed`, async () => {
    const bomb = encodeBytes(new Uint8Array(8_000_000), coding);
    assertEquals(assertThrows(() => decodeBytes(bomb, coding, 1_000_000), WeirError).code, "limit");
    const source = bodyOfPieces([bomb, "never read"], { chunked: true });
    const body = throughHook(source, decodeStream(coding));
    const before = Deno.memoryUsage().external;
    await next(body);
    await turn();
    assertEquals(Deno.memoryUsage().external - before < 4_000_000, true);
    body.cancel(GONE);
    await turn();
  });
}

Deno.test("deflate without its wrapper is understood, whole and streamed", async () => {
  const raw = zlib.deflateRawSync("raw as some servers send it");
  assertEquals(text(decodeBytes(raw, "deflate")), "raw as some servers send it");
  const body = throughHook(bodyOfPieces(parts(raw, 1)), decodeStream("deflate"));
  assertEquals(await wholeText(body), "raw as some servers send it");
});

Deno.test("several gzip members, and several zstd frames, are one body", async () => {
  const skippable = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  for (const coding of ["gzip", "zstd"]) {
    const between = coding === "zstd" ? [skippable] : [];
    const parts_ = [encodeBytes(utf8("first "), coding), ...between, encodeBytes(utf8("second"), coding)];
    const bytes = concat(parts_);
    assertEquals(text(decodeBytes(bytes, coding)), "first second");
    for (const step of [1, 7, 1000]) {
      const body = throughHook(bodyOfPieces(parts(bytes, step)), decodeStream(coding));
      assertEquals(await wholeText(body), "first second");
    }
  }
});

/** The offsets at which frames end, found in pieces of `step`. */
function frameEnds(bytes: Uint8Array, step: number): number[] {
  const frames = new ZstdFrames();
  const ends: number[] = [];
  let base = 0;
  for (const part of parts(bytes, step)) {
    for (let at = 0; at < part.length;) {
      at = frames.push(part, at);
      if (frames.complete) ends.push(base + at);
    }
    base += part.length;
  }
  return ends;
}

Deno.test("zstd frames of every shape are followed to their end", () => {
  const inputs = ["", "x", "x".repeat(300), "x".repeat(70_000), "x".repeat(300_000)].map(utf8);
  inputs.push(crypto.getRandomValues(new Uint8Array(60_000)));
  for (const input of inputs) {
    for (const checksum of [0, 1]) {
      const params = { [zlib.constants.ZSTD_c_checksumFlag]: checksum };
      const frame = new Uint8Array(zlib.zstdCompressSync(input, { params }));
      // Deno ends incompressible data with an empty second frame.
      const ends = frameEnds(frame, frame.length);
      assertEquals([ends.length <= 2, ends.at(-1)], [true, frame.length]);
      for (const step of [1, 5]) assertEquals(frameEnds(frame, step), ends);
      assertEquals(new Uint8Array(decodeBytes(frame, "zstd")), input);
    }
  }
});

Deno.test("without a coding bytes are left alone", () => {
  const bytes = utf8("plain");
  for (const coding of [null, "", "identity", " , "]) {
    assertStrictEquals(decodeBytes(bytes, coding), bytes);
    assertStrictEquals(encodeBytes(bytes, coding), bytes);
  }
});

Deno.test("unknown codings, and too many, are refused", () => {
  for (
    const use of [
      decodeStream,
      encodeStream,
      (c: string) => decodeBytes(utf8("x"), c),
      (c: string) => encodeBytes(utf8("x"), c),
    ]
  ) {
    assertThrows(() => use("gzip, snappy"), TypeError, '"snappy"');
    assertThrows(() => use("gzip, gzip, gzip, gzip, gzip"), TypeError, "5 content codings");
  }
});

Deno.test("bytes that are no such coding fail with an error that names it", () => {
  for (const coding of ["gzip", "deflate", "br", "zstd"]) {
    const error = assertThrows(
      () => decodeBytes(utf8("garbage, not a stream at all"), coding),
      WeirError,
      `no valid ${coding}`,
    );
    assertEquals(error.code, "protocol");
  }
});

Deno.test("an empty body has no coded form to be undone", async () => {
  assertEquals(decodeBytes(new Uint8Array(0), "gzip").length, 0);
  assertEquals(await pieces(throughHook(bodyOfPieces([]), decodeStream("gzip, br"))), []);
  const coded = await whole(throughHook(bodyOfPieces([]), encodeStream("gzip")));
  assertEquals(zlib.gunzipSync(coded).length, 0);
});

Deno.test("decoded: hooks see plain text, the wire stays coded", async () => {
  const message = { headers: new Headers({ "content-encoding": "gzip" }) };
  const source = new TestBody();
  const body = throughHook(source, decoded(message, replaceStream("secret", "***"), (chunk) => chunk));
  source.push(encodeBytes(utf8("a secret in a secret place"), "gzip")).end();
  assertEquals(text(decodeBytes(await whole(body), "gzip")), "a *** in a *** place");
});

Deno.test("decoded: without a coding hooks are alone", async () => {
  const body = throughHook(
    bodyOfPieces(["secret"]),
    decoded({ headers: new Headers() }, replaceStream("secret", "***")),
  );
  assertEquals(await wholeText(body), "***");
});

Deno.test("a decoder whose body is cancelled or cut lets go of everything", async () => {
  for (const coding of ["gzip", "gzip, zstd"]) {
    const source = new TestBody().push(encodeBytes(utf8("beginning"), coding).slice(0, 8));
    const body = throughHook(source, decoded({ headers: new Headers({ "content-encoding": coding }) }));
    const filling = body.fill();
    await turn();
    body.cancel(GONE);
    assertStrictEquals(await assertRejects(() => filling), GONE);
    assertStrictEquals(source.cancelled, GONE);
    await turn();
  }
});

Deno.test("brotli bodies that are broken anywhere never come out silently as something shorter", () => {
  // Deno 2.9.6 prints "leaking memory block …" for a few of these, whichever of its brotli decoders is used by way of node:zlib.
  const good = encodeBytes(utf8("some text, a little longer, and some text again ".repeat(20)), "br");
  fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(7), (at, bit) => {
    const broken = good.slice();
    broken[at] ^= 1 << bit;
    let decodedLength = -1;
    try {
      decodedLength = decodeBytes(broken, "br").length;
    } catch (error) {
      assertEquals((error as WeirError).code, "protocol");
    }
    // A flipped bit may give other text of some length; what Deno gives for an error is no text.
    assertEquals(decodedLength === 0, false);
  }));
});
