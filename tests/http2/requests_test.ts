import { assert, assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Flag, FramePeer, GET, pieces, POST, responseHead } from "./support.ts";
import { hello, withServer } from "./serve_support.ts";

const malformed: [name: string, fields: string[]][] = [
  ["an upper-case name", [...GET, "X-A", "1"]],
  ["an empty name", [...GET, "", "1"]],
  ["a name with a space", [...GET, "x a", "1"]],
  ["a name with a colon", [...GET, "x:a", "1"]],
  ["CR LF in a value", [...GET, "x-a", "1\r\nevil: 1"]],
  ["LF in a value", [...GET, "x-a", "1\nevil: 1"]],
  ["NUL in a value", [...GET, "x-a", "1\0"]],
  ["a control character in a value", [...GET, "x-a", "1\x01"]],
  ["DEL in a value", [...GET, "x-a", "\x7f"]],
  ["a form feed around a value", [...GET, "x-a", "\f1"]],
  ["a control character in :path", [...GET.slice(0, 4), ":path", "/\x01", ":authority", "a"]],
  ["a NBSP in a content-length", [...POST, "content-length", "\xa01"]],
  ["a leading space in a value", [...GET, "x-a", " 1"]],
  ["a trailing tab in a value", [...GET, "x-a", "1\t"]],
  ["connection", [...GET, "connection", "close"]],
  ["transfer-encoding", [...GET, "transfer-encoding", "chunked"]],
  ["upgrade", [...GET, "upgrade", "h2c"]],
  ["keep-alive", [...GET, "keep-alive", "1"]],
  ["proxy-connection", [...GET, "proxy-connection", "close"]],
  ["te other than trailers", [...GET, "te", "gzip"]],
  ["a pseudo-header field after a field", ["x-a", "1", ...GET]],
  ["a pseudo-header field twice", [...GET, ":path", "/"]],
  ["a late pseudo-header field", [...GET.slice(0, 6), "x-a", "1", ":authority", "a.test"]],
  [":status in a request", [...GET, ":status", "200"]],
  ["an unknown pseudo-header field", [...GET, ":protocol", "websocket"]],
  ["no :method", GET.slice(2)],
  ["a :method with a space", [":method", "GET /evil", ...GET.slice(2)]],
  ["no :path", [...GET.slice(0, 4), ":authority", "a"]],
  ["an empty :path", [...GET.slice(0, 4), ":path", "", ":authority", "a"]],
  ["a :path with a space", [...GET.slice(0, 4), ":path", "/a HTTP/1.1", ":authority", "a"]],
  ["a :path with CR LF", [...GET.slice(0, 4), ":path", "/a\r\nx: y", ":authority", "a"]],
  ["a :path that is no path", [...GET.slice(0, 4), ":path", "a", ":authority", "a"]],
  ["a :path with a fragment", [...GET.slice(0, 4), ":path", "/a#b", ":authority", "a"]],
  ["* with GET", [...GET.slice(0, 4), ":path", "*", ":authority", "a"]],
  ["no :scheme", [...GET.slice(0, 2), ...GET.slice(4)]],
  ["an unknown :scheme", [":method", "GET", ":scheme", "ftp", ...GET.slice(4)]],
  ["neither :authority nor host", GET.slice(0, 6)],
  ["userinfo in :authority", [...GET.slice(0, 6), ":authority", "me@a.test"]],
  ["a space in :authority", [...GET.slice(0, 6), ":authority", "a.test b"]],
  ["two hosts in :authority", [...GET.slice(0, 6), ":authority", "a.test,b.test"]],
  ["port 0", [...GET.slice(0, 6), ":authority", "a.test:0"]],
  ["an IPv4 address in brackets", [...GET.slice(0, 6), ":authority", "[127.0.0.1]"]],
  ["a port that is none", [...GET.slice(0, 6), ":authority", "a.test:99999"]],
  ["a host that differs from :authority", [...GET, "host", "b.test"]],
  ["two host fields", [...GET, "host", "a.test", "host", "a.test"]],
  ["CONNECT with a :path", [":method", "CONNECT", ":path", "/", ":authority", "a:1"]],
  ["CONNECT without a port", [":method", "CONNECT", ":authority", "a"]],
  ["differing content-lengths", [...POST, "content-length", "1", "content-length", "2"]],
  ["a signed content-length", [...POST, "content-length", "+1"]],
  ["a content-length list", [...POST, "content-length", "1, 1"]],
  ["a content-length without a body", [...POST, "content-length", "1"]],
];

