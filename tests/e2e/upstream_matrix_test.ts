/** Contract 4 and 5 through another proxy: every kind of body, end and conversation, in clear and inside CONNECT and TLS. @module */
import { assert, assertEquals } from "@std/assert";
import type { HttpFlow } from "weir";
import { absolute, Client } from "./support/client.ts";
import { type FarProxy, SocksProxy, squid, tinyproxy } from "./support/far_proxies.ts";
import { BodyReader, chunk, chunks, type Head } from "./support/http.ts";
import { hasMitmdump, Mitmdump } from "./support/mitmdump.ts";
import { type Origin, origin } from "./support/origin.ts";
import { startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { has } from "./support/tools.ts";
import { COMBINATIONS, read, response, VersionClient, VersionOrigin } from "./support/versions.ts";
import { allKinds, echoServer, isSame, wsClient } from "./support/websocket_server.ts";
import type { Wire } from "./support/wire.ts";
import { SOON, within } from "./support/within.ts";
import { originCa } from "./support/certs.ts";
import { bytesBody } from "../../src/streams/mod.ts";

/** A proxy on the way, and what it makes of the messages that it is given. */
interface Far extends AsyncDisposable {
  readonly url: string;
  /** PEM to trust behind it, where it shows certificates of its own. */
  readonly ca?: () => Promise<string>;
}

interface Kind {
  readonly start: () => Promise<Far> | Far;
  /** Plain requests keep their chunks, trailers and interim responses; in tunnels all of them do. */
  readonly isFaithful: boolean;
  /** It looks into TLS, and speaks HTTP/1.1 with origins then. */
  readonly intercepts?: boolean;
}

const KINDS: Record<string, Kind> = {
  weir: { start: () => weir("http"), isFaithful: true },
  "weir over TLS": { start: () => weir("https"), isFaithful: true },
  "a SOCKS5 proxy": { start: () => new SocksProxy(), isFaithful: true },
  squid: { start: squid, isFaithful: false },
  tinyproxy: { start: tinyproxy, isFaithful: false },
  mitmdump: { start: mitmdump, isFaithful: false, intercepts: true },
};

async function weir(scheme: string): Promise<Far> {
  const proxy = await startProxy(streamAll);
  return {
    url: `${scheme}://127.0.0.1:${proxy.port}`,
    ca: () => proxy.ca(),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

async function mitmdump(): Promise<Far> {
  const proxy = await Mitmdump.start();
  return {
    url: `http://127.0.0.1:${proxy.port}`,
    ca: () => proxy.ca(),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** weir in front of a proxy, trusting whatever is behind it. */
async function near(far: Far | FarProxy, stack: AsyncDisposableStack, flows: HttpFlow[]): Promise<TestProxy> {
  const trusted = await originCa() + ("ca" in far && far.ca ? await far.ca() : "");
  const file = stack.adopt(await Deno.makeTempFile({ suffix: ".pem" }), (path) => Deno.remove(path));
  await Deno.writeTextFile(file, trusted);
  return stack.use(
    await startProxy([streamAll, { requestheaders: (flow) => void flows.push(flow) }], {
      mode: [`upstream:${far.url}`],
      ssl_verify_upstream_trusted_ca: file,
    }),
  );
}

/** Responses without an end, and those whose connection has ended. */
let endless = 0, ended = 0;

/** What the origin does, by path. */
async function serve(wire: Wire, request: Head): Promise<void> {
  const path = request.raw.split(" ")[1];
  if (path === "/echo") {
    if (/^100-/.test(request.get("expect") ?? "")) await wire.send("HTTP/1.1 100 Continue\r\n\r\n");
    const body = await BodyReader.ofRequest(wire, request).text();
    return await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  }
  if (path === "/chunks") {
    const reader = BodyReader.ofRequest(wire, request);
    const pieces = (await reader.pieces()).map((piece) => new TextDecoder().decode(piece));
    const trailers = reader.trailers?.map(([name, value]) => `${name}: ${value}\r\n`).join("") ?? "";
    return await wire.send(
      `HTTP/1.1 200 OK\r\nTrailer: x-end\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(pieces, trailers)}`,
    );
  }
  if (path === "/cut-length") await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  if (path === "/cut-chunk") {
    await wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("half")}`);
  }
  if (path === "/endless") {
    endless++;
    await wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("first")}`);
    await wire.untilEnd().finally(() => ended++);
  }
  wire.close();
}

/** A client connection on which requests to an origin can be sent. */
async function open(proxy: TestProxy, server: Origin): Promise<{ client: Client; request: typeof absolute }> {
  const client = await Client.connect(proxy);
  if (server.scheme === "http") return { client, request: absolute };
  await client.tunnel(server.authority);
  await client.startTls("localhost", await proxy.ca());
  return { client, request: (url, init) => absolute(url, init).replace(/ https:\/\/[^/]+/, " ") };
}

for (const [name, { start, isFaithful, intercepts }] of Object.entries(KINDS)) {
  const isHere = name === "mitmdump"
    ? await hasMitmdump()
    : /^[a-z]+$/.test(name) && name !== "weir"
    ? has(name, "going on by it")
    : true;
  if (!isHere) continue;
  Deno.test(`going on by ${name}`, async (t) => {
    await using stack = new AsyncDisposableStack();
    const far = stack.use(await start());
    const flows: HttpFlow[] = [];
    const proxy = await near(far, stack, flows);
    for (const isSecure of [false, true]) {
      const server = stack.use(await origin(serve, isSecure ? { tls: true } : {}));
      const isExact = isFaithful || (isSecure && !intercepts);
      const of = isSecure ? "https" : "http";

      await t.step(`${of}: bodies with a length, one after another on one connection`, async () => {
        const { client, request } = await open(proxy, server);
        await using _ = client;
        for (const size of [0, 1, 100_000]) {
          const body = "x".repeat(size);
          await client.send(request(server.url("/echo"), { method: "POST", body }));
          const seen = await client.response("POST");
          assertEquals([seen.head.statusCode, seen.text === body, seen.end], [200, true, "complete"]);
        }
        assertEquals(flows.at(-1)!.serverConn.via, far.url);
        assertEquals(flows.at(-1)!.serverConn.address.port, server.port);
      });

      await t.step(`${of}: chunks and trailers, both ways`, async () => {
        const { client, request } = await open(proxy, server);
        await using _ = client;
        await client.send(
          request(server.url("/chunks"), {
            method: "POST",
            fields: "Trailer: x-end\r\nTransfer-Encoding: chunked\r\n",
          }),
        );
        await client.send(chunks(["one", "two and more"], isExact ? "x-end: yes\r\n" : ""));
        const seen = await client.response("POST");
        assertEquals([seen.head.statusCode, seen.text], [200, "onetwo and more"]);
        if (isExact) {
          assertEquals([seen.pieces, seen.trailers], [["one", "two and more"], [["x-end", "yes"]]]);
        }
      });

      if (isExact) {
        await t.step(`${of}: 100-continue comes from the origin`, async () => {
          const { client, request } = await open(proxy, server);
          await using _ = client;
          const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
          await client.send(request(server.url("/echo"), { method: "POST", fields }));
          assertEquals((await client.head()).statusCode, 100);
          await client.send("abc");
          assertEquals((await client.response("POST")).text, "abc");
        });
      }

      for (const path of ["/cut-length", "/cut-chunk"]) {
        if (!isExact) continue;
        await t.step(`${of}: a body that is cut is cut for the client (${path})`, async () => {
          const { client, request } = await open(proxy, server);
          await using _ = client;
          await client.send(request(server.url(path)));
          const seen = await client.response();
          assertEquals([seen.text, seen.end === "complete"], ["half", false]);
        });
      }

      await t.step(`${of}: a flow that is killed ends at both ends`, async () => {
        const { client, request } = await open(proxy, server);
        await using _ = client;
        const asked = server.requests.length;
        await client.send(request(server.url("/endless")));
        // Some proxies keep what has come until all has.
        if (isExact) assertEquals(await client.body(await client.head()).nextText(), "first");
        else await within(SOON, until(() => server.requests.length > asked), "the request at the origin");
        flows.at(-1)!.kill();
        await within(SOON, client.untilEnd(), "the client's end");
        await within(SOON, until(() => ended === endless), "the origin's end");
      });

      await t.step(`${of}: WebSockets`, async () => {
        await using echo = await echoServer({ secure: isSecure });
        const client = await wsClient(proxy, echo.url, { way: isSecure ? "wss" : "absolute-form" });
        const messages = name.startsWith("weir") ? allKinds() : ["a", "", new Uint8Array([1, 2, 3])];
        let answer = Promise.withResolvers<string | Uint8Array>();
        client.on("message", (data, isBinary) => answer.resolve(isBinary ? data : textOf(data)));
        for (const message of messages) {
          answer = Promise.withResolvers();
          client.send(message);
          assert(isSame(message, await within(SOON, answer.promise, "the echo")));
        }
        const closed = new Promise<void>((resolve) => client.on("close", () => resolve()));
        client.close(1000);
        await within(SOON, closed, "the close");
      });
    }

    if (intercepts) return;
    for (const [clientVersion, originVersion] of COMBINATIONS) {
      await t.step(`${clientVersion} from the client, ${originVersion} to the origin`, async () => {
        await using server = new VersionOrigin(originVersion, async (incoming) => {
          const { text } = await read(incoming.body);
          await incoming.respond(
            response(200, [["trailer", "x-end"]]),
            bytesBody(new TextEncoder().encode(text), ["x-end", "yes"]),
          );
        });
        await using client = await VersionClient.connect(clientVersion, proxy, server);
        const body = bytesBody(new TextEncoder().encode("hello"), null);
        const { head, body: answer } = await client.send("POST", "/", { body });
        assertEquals([head.statusCode, (await read(answer)).text], [200, "hello"]);
        assertEquals(flows.at(-1)!.serverConn.tls?.alpn, originVersion === "HTTP/2.0" ? "h2" : "http/1.1");
      });
    }
  });
}

function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
