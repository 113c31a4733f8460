/** Contract section 5: fields, interim responses, trailers, upgrades, connections, targets, error pages. @module */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { HttpFlow } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { BodyReader, chunks } from "./support/http.ts";
import { echo, origin, sends, tcpOrigin, untilClose, withChunks, withLength } from "./support/origin.ts";
import { recorder, startProxy, streamAll } from "./support/proxy.ts";
import { Events, Gate, SOON, within } from "./support/within.ts";

const MODES = [["buffered", {}], ["streamed", streamAll]] as const;

for (const [mode, addon] of MODES) {
  Deno.test(`fields keep order and case both ways, and nothing is added (${mode})`, async () => {
    const fields = "X-Zeta: 1\r\naccept: */*\r\nX-ALPHA: a\r\nCookie: a=1\r\nx-zeta: 2\r\n";
    const back = 'x-Last: 1\r\nSet-Cookie: a\r\nETag: "x"\r\nset-cookie: b\r\nX-Latin: caf\xe9\r\n';
    await using server = await origin(withLength("hi", back));
    await using proxy = await startProxy(addon);
    const seen = await exchange(proxy, server.url("/p?q=%20&a"), { fields });
    assertEquals(
      server.requests[0].raw,
      `GET /p?q=%20&a HTTP/1.1\r\nHost: ${server.authority}\r\n${fields}\r\n`,
    );
    assertEquals(seen.head.raw, `HTTP/1.1 200 OK\r\n${back}Content-Length: 2\r\n\r\n`);
  });

  Deno.test(`hop-by-hop fields are removed on each leg (${mode})`, async () => {
    const hop = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 1\r\n";
    await using server = await origin(withLength("hi", hop));
    await using proxy = await startProxy(addon);
    const fields =
      `${hop}Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n`;
    const seen = await exchange(proxy, server.url(), { fields });
    for (const head of [server.requests[0], seen.head]) {
      const left = head.fields.map(([name]) => name.toLowerCase());
      for (const name of ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization"]) {
        assert(!left.includes(name), `${name} in ${head.raw}`);
      }
      assert(left.includes("x-end"));
    }
  });

  Deno.test(`trailers go both ways (${mode})`, async () => {
    const got: unknown[] = [];
    const events = new Events();
    await using server = await origin(async (wire, request) => {
      const body = BodyReader.ofRequest(wire, request);
      got.push(await body.text(), body.trailers);
      await withChunks(["a", "b"], "Trailer: X-Sum\r\n", "X-Sum: 2\r\nX-More: y\r\n")(wire, request);
    });
    await using proxy = await startProxy([
      addon,
      recorder(events, {
        complete: ({ request, response }) =>
          void got.push(request.trailers?.get("x-up"), response!.trailers?.get("x-sum")),
      }),
    ]);
    await using client = await Client.connect(proxy);
    const fields = "Transfer-Encoding: chunked\r\nTE: trailers\r\n";
    await client.send(absolute(server.url(), { method: "POST", fields }) + chunks(["up"], "X-Up: 1\r\n"));
    const seen = await client.response("POST");
    assertEquals([seen.text, seen.trailers], ["ab", [["X-Sum", "2"], ["X-More", "y"]]]);
    await events.seen("complete");
    assertEquals(got, ["up", [["X-Up", "1"]], "1", "2"]);
  });

  Deno.test(`interim responses are forwarded at once, in order, but not to HTTP/1.0 (${mode})`, async () => {
    for (const version of ["HTTP/1.1", "HTTP/1.0"] as const) {
      const gate = new Gate();
      await using server = await origin(async (wire) => {
        await wire.send(
          "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
        );
        await gate.opened;
        await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
      });
      await using proxy = await startProxy(addon);
      await using client = await Client.connect(proxy);
      await client.send(absolute(server.url(), { version }));
      if (version === "HTTP/1.1") {
        assertEquals((await client.head()).statusCode, 102);
        assertEquals(
          (await client.head()).raw,
          "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
        );
      }
      gate.open();
      const seen = await client.response();
      assertEquals([seen.interim.length, seen.text], [0, "hi"]);
    }
  });
}

