import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { ChunkedDecoder, MAX_CHUNK_EXTENSION } from "../../src/http1/chunked.ts";
import { MAX_FIELD_BLOCK, MAX_FIELDS } from "../../src/http/limits.ts";
import { latin1 } from "../support/memory_conn.ts";
import { bytes } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

interface Decoded {
  chunks: string[];
  trailers: string[] | null;
  rest: string;
  done: boolean;
}

/** Decodes `text` given in pieces of the sizes that `next` says. */
function decode(text: string, next: () => number = () => text.length): Decoded {
  const input = bytes(text), decoder = new ChunkedDecoder("client");
  const chunks: string[] = [];
  let chunk = "", end = 0, at = 0;
  while (end < input.length && !decoder.done) {
    end = Math.min(input.length, end + next());
    for (;;) {
      at = decoder.advance(input, at, end);
      if (!decoder.inData || at === end) break;
      const count = Math.min(decoder.left, end - at);
      chunk += latin1(input.subarray(at, at + count));
      at += count;
      decoder.taken(count);
      if (decoder.left === 0) {
        chunks.push(chunk);
        chunk = "";
      }
    }
  }
  return { chunks, trailers: decoder.trailers, rest: text.slice(at), done: decoder.done };
}

const EXAMPLE = '5\r\nhello\r\n00a;x="y";z\r\n0123456789\r\n0\r\nA: b\r\nc:  d \r\n\r\nGET';
const DECODED: Decoded = {
  chunks: ["hello", "0123456789"],
  trailers: ["A", "b", "c", "d"],
  rest: "GET",
  done: true,
};

Deno.test("a chunked body is decoded whole, and what follows is left alone", () => {
  assertEquals(decode(EXAMPLE), DECODED);
  assertEquals(decode("0\r\n\r\nGET"), { chunks: [], trailers: null, rest: "GET", done: true });
});

Deno.test("a chunked body is decoded byte by byte", () => assertEquals(decode(EXAMPLE, () => 1), DECODED));

Deno.test("a chunked body is decoded at random splits", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (splits) => {
    let turn = 0;
    assertEquals(decode(EXAMPLE, () => splits[turn++ % splits.length]), DECODED);
  }));
});

Deno.test("what is not complete is not done", () => {
  for (let length = 0; length < EXAMPLE.length - 3; length++) {
    assertEquals(decode(EXAMPLE.slice(0, length)).done, false, `after ${length} bytes`);
  }
});

Deno.test("sizes are exact up to 2^53 - 1", () => {
  const decoder = new ChunkedDecoder("client"), input = bytes("001fffffffffffff\r\n");
  decoder.advance(input, 0, input.length);
  assertEquals(decoder.left, Number.MAX_SAFE_INTEGER);
});

/** RFC 9112 §7.1.1, RFC 9110 §5.6.3: what may be behind a size. */
const ACCEPTED = [
  "",
  " ",
  "\t ",
  ";a",
  ";a=b",
  " ; a = b",
  "\t;\ta\t=\tb",
  ';a="b"',
  ';a=""',
  ';a="b;c\t\\"\\\\\xff" ; d',
  ";a;b=c;d",
  ";a=b ;c",
  ";!#$%&'*+-.^_`|~0=9",
];
for (const extension of ACCEPTED) {
  Deno.test(`behind a chunk size, ${JSON.stringify(extension)} is passed over, however it arrives`, () => {
    const text = `5${extension}\r\nhello\r\n0${extension}\r\n\r\n`;
    for (const step of [text.length, 1, 3]) {
      assertEquals(decode(text, () => step), { chunks: ["hello"], trailers: null, rest: "", done: true });
    }
  });
}

