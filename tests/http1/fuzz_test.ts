/** Messages that are changed at random: weir refuses them, or the next one reads what weir read. The same cases in every run. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { ChunkedDecoder } from "../../src/http1/chunked.ts";
import { requestBodyLength, responseBodyLength } from "../../src/http1/framing.ts";
import { serialiseRequest, serialiseResponse } from "../../src/http1/serialise.ts";
import { bytes, requestHead, responseHead, ScriptedBody } from "./support.ts";

const REQUESTS = [
  "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n\r\n",
  "POST http://a.example:81/x HTTP/1.1\r\nHost: a.example:81\r\nContent-Length: 5\r\nContent-Length: 5\r\nTE: trailers\r\n\r\n",
  "PUT / HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nCookie: a=1; b=2\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nMax-Forwards: 1\r\n\r\n",
  "GET http://a.example/ HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: raw\r\nProxy-Authorization: Basic eA==\r\n\r\n",
];
const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b c\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
  "HTTP/1.1 404 Not  Found\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n",
  'HTTP/1.0 304 \r\nETag: "x"\r\nKeep-Alive: timeout=5\r\n\r\n',
];

/** Bytes that mean something to somebody. */
const PIECES = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  "\t",
  " ",
  "\v",
  "\f",
  "\x7f",
  "\x80",
  "\xa0",
  "\xff",
  ":",
  ",",
  ";",
  "#",
  '"',
  "chunked",
  "Content-Length: 6\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Host: b\r\n",
  " HTTP/1.1",
  "0x5",
  "+5",
  "5, 5",
];
const change = fc.record({
  at: fc.nat(200),
  remove: fc.nat(3),
  insert: fc.oneof(
    fc.constantFrom(...PIECES),
    fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  ),
});

function changed(text: string, changes: { at: number; remove: number; insert: string }[]): string {
  for (const { at, remove, insert } of changes) {
    const from = at % (text.length - 4);
    text = text.slice(0, from) + insert + text.slice(from + remove);
  }
  return text;
}

/** What `parse` makes of it; null when it is refused, or is not complete. */
function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof WeirError || (error as Error).message === "The head is not complete.") return null;
    throw error;
  }
}

Deno.test("a request that weir takes is the same request to whoever reads what weir sends", () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...REQUESTS), fc.array(change, { maxLength: 3 }), (text, changes) => {
      const first = parsed(() => {
        const { head, fields } = requestHead(changed(text, changes));
        return { head, length: requestBodyLength(head.method, head.httpVersion, fields) };
      });
      if (first === null || first.head.method === "CONNECT") return;
      taken++;
      const { head, length } = first;
      const body = length === 0
        ? null
        : new ScriptedBody([], typeof length === "number" ? { size: length } : {});
      const wire = serialiseRequest({ ...head, scheme: head.scheme || "http" }, body);
      const second = requestHead(wire.text);
      assertEquals([second.head.method, second.head.path], [head.method, head.path]);
      assertEquals(requestBodyLength(second.head.method, "HTTP/1.1", second.fields), length);
      assertEquals(second.fields.hosts, 1);
      assert(!second.head.headers.has("proxy-authorization"));
      // deno-lint-ignore no-control-regex -- they are what must not be there
      assert(!/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\r]\n|\r[^\n]/.test(wire.text), JSON.stringify(wire.text));
      assertEquals(wire.text.split("\r\n").length - 1, wire.lines);
    }),
    { seed: 10, numRuns: 5000 },
  );
  assert(taken > 500, `${taken} were taken`);
});

Deno.test("a response that weir takes is the same response to whoever reads what weir sends", () => {
  fc.assert(
    fc.property(fc.constantFrom(...RESPONSES), fc.array(change, { maxLength: 3 }), (text, changes) => {
      const first = parsed(() => {
        const { head, fields } = responseHead(changed(text, changes));
        return { head, length: responseBodyLength("GET", head.statusCode, head.httpVersion, fields) };
      });
      if (first === null || first.head.statusCode < 200) return;
      const { head, length } = first;
      const body = length === 0
        ? null
        : new ScriptedBody([], typeof length === "number" ? { size: length } : {});
      const wire = serialiseResponse(head, body, { method: "GET", http11: true, persist: true });
      const second = responseHead(wire.text);
      assertEquals([second.head.statusCode, second.head.reason], [head.statusCode, head.reason]);
      const again = responseBodyLength("GET", second.head.statusCode, "HTTP/1.1", second.fields);
      // What ended with its connection has chunks now.
      assertEquals(again, length === "close" ? "chunked" : length);
      assertEquals(wire.text.split("\r\n").length - 1, wire.lines);
    }),
    { seed: 10, numRuns: 5000 },
  );
});

Deno.test("a chunked body that is changed gives the same data or the same refusal, however it arrives", () => {
  const body = '5\r\nhello\r\n00a ; x = "y;\\"" ;z\r\n0123456789\r\n0\r\nA: b\r\nc:  d \r\n\r\nGET';
  const read = (text: string, sizes: number[]) => {
    const decoder = new ChunkedDecoder("client"), input = bytes(text);
    let data = "", at = 0, end = 0;
    try {
      for (let turn = 0; end < input.length && !decoder.done; turn++) {
        end = Math.min(input.length, end + sizes[turn % sizes.length]);
        for (;;) {
          at = decoder.advance(input, at, end);
          if (!decoder.inData || at === end) break;
          const count = Math.min(decoder.left, end - at);
          data += text.slice(at, at += count);
          decoder.taken(count);
        }
      }
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      return { data, refused: error.message };
    }
    return { data, done: decoder.done, trailers: decoder.trailers, rest: decoder.done ? text.slice(at) : "" };
  };
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3 }), sizes, (changes, sizes) => {
      const text = changed(body, changes);
      assertEquals(read(text, sizes), read(text, [text.length]));
    }),
    { seed: 10, numRuns: 5000 },
  );
});