Deno.test("Expect: 100-continue, streamed: the origin's 100 and not before it", async () => {
  const gate = new Gate(), asked = new Gate();
  await using server = await origin(async (wire, request) => {
    assertEquals(request.get("expect")?.toLowerCase(), "100-continue");
    asked.open();
    await gate.opened;
    await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
    await echo(wire, request);
  });
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
  await client.send(absolute(server.url(), { method: "POST", fields }));
  await within(SOON, asked.opened, "the head at the origin");
  assertEquals(client.bytesRead, 0);
  gate.open();
  assertEquals((await client.head()).statusCode, 100);
  await client.send("abc");
  const seen = await client.response("POST");
  assertEquals([seen.interim.length, seen.text], [0, "abc"]);
});

Deno.test("Expect: 100-continue, streamed: the origin refuses, the body is never sent", async () => {
  await using server = await origin(sends("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"));
  await using proxy = await startProxy(streamAll);
  await using client = await Client.connect(proxy);
  const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
  await client.send(absolute(server.url(), { method: "POST", fields }));
  const seen = await client.response("POST");
  assertEquals([seen.interim.length, seen.head.statusCode, seen.text], [0, 417, "no"]);
});

Deno.test("Expect: 100-continue, buffered: weir sends the 100 once hooks let it read the body", async () => {
  const events = new Events();
  const gate = new Gate();
  await using server = await origin(echo);
  await using proxy = await startProxy(recorder(events, { requestheaders: () => gate.opened }));
  await using client = await Client.connect(proxy);
  const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
  await client.send(absolute(server.url(), { method: "POST", fields }));
  await events.seen("requestheaders");
  assertEquals(client.bytesRead, 0);
  gate.open();
  assertEquals((await client.head()).statusCode, 100);
  assertEquals(server.requests.length, 0);
  await client.send("abc");
  const seen = await client.response("POST");
  assertEquals([seen.interim.length, seen.text], [0, "abc"]);
  // Asked and answered on this leg: the origin is not asked again.
  assertEquals(server.requests[0].get("expect"), null);
});

Deno.test("Expect: 100-continue, buffered: a hook that answers gets no 100 sent", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy({
    requestheaders: (flow) => void (flow.response = new Response("no", { status: 403 })),
  });
  await using client = await Client.connect(proxy);
  const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
  await client.send(absolute(server.url(), { method: "POST", fields }));
  const seen = await client.response("POST");
  assertEquals([seen.interim.length, seen.head.statusCode, server.connections], [0, 403, 0]);
});

for (const early of [false, true]) {
  Deno.test(`Upgrade: raw bytes both ways after 101${early ? ", early ones included" : ""}`, async () => {
    await using server = await origin(async (wire, request) => {
      assertEquals([request.get("upgrade"), request.get("connection")?.toLowerCase()], ["echo/1", "upgrade"]);
      const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n";
      await wire.send(head + (early ? "early" : ""));
      for (let bytes; (bytes = await wire.readSome()) !== null;) await wire.send(bytes);
      await wire.send("bye");
      wire.close();
    });
    await using proxy = await startProxy();
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(), { fields: "Connection: Upgrade\r\nUpgrade: echo/1\r\n" }));
    const head = await client.head();
    assertEquals([head.statusCode, head.get("upgrade")], [101, "echo/1"]);
    assertEquals(head.get("connection")?.toLowerCase(), "upgrade");
    if (early) assertEquals(new TextDecoder().decode(await client.readExactly(5)), "early");
    for (const bytes of ["\0\x01\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]) {
      await client.send(bytes);
      assertEquals(new TextDecoder().decode(await client.readExactly(bytes.length)), bytes);
    }
    await client.closeWrite();
    assertEquals(await client.readToEnd(), { text: "bye", end: "fin" });
  });
}

Deno.test("keep-alive: one client connection, pooled upstream connections", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 5; i++) {
    await client.send(absolute(server.url(`/${i}`)));
    assertEquals((await client.response()).text, "hi");
  }
  assertEquals([server.requests.length, server.connections], [5, 1]);
});

Deno.test("a pooled connection that the origin closed meanwhile is not seen by the client", async () => {
  await using server = await tcpOrigin(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  });
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 5; i++) {
    await client.send(absolute(server.url()));
    assertEquals((await client.response()).text, "hi");
  }
});

