/**
 * Coded bodies that are not quite right: what browsers and curl make of them, whole and streamed alike, with a warning.
 * @module
 */
import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import zlib from "node:zlib";
import { decodeBytes, encodeBytes } from "../../src/streams/coding.ts";
import { decodeStream } from "../../src/streams/coding_stream.ts";
import { bodyOfPieces, text, utf8, whole } from "./support.ts";

const PAGE = "hello world, and once more: hello world ".repeat(9);
const gzip = encodeBytes(utf8(PAGE), "gzip");
const zlibbed = encodeBytes(utf8(PAGE), "deflate");
const raw = new Uint8Array(zlib.deflateRawSync(PAGE));
const br = encodeBytes(utf8(PAGE), "br");
const zstd = encodeBytes(utf8(PAGE), "zstd");

/** A header with every optional part (RFC 1952 §2.3). */
const FULL_HEADER = Uint8Array.of(
  ...[0x1f, 0x8b, 8, 0x1f, 0, 0, 0, 0, 0, 3],
  ...[3, 0, 1, 2, 3],
  ...utf8("name\0comment\0"),
  ...[0xaa, 0xbb],
);
const EMPTY_EXTRA = Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 0, 0);
const WRONG = concat([gzip.slice(0, -8), new Uint8Array(8)]);

const CUT = "cut short", CHECKSUM = "checksum";
const behind = (count: number) => `${count} bytes behind`;

type Case = [what: string, coding: string, bytes: Uint8Array, text: string, warnings: string[]];

// deno-fmt-ignore -- one case per line reads as a table
const CASES: Case[] = [
  ["gzip with a newline behind it", "gzip", concat([gzip, utf8("\n \n\n")]), PAGE, [behind(4)]],
  ["gzip with zeros behind it", "gzip", concat([gzip, new Uint8Array(512)]), PAGE, [behind(512)]],
  ["gzip with the start of a magic number behind it", "gzip", concat([gzip, Uint8Array.of(0x1f)]), PAGE, [behind(1)]],
  ["gzip with half a header behind it", "gzip", concat([gzip, gzip.slice(0, 7)]), PAGE, [behind(7)]],
  ["gzip with what resembles a header behind it", "gzip", concat([gzip, Uint8Array.of(0x1f, 0x8b, 7, 0)]), PAGE, [behind(4)]],
  ["gzip without its footer", "gzip", gzip.slice(0, -8), PAGE, [CUT]],
  ["gzip without its length", "gzip", gzip.slice(0, -4), PAGE, [CUT]],
  ["gzip without its last byte", "gzip", gzip.slice(0, -1), PAGE, [CUT]],
  ["gzip with a wrong footer", "gzip", WRONG, PAGE, [CHECKSUM]],
  ["gzip with a wrong footer and bytes behind it", "gzip", concat([WRONG, utf8("xx")]), PAGE, [CHECKSUM, behind(2)]],
  ["gzip of two members", "gzip", concat([gzip, gzip]), PAGE + PAGE, []],
  ["gzip of two members, the second cut", "gzip", concat([gzip, gzip.slice(0, -8)]), PAGE + PAGE, [CUT]],
  ["gzip of two members and bytes behind them", "gzip", concat([gzip, gzip, utf8("x")]), PAGE + PAGE, [behind(1)]],
  ["gzip with an empty member between", "gzip", concat([gzip, encodeBytes(utf8("x"), "gzip").slice(0, 0), new Uint8Array(zlib.gzipSync("")), gzip]), PAGE + PAGE, []],
  ["gzip with every optional part in its header", "gzip", concat([FULL_HEADER, gzip.slice(10)]), PAGE, []],
  ["gzip with an empty extra field", "gzip", concat([EMPTY_EXTRA, gzip.slice(10)]), PAGE, []],
  ["gzip that ends within its header", "gzip", gzip.slice(0, 5), "", [CUT]],
  ["gzip that ends behind its header", "gzip", gzip.slice(0, 10), "", [CUT]],
  ["gzip that ends within a name", "gzip", FULL_HEADER.slice(0, 18), "", [CUT]],
  ["deflate with a wrapper", "deflate", zlibbed, PAGE, []],
  ["deflate without a wrapper", "deflate", raw, PAGE, []],
  ["deflate without its checksum", "deflate", zlibbed.slice(0, -4), PAGE, [CUT]],
  ["deflate without the last byte of its checksum", "deflate", zlibbed.slice(0, -1), PAGE, [CUT]],
  ["deflate with bytes behind it", "deflate", concat([zlibbed, utf8("junk")]), PAGE, [behind(4)]],
  ["raw deflate with bytes behind it", "deflate", concat([raw, utf8("junk")]), PAGE, [behind(4)]],
  ["deflate of one byte", "deflate", zlibbed.slice(0, 1), "", [CUT]],
  ["br with bytes behind it", "br", concat([br, utf8("junk")]), PAGE, [behind(4)]],
  ["zstd with bytes behind it", "zstd", concat([zstd, utf8("junk!")]), PAGE, [behind(5)]],
  ["zstd with three bytes behind it", "zstd", concat([zstd, utf8("jnk")]), PAGE, [behind(3)]],
  ["zstd of two frames and bytes behind them", "zstd", concat([zstd, zstd, utf8("junk")]), PAGE + PAGE, [behind(4)]],
  ["zstd that ends within its first magic number", "zstd", zstd.slice(0, 3), "", [CUT]],
  ["gzip in gzip, the outer one with bytes behind it", "gzip, gzip", concat([encodeBytes(gzip, "gzip"), utf8("xx")]), PAGE, [behind(2)]],
];

