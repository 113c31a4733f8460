/** Contract section 5: what is refused, and that nothing of it reaches the other side (RFC 9112 §2, §3, §5, §6, §7, §11). @module */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Client, exchange } from "./support/client.ts";
import { echo, origin, sends, withLength } from "./support/origin.ts";
import { startProxy, streamAll } from "./support/proxy.ts";

const LONG = "x".repeat(70_000);
/** `@` stands for the origin's URL without the last slash, `#` for its host and port; a smuggled request follows each. */
const REQUESTS: [string, number, string][] = [
  [
    "content-length with transfer-encoding",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  [
    "the two in the other order",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
  ],
  [
    "differing content-lengths",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
  ],
  [
    "a list of differing content-lengths",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 3, 5\r\n\r\nabcde",
  ],
  ["a signed content-length", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: +3\r\n\r\nabc"],
  ["a negative content-length", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: -3\r\n\r\nabc"],
  ["a hexadecimal content-length", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 0x3\r\n\r\nabc"],
  ["a content-length with a point", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 3.0\r\n\r\nabc"],
  ["a content-length with an exponent", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 1e1\r\n\r\nabc"],
  ["an empty content-length", 400, "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: \r\n\r\nabc"],
  [
    "a content-length beyond 2^53",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
  ],
  [
    "a transfer coding that is not chunked",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: gzip\r\n\r\nabc",
  ],
  [
    "chunked that is not final",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
  ],
  [
    "chunked twice",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
  ],
  [
    "a transfer coding that looks like chunked",
    400,
    "POST @/ HTTP/1.1\r\nHost: #\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
  ],
  ["obs-fold", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX-A: b\r\n c\r\n\r\n"],
  ["a folded first field", 400, "GET @/ HTTP/1.1\r\n Host: #\r\n\r\n"],
  ["NUL in a value", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX-A: b\0c\r\n\r\n"],
  ["a bare CR in a value", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX-A: b\rc\r\n\r\n"],
  ["a bare LF as line end", 400, "GET @/ HTTP/1.1\r\nHost: #\nX-A: b\r\n\r\n"],
  ["a bare LF as head end", 400, "GET @/ HTTP/1.1\r\nHost: #\n\n"],
  ["a space before the colon", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX-A : b\r\n\r\n"],
  ["a field without a colon", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX-A\r\n\r\n"],
  ["an empty field name", 400, "GET @/ HTTP/1.1\r\nHost: #\r\n: b\r\n\r\n"],
  ["a field name that is no token", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nX(A): b\r\n\r\n"],
  ["two Host fields", 400, "GET @/ HTTP/1.1\r\nHost: #\r\nHost: other\r\n\r\n"],
  ["HTTP/2 in text", 400, "GET @/ HTTP/2.0\r\nHost: #\r\n\r\n"],
  ["a version that is none", 400, "GET @/ HTTP/1.1x\r\nHost: #\r\n\r\n"],
  ["a request line without version", 400, "GET @/\r\nHost: #\r\n\r\n"],
  ["a request line with a fourth word", 400, "GET @/ x HTTP/1.1\r\nHost: #\r\n\r\n"],
  ["a method that is no token", 400, "G(T @/ HTTP/1.1\r\nHost: #\r\n\r\n"],
  ["a header block beyond 64 KiB", 431, `GET @/ HTTP/1.1\r\nHost: #\r\nX-A: ${LONG}\r\n\r\n`],
  ["more than 200 fields", 431, `GET @/ HTTP/1.1\r\nHost: #\r\n${"X-A: b\r\n".repeat(200)}\r\n`],
  ["a request line beyond 16 KiB", 414, `GET @/${"x".repeat(17_000)} HTTP/1.1\r\nHost: #\r\n\r\n`],
];

const CHUNKED: [string, string][] = [
  ["a chunk size with a point", "1.0\r\na\r\n"],
  ["a chunk size with 0x", "0x1\r\na\r\n"],
  ["a signed chunk size", "+1\r\na\r\n"],
  ["a chunk size with a space before it", " 1\r\na\r\n"],
  ["a chunk size with an underscore", "1_0\r\n" + "a".repeat(16) + "\r\n"],
  ["an empty chunk size", "\r\na\r\n"],
  ["a chunk size beyond 2^53", "fffffffffffffffff\r\na\r\n"],
  ["a chunk size ended by a bare LF", "1\na\r\n"],
  ["a chunk not ended by CRLF", "1\r\nab\r\n"],
  ["chunk extensions beyond 4 KiB", `1;${"x".repeat(5000)}\r\na\r\n`],
  ["a bare LF in a chunk extension", "1;a\nb\r\na\r\n"],
];

for (const [what, status, template] of REQUESTS) {
  Deno.test(`a request with ${what} is refused with ${status}; nothing reaches the origin`, async () => {
    await using server = await origin(withLength("reached"));
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    const fill = (text: string) =>
      text.replaceAll("@", `http://${server.authority}`).replaceAll("#", server.authority);
    const smuggled = "GET @/smuggled HTTP/1.1\r\nHost: #\r\n\r\n";
    // weir may stop reading at the mistake, and then the rest of the bytes finds a closed connection.
    await client.send(fill(template + smuggled)).catch(() => {});
    const { text } = await client.readToEnd();
    assertEquals(text.slice(0, 13), `HTTP/1.1 ${status} `);
    assertEquals(text.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, "one answer, then the connection closes");
    assertEquals(server.connections, 0);
  });
}

for (const [what, body] of CHUNKED) {
  Deno.test(`${what} in a request is refused with 400; nothing reaches the origin`, async () => {
    await using server = await origin(echo);
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    const head =
      `POST ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    await client.send(head + body + "0\r\n\r\n");
    assertEquals((await client.readToEnd()).text.slice(0, 13), "HTTP/1.1 400 ");
    assertEquals(server.connections, 0);
  });

  Deno.test(`${what} in a buffered response is a 502; nothing of it reaches the client`, async () => {
    await using server = await origin(
      sends(`HTTP/1.1 200 OK\r\nX-Evil: 1\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`),
    );
    await using proxy = await startProxy();
    const seen = await exchange(proxy, server.url());
    assertEquals([seen.head.statusCode, seen.head.get("x-evil")], [502, null]);
  });

  Deno.test(`${what} in a streamed response cuts it for the client`, async () => {
    await using server = await origin(
      sends(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`),
    );
    await using proxy = await startProxy(streamAll);
    const seen = await exchange(proxy, server.url());
    assert(seen.head.statusCode === 502 || seen.end !== "complete");
  });
}

const RESPONSES: [string, string][] = [
  [
    "content-length with transfer-encoding",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["differing content-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"],
  ["a malformed content-length", "HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc"],
  ["a signed content-length", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc"],
  ["chunked that is not final", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
  ["an unknown transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"],
  ["obs-fold", "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"],
  ["NUL in a value", "HTTP/1.1 200 OK\r\nX-A: b\0\r\nContent-Length: 0\r\n\r\n"],
  ["a bare CR in a value", "HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 0\r\n\r\n"],
  ["a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
  ["a space before the colon", "HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n"],
  ["HTTP/2 in text", "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status that is no number", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"],
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"],
  ["a header block beyond 64 KiB", `HTTP/1.1 200 OK\r\nX-A: ${LONG}\r\nContent-Length: 0\r\n\r\n`],
  ["more than 200 fields", `HTTP/1.1 200 OK\r\n${"X-A: b\r\n".repeat(200)}Content-Length: 0\r\n\r\n`],
];
for (const [what, bytes] of RESPONSES) {
  Deno.test(`a response with ${what} is a 502 page that names the host, nothing of it reaches the client`, async () => {
    await using server = await origin(sends(bytes));
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    await client.send(`GET ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    const seen = await client.response();
    assertEquals([seen.head.statusCode, seen.head.get("x-a"), seen.end], [502, null, "complete"]);
    assertStringIncludes(seen.text, server.authority);
  });
}

Deno.test("bytes after a response are thrown away with their connection, never given to the next request", async () => {
  let count = 0;
  await using server = await origin((wire) =>
    wire.send(
      count++ === 0
        ? "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfineHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
    )
  );
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  for (const text of ["fine", "good"]) {
    await client.send(`GET ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    assertEquals((await client.response()).text, text);
  }
});

Deno.test("a chunk size is hexadecimal, never a float: 1e1 is 481 bytes", async () => {
  const data = "x".repeat(0x1e1);
  await using server = await origin(sends(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1e1\r\n${data}\r\n0\r\n\r\n`,
  ));
  for (const addon of [{}, streamAll]) {
    await using proxy = await startProxy(addon);
    assertEquals((await exchange(proxy, server.url())).text, data);
  }
});

Deno.test("identical content-lengths are one length for the next hop", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(
    `POST ${server.url()} HTTP/1.1\r\nHost: ${server.authority}\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc`,
  );
  const head = await client.head();
  // RFC 9112 §6.3 allows both: to refuse, or to forward a single valid one.
  if (head.statusCode === 200) assertEquals(server.requests[0].all("content-length"), ["3"]);
  else assertEquals([head.statusCode, server.connections], [400, 0]);
});

Deno.test("a request without Host in origin-form is refused", async () => {
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send("GET / HTTP/1.1\r\n\r\n");
  assertEquals((await client.head()).statusCode, 400);
});

Deno.test("requests that would loop back into weir's own listener are refused", async () => {
  await using proxy = await startProxy();
  for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"]) {
    const seen = await exchange(proxy, `http://${host}:${proxy.port}/`);
    assert(seen.head.statusCode >= 400, seen.head.startLine);
    assert(/is weir itself/.test(seen.text), seen.text);
  }
  await using client = await Client.connect(proxy);
  await client.send(`GET /x HTTP/1.1\r\nHost: 127.0.0.1:${proxy.port}\r\n\r\n`);
  assert((await client.head()).statusCode >= 400);
});