Deno.test("pipelined requests are answered in order", async () => {
  await using server = await origin((wire, request) => withLength(`${request.target},`)(wire, request));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  const paths = ["/1", "/2", "/3", "/4"];
  await client.send(paths.map((path) => absolute(server.url(path))).join(""));
  let all = "";
  for (const _ of paths) all += (await client.response()).text;
  assertEquals(all, "/1,/2,/3,/4,");
});

Deno.test("Connection: close and HTTP/1.0 end the client's connection; HTTP/1.0 keep-alive does not", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  for (const init of [{ fields: "Connection: close\r\n" }, { version: "HTTP/1.0" as const }]) {
    await using client = await Client.connect(proxy);
    await client.send(absolute(server.url(), init));
    assertEquals((await client.response()).text, "hi");
    assertEquals(await client.readToEnd(), { text: "", end: "fin" });
  }
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 2; i++) {
    await client.send(absolute(server.url(), { version: "HTTP/1.0", fields: "Connection: keep-alive\r\n" }));
    assertEquals((await client.response()).text, "hi");
  }
});

Deno.test("reverse mode takes origin-form and sends to its origin, Host as told", async () => {
  await using server = await origin(echo);
  await using proxy = await startProxy([], { mode: [`reverse:${server.url("")}`] });
  await using client = await Client.connect(proxy);
  for (let i = 0; i < 2; i++) {
    await client.send("POST /path?q HTTP/1.1\r\nHost: public.example\r\nContent-Length: 3\r\n\r\nabc");
    assertEquals((await client.response("POST")).text, "abc");
  }
  assertEquals(server.requests[1].startLine, "POST /path?q HTTP/1.1");
  assertEquals(server.requests[1].get("host"), server.authority);
});

Deno.test("reverse mode with keep_host_header sends the client's Host", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy([], { mode: [`reverse:${server.url("")}`], keep_host_header: true });
  await using client = await Client.connect(proxy);
  await client.send("GET / HTTP/1.1\r\nHost: public.example\r\n\r\n");
  assertEquals((await client.response()).text, "hi");
  assertEquals(server.requests[0].get("host"), "public.example");
});

Deno.test("via=true adds a Via field both ways, behind the others", async () => {
  await using server = await origin(withLength("hi", "Via: 1.0 first\r\n"));
  await using proxy = await startProxy([], { via: true });
  const seen = await exchange(proxy, server.url());
  assertEquals(server.requests[0].all("via").join(", "), "1.1 weir");
  assertEquals(seen.head.all("via").join(", "), "1.0 first, 1.1 weir");
});

Deno.test("reverse mode to an https origin", async () => {
  await using server = await origin(withLength("secret"), { tls: true });
  await using proxy = await startProxy([], { mode: [`reverse:${server.url("")}`] });
  await using client = await Client.connect(proxy);
  await client.send("GET / HTTP/1.1\r\nHost: public.example\r\n\r\n");
  assertEquals((await client.response()).text, "secret");
});

Deno.test("OPTIONS * in absolute-form and an empty path reach the origin as they must", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(`GET http://${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  await client.response();
  await client.send(`OPTIONS http://${server.authority} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
  await client.response();
  // RFC 9112 §3.2.4: an empty path of OPTIONS is the asterisk-form.
  assertEquals(server.requests.map((head) => head.startLine), ["GET / HTTP/1.1", "OPTIONS * HTTP/1.1"]);
});

Deno.test("a request whose Host differs from its target goes where the target says", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(`GET ${server.url()} HTTP/1.1\r\nHost: elsewhere.invalid\r\n\r\n`);
  assertEquals((await client.response()).text, "hi");
  // RFC 9112 §3.2.2: the proxy replaces Host with the target's.
  assertEquals(server.requests[0].get("host"), server.authority);
});

Deno.test("hooks of connections: connected and disconnected once each, on both sides, in order", async () => {
  const events = new Events();
  await using server = await origin(untilClose("hi"));
  await using proxy = await startProxy({
    client_connected: ({ address }) => events.push(`client_connected ${address.hostname}`),
    client_disconnected: () => events.push("client_disconnected"),
    server_connect: (data) => events.push(`server_connect ${data.server.address.port === server.port}`),
    server_connected: (data) =>
      events.push(`server_connected ${data.server.peerAddress?.port === server.port}`),
    server_disconnected: () => events.push("server_disconnected"),
  });
  await exchange(proxy, server.url());
  await events.seen("client_disconnected");
  await events.seen("server_disconnected");
  assertEquals(events.list.slice(0, 3), [
    "client_connected 127.0.0.1",
    "server_connect true",
    "server_connected true",
  ]);
  assertEquals(events.list.length, 5);
});