Deno.test("malformed requests are refused before any handler runs, and the connection goes on", async () => {
  const seen: string[] = [];
  await withServer((x) => {
    seen.push(x.head.method);
    return hello(x);
  }, async (peer) => {
    let id = 1;
    for (const [name, fields] of malformed) {
      await peer.request(id, fields);
      assertEquals(await peer.line(), `RST_STREAM ${id} PROTOCOL_ERROR`, name);
      id += 2;
    }
    assertEquals(seen, []);
    await peer.request(id);
    assertEquals(await peer.line(), `HEADERS ${id} :status=200`);
  });
});

Deno.test("what is well-formed and unusual is let through", () =>
  withServer((x) => {
    const { form, host, port, path, headers } = x.head;
    return x.respond(
      responseHead(200, [[
        "x-saw",
        [form, host, port, path, headers.get("host"), headers.get("cookie")].join("|"),
      ]]),
      null,
    );
  }, async (peer) => {
    const base = [":method", "GET", ":scheme", "https", ":path", "/"];
    const cases: [string[], string][] = [
      [[...base, ":authority", "[::1]:8443"], "origin|::1|8443|/|[::1]:8443|"],
      [[...base, ":authority", "A.test", "host", "a.TEST:443"], "origin|A.test|443|/|a.TEST:443|"],
      [[...base, "host", "a.test"], "origin|a.test|443|/|a.test|"],
      [
        [...base, ":authority", "a", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"],
        "origin|a|443|/|a|a=1; b=2; c=3",
      ],
      [[":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "a"], "asterisk|a|80|*|a|"],
      [[...base, ":authority", "a", "te", "trailers"], "origin|a|443|/|a|"],
    ];
    let id = 1;
    for (const [fields, saw] of cases) {
      await peer.request(id, fields);
      assertEquals(await peer.line(), `HEADERS ${id} :status=200 x-saw=${saw} +END`);
      id += 2;
    }
  }));

Deno.test("a body that differs from its content-length is an error, not an end", async () => {
  for (
    const send of [
      // Known before the end comes.
      (peer: FramePeer) => peer.data(1, "toolong"),
      (peer: FramePeer) => peer.data(1, "abc", true),
      (peer: FramePeer) => peer.headers(1, ["x-end", "1"], Flag.END_STREAM),
    ]
  ) {
    const error = Promise.withResolvers<unknown>();
    await withServer((x) => pieces(x.body).then(() => {}, error.resolve), async (peer) => {
      await peer.request(1, [...POST, "content-length", "4"], false);
      await send(peer);
      assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
      const thrown = await error.promise;
      assert(thrown instanceof WeirError);
      assertEquals([thrown.side, thrown.code], ["client", "protocol"]);
    });
  }
});

Deno.test("trailers: with a pseudo-header field, or without END_STREAM, they are malformed", async () => {
  for (const [fields, flags] of [[[":path", "/"], Flag.END_STREAM], [["x-a", "1"], 0]] as const) {
    await withServer((x) => pieces(x.body).then(() => {}), async (peer) => {
      await peer.request(1, POST, false);
      await peer.headers(1, [...fields], flags);
      assertEquals(await peer.line(), "RST_STREAM 1 PROTOCOL_ERROR");
    });
  }
});
