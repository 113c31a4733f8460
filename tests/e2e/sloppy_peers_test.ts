/** What peers send that is not by the letter: refused, passed on, or mended with a warning. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import zlib from "node:zlib";
import { decoded, type HttpFlow, replaceStream } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { type Origin, origin, sends, tcpOrigin, withLength } from "./support/origin.ts";
import { startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { textOf } from "./support/wire.ts";

/** Sends `text`, in which `{url}` and `{host}` are the origin's; gives all that comes back. */
async function raw(proxy: TestProxy, server: Origin, text: string): Promise<string> {
  await using client = await Client.connect(proxy);
  await client.send(text.replaceAll("{url}", server.url()).replaceAll("{host}", server.authority));
  await client.closeWrite();
  return (await client.readToEnd()).text;
}

const HEAD = "POST {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n";
// deno-fmt-ignore
const REFUSED_REQUESTS: [what: string, text: string][] = [
  ["a control character in a value", `${HEAD}X: a\x01b\r\n\r\n`],
  ["DEL in a value", `${HEAD}X: \x7f\r\n\r\n`],
  ["a fragment in the target", "GET {url}#x HTTP/1.1\r\nHost: {host}\r\n\r\n"],
  ["a VT in a list of lengths", `${HEAD}Content-Length: 2\r\nContent-Length: 2\v\r\n\r\nhi`],
  ["a broken chunk extension", `${HEAD}Transfer-Encoding: chunked\r\n\r\n2;=\r\nhi\r\n0\r\n\r\n`],
  ["a control character in a trailer", `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: \x07\r\n\r\n`],
  ["a WebSocket by POST", "POST {url} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"],
];
for (const [what, text] of REFUSED_REQUESTS) {
  Deno.test(`${what} is refused with 400, and nothing of it reaches the origin`, async () => {
    await using server = await origin(withLength("hi"));
    await using proxy = await startProxy();
    assertMatch(await raw(proxy, server, text), /^HTTP\/1\.1 400 /);
    assertEquals(server.requests, []);
  });
}

const BAD_RESPONSES: [what: string, text: string][] = [
  ["a control character in a value", "HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"],
  ["a control character in the reason", "HTTP/1.1 200 O\x1bK\r\nContent-Length: 0\r\n\r\n"],
  ["a FF in a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: \f2\r\n\r\nhi"],
  [
    "a control character in a trailer",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: \x07\r\n\r\n",
  ],
];
for (const [what, text] of BAD_RESPONSES) {
  Deno.test(`from an origin, ${what} is a 502`, async () => {
    await using server = await origin(sends(text));
    await using proxy = await startProxy();
    assertEquals((await exchange(proxy, server.url())).head.statusCode, 502);
  });
}

