/** The start of a coded body: the plain body's first bytes, whatever the coding, and never much more work than that. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import zlib from "node:zlib";
import { WeirError } from "../../src/errors.ts";
import { encodeBytes } from "../../src/streams/coding.ts";
import { decodeStart } from "../../src/streams/decode_start.ts";

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * i + seed * 7) % 251);
}

const CODINGS = ["gzip", "deflate", "br", "zstd", "gzip, br", "identity"];

Deno.test("the first bytes are those of the plain body, for every coding, size and bound", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CODINGS),
      fc.integer({ min: 0, max: 300_000 }),
      fc.integer({ min: 1, max: 200_000 }),
      (coding, size, most) => {
        const plain = pattern(size, 3);
        const { bytes, isWhole } = decodeStart(encodeBytes(plain, coding), coding, most);
        assertEquals(bytes, plain.subarray(0, most));
        assertEquals(isWhole, size <= most);
      },
    ),
    { numRuns: 80, seed: 10 },
  );
});

Deno.test("raw deflate, several members, bytes behind the end, and a body that was cut", () => {
  const plain = pattern(5000, 1);
  const start = (bytes: Uint8Array, coding: string) => decodeStart(bytes, coding, 1_000_000).bytes;
  assertEquals(start(zlib.deflateRawSync(plain), "deflate"), plain);
  for (const [coding, code] of [["gzip", zlib.gzipSync], ["zstd", zlib.zstdCompressSync]] as const) {
    const coded = code(plain);
    assertEquals(start(concat([coded, coded]), coding), concat([plain, plain]));
    assertEquals(start(concat([coded, pattern(50, 2)]), coding), plain);
  }
  const cut = start(zlib.gzipSync(plain).subarray(0, 60), "gzip");
  assertEquals(cut, plain.subarray(0, cut.length));
});

Deno.test("what is no such coding is refused", () => {
  const wrong = new Uint8Array(200).fill(0x55);
  for (const coding of ["gzip", "deflate", "br", "zstd"]) {
    assertThrows(() => decodeStart(wrong, coding, 100), WeirError, "no valid");
  }
  assertThrows(() => decodeStart(wrong, "rot13", 100), TypeError, "rot13");
});

Deno.test("a gigabyte in a few bytes, folded twice, costs what is asked for", () => {
  // 1 GiB of zeros as gzip members of 64 MiB, and that folded again.
  const member = zlib.gzipSync(new Uint8Array(64 << 20));
  const bomb = zlib.gzipSync(concat(Array<Uint8Array>(16).fill(member)));
  const start = performance.now();
  for (let i = 0; i < 20; i++) {
    const { bytes, isWhole } = decodeStart(bomb, "gzip, gzip", 64 * 1024);
    assertEquals([bytes.length, isWhole], [64 * 1024, false]);
  }
  assert(performance.now() - start < 1000);
});

Deno.test("a coding that unfolds to gigabytes of which the next one makes nothing is stopped, too", () => {
  // A gzip member whose comment never ends (RFC 1952 §2.3.1).
  const header = Uint8Array.of(0x1f, 0x8b, 8, 16, 0, 0, 0, 0, 0, 3);
  const bomb = zlib.gzipSync(concat([header, new Uint8Array(200 << 20).fill(65)]));
  const start = performance.now();
  assertThrows(() => decodeStart(bomb, "gzip, gzip", 64 * 1024), WeirError, "nothing comes out");
  assert(performance.now() - start < 500);
});
