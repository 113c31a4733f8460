import { assertEquals } from "@std/assert";
import { alpnFor, hostIn, protocolOf, startsHttp2 } from "../../src/proxy/protocol.ts";

const BOTH = ["h2", "http/1.1"];
const CASES: [what: string, offered: string[], enabled: boolean, preferred: boolean, answer: string[]][] = [
  ["both, and the origin speaks HTTP/2", BOTH, true, true, BOTH],
  ["both, in the other order", ["http/1.1", "h2"], true, true, BOTH],
  ["both, and the origin does not", BOTH, true, false, ["http/1.1"]],
  ["both, and HTTP/2 is turned off", BOTH, false, true, ["http/1.1"]],
  ["nothing", [], true, true, BOTH],
  ["HTTP/1.1 alone", ["http/1.1"], true, false, ["http/1.1"]],
  ["HTTP/2 alone, and the origin does not speak it", ["h2"], true, false, ["h2"]],
  ["HTTP/2 alone, and it is turned off", ["h2"], false, true, ["http/1.1"]],
  ["HTTP/2 and something unknown", ["grpc-exp", "h2"], true, false, ["h2"]],
  ["only what weir does not speak", ["acme-tls/1"], true, true, []],
  ["the same with HTTP/2 turned off", ["http/1.0", "spdy/3"], false, false, []],
];
for (const [what, offered, enabled, preferred, answer] of CASES) {
  Deno.test(`protocols for a client that offers ${what}`, () => {
    assertEquals(alpnFor(offered, { enabled, preferred }), answer);
  });
}

const text = (input: string) => Uint8Array.from(input, (char) => char.charCodeAt(0));

/** What each start of `input` is taken for. */
function decisions<T>(input: string, decide: (bytes: Uint8Array) => T | undefined): (T | undefined)[] {
  const bytes = text(input);
  return Array.from({ length: bytes.length + 1 }, (_, end) => decide(bytes.subarray(0, end)));
}

const STARTS: [what: string, input: string, answer: "tls" | "http" | "raw" | undefined][] = [
  ["a ClientHello of TLS 1.x", "\x16\x03\x01\x02\x00\x01", "tls"],
  ["a byte of a handshake without its version", "\x16", undefined],
  ["a handshake byte without TLS", "\x16\x02\x01", "raw"],
  ["a request", "GET /a?b HTTP/1.1\r\nHost: a\r\n", "http"],
  ["a request of HTTP/1.0 with a bare LF", "GET / HTTP/1.0\n", "http"],
  ["a method with a hyphen and an underscore", "M-SEARCH_X * HTTP/1.1\r\n", "http"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"],
  ["a long URL that has not ended", `GET /${"x".repeat(1100)}`, "http"],
  ["half a request line", "GET / HT", undefined],
  ["nothing", "", undefined],
  ["SMTP", "EHLO example.com\r\n", "raw"],
  ["SSH", "SSH-2.0-OpenSSH_9.6\r\n", "raw"],
  ["small letters", "get / HTTP/1.1\r\n", "raw"],
  ["a space first", " GET / HTTP/1.1\r\n", "raw"],
  ["a word longer than any method", "A".repeat(33), "raw"],
  ["binary", "\x00\x01", "raw"],
  ["something like HTTP", "GET / HTTP/11\r\n", "raw"],
];
for (const [what, input, answer] of STARTS) {
  Deno.test(`${what} is ${answer ?? "not decided yet"}, whole and byte by byte`, () => {
    const seen = decisions(input, protocolOf);
    assertEquals(seen.at(-1), answer);
    // Once decided, more bytes change nothing; before, nothing else was said.
    const first = seen.findIndex((decision) => decision !== undefined);
    assertEquals(seen.slice(first).every((decision) => decision === answer), true);
  });
}

Deno.test("the preface of HTTP/2 is known at its last byte, anything else at the first that differs", () => {
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const seen = decisions(preface + "\0\0", startsHttp2);
  assertEquals(seen, [...Array(24).fill(undefined), true, true, true]);
  assertEquals(decisions("POST ", startsHttp2), [undefined, undefined, false, false, false, false]);
  assertEquals(decisions("GET", startsHttp2), [undefined, false, false, false]);
});

Deno.test("the Host field of a request is known as soon as its line has ended", () => {
  const request = "GET /Host:no HTTP/1.1\r\nX-Host: no\r\nhost:  a.example:81 \r\nA: b\r\n\r\nHost: body\r\n";
  const bytes = Uint8Array.from(request, (char) => char.charCodeAt(0));
  const end = request.indexOf("A: b");
  for (let length = 0; length <= bytes.length; length++) {
    assertEquals(
      hostIn(bytes.subarray(0, length)),
      length < end ? undefined : "a.example:81",
      `${length} bytes`,
    );
  }
  const without = "GET / HTTP/1.0\r\nA: b\r\n\r\nHost: body\r\n";
  assertEquals(hostIn(Uint8Array.from(without, (char) => char.charCodeAt(0))), "");
});