Deno.test("server_connect may refuse the connection: 502 with its sentence", async () => {
  await using server = await origin(withLength("hi"));
  await using proxy = await startProxy({ server_connect: (data) => void (data.error = "not on a Sunday") });
  const seen = await exchange(proxy, server.url());
  assertEquals([seen.head.statusCode, server.connections], [502, 0]);
  assertStringIncludes(seen.text, "not on a Sunday");
});

for (const scheme of ["http", "https"]) {
  Deno.test(`what server_connect refuses to one client is not had by a pooled connection of another's (${scheme})`, async () => {
    await using server = await origin(withLength("hi"), scheme === "https" ? { tls: true } : {});
    const clients: string[] = [];
    await using proxy = await startProxy({
      server_connect: (data) => {
        if (!clients.includes(data.clientConn.id)) clients.push(data.clientConn.id);
        if (data.clientConn.id !== clients[0]) data.error = "not for you";
      },
    });
    await using first = await Client.connect(proxy);
    await using second = await Client.connect(proxy);
    const statuses: number[] = [];
    for (const client of [first, second, first, second]) {
      await client.send(absolute(server.url()));
      statuses.push((await client.response()).head.statusCode);
    }
    assertEquals(statuses, [200, 502, 200, 502]);
    // The first client's requests share one connection.
    assertEquals(server.connections, 1);
  });
}

Deno.test("upstream failures before the head are pages that say which host failed and why", async () => {
  const events = new Events();
  await using gone = await origin(withLength(""));
  const refused = `127.0.0.1:${gone.port}`;
  await gone[Symbol.asyncDispose]();
  await using resets = await tcpOrigin(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    wire.reset();
  }, { resettable: true });
  await using proxy = await startProxy(recorder(events));
  const rows: [string, string, RegExp][] = [
    [`http://${refused}/`, refused, /refused/i],
    [resets.url(), resets.authority, /reset|closed/i],
    ["http://name.invalid/", "name.invalid", /name|resolve|dns|lookup/i],
  ];
  for (const [url, host, why] of rows) {
    const seen = await exchange(proxy, url);
    assertEquals([seen.head.statusCode, seen.end], [502, "complete"]);
    assertMatch(seen.head.get("content-type")!, /^text\/(plain|html)/);
    assertStringIncludes(seen.text, host);
    assertMatch(seen.text.replace(host, ""), why);
  }
  await events.seen("error", 3);
});

Deno.test("an origin that is silent where a handshake is due: 504 after connect_timeout, by host and reason", async () => {
  await using server = await tcpOrigin(async (wire) => void await wire.untilEnd());
  await using proxy = await startProxy([], { connect_timeout: 1 });
  const seen = await exchange(proxy, `https://localhost:${server.port}/`);
  assertEquals([seen.head.statusCode, seen.end], [504, "complete"]);
  assertMatch(seen.text, new RegExp(`localhost:${server.port}.*(within|time)`, "s"));
});

Deno.test("an error page does not end the client's connection", async () => {
  await using server = await origin(withLength("fine"));
  await using proxy = await startProxy();
  await using client = await Client.connect(proxy);
  await client.send(absolute("http://name.invalid/"));
  assertEquals((await client.response()).head.statusCode, 502);
  await client.send(absolute(server.url()));
  assertEquals((await client.response()).text, "fine");
});

Deno.test("what a hook writes into fields cannot split a message", async () => {
  const thrown: unknown[] = [];
  await using server = await origin(withLength("fine"));
  await using proxy = await startProxy({
    request: (flow: HttpFlow) => {
      try {
        flow.request.headers.set("X-A", "b\r\nX-Evil: 1");
      } catch (error) {
        thrown.push(error);
      }
    },
  });
  assertEquals((await exchange(proxy, server.url())).text, "fine");
  assertEquals([thrown.length, server.requests[0].get("x-evil")], [1, null]);
});