// deno-fmt-ignore
const BAD_EXTENSIONS = [
  ";", "; ", ";=b", ";a=", ";a= ", ";a b", ";a =", ";a= =", ";;", ";a;", ";a;;b", ";a=b=c", ";a=b c", ";a b=c", ";a ", ";a=b ",
  ';a="b', ';a="b"c', ';a="b" ', ';a="b\\"', ';a="\x7f"', ';a="\x01"', ';a="\\\x01"', ';"a"', ";\xff", ";a=\x7f", ";a=\xff",
  ";a\x00", ";a(b", ";a=b,c", ";\xa0a", ";a=\xa0b", ";\va", "x", " 1", "\v", "\f;a", "\xa0", ",a", '"a"', "=a", "\n", ";a\n",
];
for (const extension of BAD_EXTENSIONS) {
  Deno.test(`behind a chunk size, ${JSON.stringify(extension)} is refused with 400, however it arrives`, () => {
    const text = `5${extension}\r\nhello\r\n0\r\n\r\n`;
    for (const step of [text.length, 1, 3]) {
      assertEquals(assertThrows(() => decode(text, () => step), WeirError).statusCode, 400);
    }
  });
}

const REFUSED: Record<string, string> = {
  "an empty size": "\r\n",
  "a size of letters": "xyz\r\n",
  "a size with 0x": "0x5\r\nhello\r\n",
  "a size with a plus": "+5\r\nhello\r\n",
  "a size with a minus": "-5\r\nhello\r\n",
  "a size with a fraction": "5.0\r\nhello\r\n",
  "a size with an underscore": "1_0\r\n",
  "a size with a leading space": " 5\r\nhello\r\n",
  "a size with a blank in it": "1 0\r\n",
  "a size with a VT behind it": "5\v\r\nhello\r\n",
  "a size with a NBSP behind it": "5\xa0\r\nhello\r\n",
  "a size of 2^53": "20000000000000\r\n",
  "a size that overflows 64 bits": "10000000000000005\r\n",
  "a size with endless zeros": "00000000000000005\r\n",
  "an extension without a size": ";a=b\r\n",
  "a bare LF after the size": "5\nhello\r\n",
  "a bare CR after the size": "5\rhello\r\n",
  "a bare LF in an extension": "5;a\nhello\r\n",
  "a bare CR in an extension": "5;a\rb\r\nhello\r\n",
  "a NUL in an extension": "5;a\0\r\nhello\r\n",
  "data longer than its size": "5\r\nhello!\r\n",
  "a bare LF after the data": "5\r\nhello\n0\r\n\r\n",
  "a bare CR after the data": "5\r\nhello\r0\r\n\r\n",
  "no line break after the data": "5\r\nhello0\r\n\r\n",
  "a bare LF at the end": "0\r\n\n",
  "a folded trailer": "0\r\nA: b\r\n c\r\n\r\n",
  "a trailer with a space before the colon": "0\r\nA : b\r\n\r\n",
  "a trailer with a NUL": "0\r\nA: \0\r\n\r\n",
  "a trailer without a colon": "0\r\nA\r\n\r\n",
  "too many trailers": `0\r\n${"A: b\r\n".repeat(MAX_FIELDS + 1)}\r\n`,
  "trailers that are too long": `0\r\nA: ${"b".repeat(MAX_FIELD_BLOCK)}\r\n\r\n`,
  "an endless trailer": `0\r\nA: ${"b".repeat(2 * MAX_FIELD_BLOCK)}`,
  "extensions that are too long": `5;${"a".repeat(MAX_CHUNK_EXTENSION + 1)}\r\nhello\r\n`,
};
for (const [what, text] of Object.entries(REFUSED)) {
  Deno.test(`smuggling: in a chunked body, ${what} is refused, however it arrives`, () => {
    for (const step of [text.length, 1, 3]) assertThrows(() => decode(text, () => step), WeirError);
  });
}

Deno.test("extensions up to the bound are passed over, for each chunk anew", () => {
  const extension = ";".padEnd(MAX_CHUNK_EXTENSION, "a");
  assertEquals(decode(`1${extension}\r\nx\r\n1${extension}\r\ny\r\n0\r\n\r\n`).chunks, ["x", "y"]);
});

Deno.test("refusals have status 431 for trailers and 400 for chunks", () => {
  const statusOf = (text: string) => assertThrows(() => decode(text), WeirError).statusCode;
  assertEquals(statusOf(REFUSED["too many trailers"]), 431);
  assertEquals(statusOf(REFUSED["extensions that are too long"]), 400);
  assertEquals(statusOf(REFUSED["a size of 2^53"]), 400);
});