// deno-fmt-ignore
const SLOPPY: [what: string, text: string, fields: number][] = [
  ["a head with bare LF", "HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nhi", 2],
  ["a folded field line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nhi", 2],
  ["700 fields", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(699)}Content-Length: 2\r\n\r\nhi`, 700],
];
for (const [what, text, fields] of SLOPPY) {
  Deno.test(`${what} from an origin is a 502, and passes with lenient`, async () => {
    await using server = await origin(sends(text));
    for (const lenient of [false, true]) {
      await using proxy = await startProxy([], { lenient });
      const seen = await exchange(proxy, server.url());
      assertEquals(seen.head.statusCode, lenient ? 200 : 502);
      if (lenient) assertEquals([seen.text, seen.head.fields.length], ["hi", fields]);
      assertMatch(await raw(proxy, server, "GET {url} HTTP/1.1\nHost: {host}\n\n"), /^HTTP\/1\.1 400 /);
    }
  });
}

Deno.test("Max-Forwards: TRACE and OPTIONS end at weir where it is 0, and are counted down else", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  const traced = await raw(
    proxy,
    server,
    "TRACE {url} HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\nCookie: c\r\nX: y\r\n\r\n",
  );
  assertMatch(traced, /^HTTP\/1\.1 200 .*content-type: message\/http.*TRACE http:.*X: y/is);
  assert(!traced.includes("Cookie"));
  assertMatch(
    await raw(proxy, server, "OPTIONS {url} HTTP/1.1\r\nHost: {host}\r\nMax-Forwards: 0\r\n\r\n"),
    /^HTTP\/1\.1 200 /,
  );
  assertEquals(server.requests, []);
  await raw(proxy, server, "OPTIONS {url} HTTP/1.1\r\nHost: {host}\r\nmax-forwards: 3\r\n\r\n");
  assertMatch(server.requests[0].raw, /\r\nmax-forwards: 2\r\n/);
});

Deno.test("Upgrade in a request of HTTP/1.0 does not reach the origin", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  await raw(
    proxy,
    server,
    "GET {url} HTTP/1.0\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  assertEquals(/upgrade/i.test(server.requests[0].raw), false);
});

Deno.test("a login with NTLM: the requests behind it keep the origin's connection, others never get it", async () => {
  // It answers by what was said on its connection, as IIS does.
  await using server = await tcpOrigin(async (wire) => {
    let user = "nobody";
    for (;;) {
      const head = await wire.readUntil("\r\n\r\n");
      const login = /authorization: ntlm (\w+)/i.exec(head)?.[1];
      if (login !== undefined) user = login;
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${user.length}\r\n\r\n${user}`);
    }
  });
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  const ask = async (who: Client, fields = "") => {
    await who.send(absolute(server.url(), { fields }));
    return (await who.response()).text;
  };
  assertEquals(await ask(client), "nobody");
  assertEquals(await ask(client, "Authorization: NTLM alice\r\n"), "alice");
  for (let i = 0; i < 3; i++) {
    await using other = await Client.connect(proxy);
    assertEquals([await ask(client), await ask(other)], ["alice", "nobody"]);
  }
  const open = server.open;
  client.close();
  while (server.open === open) await new Promise((resolve) => setTimeout(resolve, 5));
  await using next = await Client.connect(proxy);
  assertEquals(await ask(next), "nobody");
});

const PAGE = "hello world ".repeat(50);
const gzip = zlib.gzipSync(PAGE);
const latin1 = (bytes: Uint8Array) => textOf(new Uint8Array(bytes));
// deno-fmt-ignore
const DAMAGED: [what: string, body: string, warning: RegExp][] = [
  ["without its footer", latin1(gzip.subarray(0, -8)), /cut short/],
  ["with a newline behind it", `${latin1(gzip)}\n`, /1 bytes behind/],
  ["of which half is there", latin1(gzip.subarray(0, gzip.length - 20)), /cut short/],
];
for (const [what, body, warning] of DAMAGED) {
  Deno.test(`gzip ${what} is read as browsers do, whole and streamed, and the log says so`, async () => {
    const fields = "Content-Encoding: gzip\r\n";
    await using server = await origin(withLength(body, fields));
    let text: string | null = null;
    await using whole = await startProxy({
      response: ({ response }: HttpFlow) => void (text = response!.text),
    });
    const seen = await exchange(whole, server.url());
    assertEquals([PAGE.startsWith(text!), text! !== "", seen.text], [true, true, body]);
    await whole.logged(warning);
    await using streamed = await startProxy({
      responseheaders: ({ response }: HttpFlow) =>
        void (response!.stream = decoded(response!, replaceStream("world", "there"))),
    });
    const changed = await exchange(streamed, server.url());
    const bytes = Uint8Array.from(changed.text, (char) => char.charCodeAt(0));
    assertEquals(zlib.gunzipSync(bytes).toString(), text!.replaceAll("world", "there"));
    await streamed.logged(warning);
  });
}

Deno.test("a gzip body that its origin cuts stays cut, decoded or not", async () => {
  await using server = await tcpOrigin(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.send(
      `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n${
        latin1(gzip.subarray(0, 16))
      }\r\n`,
    );
    wire.close();
  });
  for (
    const addon of [streamAll, {
      responseheaders: ({ response }: HttpFlow) => void (response!.stream = decoded(response!)),
    }]
  ) {
    await using proxy = await startProxy(addon);
    const seen = await exchange(proxy, server.url());
    assert(seen.end !== "complete", seen.end);
  }
});

Deno.test("bytes that are no text survive an edit of the text around them", async () => {
  const body = "caf\xe9 \xff\xfe secret \x80";
  await using server = await origin(withLength(body, "Content-Type: text/plain\r\n"));
  await using proxy = await startProxy({
    response: ({ response }: HttpFlow) => void (response!.text = response!.text!.replace("secret", "***")),
  });
  assertEquals((await exchange(proxy, server.url())).text, body.replace("secret", "***"));
});