for (const [what, coding, bytes, wanted, warnings] of CASES) {
  Deno.test(`${what} is what browsers make of it, whole and at any split`, async () => {
    const seen = wholeOf(bytes, coding);
    assertEquals([seen.text, brief(seen.warnings)], [wanted, warnings]);
    for (const step of [1, 2, 5, 16, 10_000]) {
      const streamed = await streamedOf(bytes, coding, step);
      assertEquals([streamed.text, streamed.warnings], [wanted, seen.warnings], `in pieces of ${step}`);
    }
  });
}

for (
  const [coding, coded] of [["gzip", gzip], ["deflate", zlibbed], ["deflate", raw], ["br", br], [
    "zstd",
    zstd,
  ]] as const
) {
  Deno.test(`${coding} (${coded.length} bytes) that is cut anywhere gives what could be unpacked, and a warning`, async () => {
    let longest = 0;
    for (let length = 1; length < coded.length; length++) {
      const cut = coded.slice(0, length);
      const seen = wholeOf(cut, coding);
      assertEquals([PAGE.startsWith(seen.text!), brief(seen.warnings)], [true, [CUT]], `${length} bytes`);
      assertEquals(await streamedOf(cut, coding, 7), seen, `${length} bytes`);
      longest = Math.max(longest, seen.text!.length);
    }
    // brotli and zstd have a page of this size in one block.
    if (coding === "gzip" || coding === "deflate") assertEquals(longest > PAGE.length / 2, true);
  });
}

Deno.test("whatever is changed in a coded body, the stream gives what the whole gives, or both fail", async () => {
  const change = fc.record({
    cut: fc.option(fc.nat(400)),
    flip: fc.option(fc.record({ at: fc.nat(400), bit: fc.nat(7) })),
    behind: fc.uint8Array({ maxLength: 6 }),
    again: fc.boolean(),
    step: fc.integer({ min: 1, max: 60 }),
  });
  const from = fc.constantFrom<[string, Uint8Array]>(["gzip", gzip], ["deflate", zlibbed], ["deflate", raw], [
    "zstd",
    zstd,
  ]);
  await fc.assert(
    fc.asyncProperty(from, change, async ([coding, coded], { cut, flip, behind, again, step }) => {
      let bytes = coded.slice(0, cut === null ? undefined : Math.max(1, Math.min(cut, coded.length)));
      if (flip !== null) bytes[flip.at % bytes.length] ^= 1 << flip.bit;
      if (again) bytes = concat([bytes, coded]);
      bytes = concat([bytes, behind]);
      const seen = wholeOf(bytes, coding);
      const streamed = await streamedOf(bytes, coding, step);
      // What fails has given a part of its text when it is streamed, and perhaps a warning.
      if (seen.text === null) assertEquals(streamed.text, null);
      else assertEquals(streamed, seen);
    }),
    { seed: 10, numRuns: 600 },
  );
});

interface Seen {
  /** Null: it failed. */
  text: string | null;
  warnings: string[];
}

function wholeOf(bytes: Uint8Array, coding: string): Seen {
  const warnings: string[] = [];
  try {
    return {
      text: text(decodeBytes(bytes, coding, 1_000_000, (warning) => warnings.push(warning))),
      warnings,
    };
  } catch {
    return { text: null, warnings };
  }
}

async function streamedOf(bytes: Uint8Array, coding: string, step: number): Promise<Seen> {
  const warnings: string[] = [];
  const parts = Array.from(
    { length: Math.ceil(bytes.length / step) },
    (_, i) => bytes.slice(i * step, (i + 1) * step),
  );
  const body = decodeStream(coding).through(
    bodyOfPieces(parts),
    () => {},
    (warning) => warnings.push(warning),
  );
  try {
    return { text: text(await whole(body)), warnings };
  } catch {
    return { text: null, warnings };
  }
}

/** The words by which a test knows a warning. */
function brief(warnings: string[]): string[] {
  return warnings.map((warning) => /\d+ bytes behind|cut short|checksum/.exec(warning)?.[0] ?? warning);
}
