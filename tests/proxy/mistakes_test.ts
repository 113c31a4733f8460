import { assertEquals } from "@std/assert";
import { mistakeIn } from "../../src/proxy/mistakes.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("what is no HTTP is known by its first bytes", () => {
  const rows: [Uint8Array, string | null][] = [
    [Uint8Array.of(5, 1, 0), "SOCKS5"],
    [Uint8Array.of(5), "SOCKS5"],
    [Uint8Array.of(4, 1, 0, 80, 127, 0, 0, 1, 0), "SOCKS4"],
    [bytes("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"), "the PROXY protocol"],
    [bytes("PROXY TCP6 ::1 ::1 1 2\r\n"), "the PROXY protocol"],
    [bytes("PROXY UNKNOWN\r\n"), "the PROXY protocol"],
    [bytes("\r\n\r\n\0\r\nQUIT\n\x21"), "the PROXY protocol"],
    [bytes("SSH-2.0-OpenSSH_9.2\r\n"), "SSH"],
    [bytes("GET / HTTP/1.1\r\n"), null],
    [bytes("PROXY / HTTP/1.1\r\n"), null],
    [bytes("SSH / HTTP/1.1\r\n"), null],
    [bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), null],
    [bytes("\r\n\r\nGET / HTTP/1.1\r\n"), null],
    [Uint8Array.of(0x16, 3, 1), null],
    [new Uint8Array(), null],
  ];
  for (const [first, what] of rows) assertEquals(mistakeIn(first)?.what ?? null, what, String(first));
});
