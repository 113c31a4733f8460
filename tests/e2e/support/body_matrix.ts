/**
 * The body matrix of contract sections 4 and 5: what must be the same whichever way a client takes to an
 * origin.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Addon, HttpFlow } from "weir";
import { closeFrame } from "../../websocket/support.ts";
import { absolute, type RequestInit } from "./client.ts";
import { BodyReader, chunk, chunks } from "./http.ts";
import { Flag, WirePeer } from "./http2.ts";
import { type Origin, origin, type Script } from "./origin.ts";
import { startProxy, streamAll, type TestProxy } from "./proxy.ts";
import { RawPeer, switching, upgrade } from "./websocket.ts";
import { openWay, type Way, type WayClient } from "./ways_in.ts";
import { SOON, within } from "./within.ts";

/** What a case has in its hands. */
export interface Setting {
  readonly way: Way;
  readonly proxy: TestProxy;
  readonly server: Origin;
  /** Flows as they begin. */
  readonly flows: HttpFlow[];
  /** True where weir looks into HTTP. */
  readonly isHttp: boolean;
  /** A fresh connection to the origin by the way. */
  open(alpn?: string[]): Promise<WayClient>;
  /** The text of a request. */
  request(path: string, init?: RequestInit): string;
}

/** One kind of body, with the origin that it needs. */
export interface Case {
  readonly name: string;
  readonly origin: Script;
  run(setting: Setting): Promise<void>;
  /** It is about flows, or about what weir translates: bytes that are relayed have none of it. */
  readonly needsHttp?: boolean;
}

const BIG = "0123456789abcdef".repeat(20_000);

export const CASES: readonly Case[] = [
  {
    name: "bodies with a length, one after another on one connection",
    origin: async (wire, request) => {
      const body = await BodyReader.ofRequest(wire, request).text();
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    },
    async run({ open, request }) {
      await using client = await open();
      for (const body of ["", "x", BIG]) {
        await client.send(request("/", { method: "POST", body }));
        const seen = await client.response("POST");
        assertEquals([seen.head.statusCode, seen.text === body, seen.end], [200, true, "complete"]);
      }
    },
  },
  {
    name: "chunks with their bounds, and trailers, both ways",
    origin: async (wire, request) => {
      const reader = BodyReader.ofRequest(wire, request);
      const pieces = (await reader.pieces()).map((piece) => new TextDecoder().decode(piece));
      const trailers = reader.trailers!.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const fields = "Trailer: X-End\r\nTransfer-Encoding: chunked\r\n";
      await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${chunks(pieces, trailers)}`);
    },
    async run({ open, request }) {
      await using client = await open();
      const fields = "Trailer: X-End\r\nTransfer-Encoding: chunked\r\n";
      await client.send(request("/", { method: "POST", fields }));
      const pieces = ["one", "two and more", "x".repeat(5000)];
      await client.send(chunks(pieces, "X-End: yes\r\n"));
      const seen = await client.response("POST");
      assertEquals([seen.pieces, seen.trailers], [pieces, [["X-End", "yes"]]]);
    },
  },
  {
    name: "one event in, one event out",
    origin: async (wire) => {
      await wire.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      for (let i = 0; i < 3; i++) {
        await wire.send(chunk(`data: ${i}\n\n`));
        // Nothing more until the client has had it.
        await wire.readExactly(1);
      }
      await wire.send("0\r\n\r\n");
    },
    async run({ open, request }) {
      await using client = await open();
      await client.send(request("/", { method: "POST", fields: "Content-Length: 3\r\n" }));
      const body = client.body(await client.head());
      for (let i = 0; i < 3; i++) {
        assertEquals(await within(SOON, body.nextText(), `event ${i}`), `data: ${i}\n\n`);
        await client.send(".");
      }
      assertEquals(await body.next(), null);
    },
  },
  {
    name: "100-continue comes from the origin, and 103 passes",
    origin: async (wire, request) => {
      assertEquals(request.get("expect"), "100-continue");
      await wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
      const body = await BodyReader.ofRequest(wire, request).text();
      await wire.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    },
    async run({ open, request }) {
      await using client = await open();
      const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
      await client.send(request("/", { method: "POST", fields }));
      assertEquals((await client.head()).statusCode, 103);
      assertEquals((await client.head()).statusCode, 100);
      await client.send("abc");
      assertEquals((await client.response("POST")).text, "abc");
    },
  },
  ...(["length", "chunk"] as const).map((kind): Case => ({
    name: `a body that is cut is seen to be cut (${kind})`,
    origin: async (wire) => {
      const head = "HTTP/1.1 200 OK\r\n";
      if (kind === "length") await wire.send(`${head}Content-Length: 10\r\n\r\nhalf`);
      else await wire.send(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk("half")}`);
      wire.close();
    },
    async run({ open, request }) {
      await using client = await open();
      await client.send(request("/"));
      const seen = await client.response();
      assertEquals([seen.text, seen.end === "complete"], ["half", false]);
    },
  })),
  {
    name: "an upload that is cut is seen to be cut by the origin",
    origin: async (wire, request) => {
      const body = BodyReader.ofRequest(wire, request);
      const pieces: string[] = [];
      try {
        for (let piece; (piece = await body.next()) !== null;) pieces.push(new TextDecoder().decode(piece));
        cuts.push("whole");
      } catch {
        cuts.push(pieces.join(""));
      }
      seenCut.resolve();
    },
    async run({ open, request }) {
      cuts.length = 0;
      seenCut = Promise.withResolvers();
      const client = await open();
      await client.send(request("/", { method: "POST", fields: "Content-Length: 10\r\n" }) + "half");
      client.close();
      await within(SOON, seenCut.promise, "the end of the upload");
      assert(cuts[0] === "half" || cuts[0] === "", cuts[0]);
    },
  },
  {
    name: "a WebSocket",
    origin: async (wire, request) => {
      await wire.send(switching(request.get("sec-websocket-key")!));
      const peer = new RawPeer(wire, false);
      await peer.text(`you said ${await peer.brief()}`);
      assertEquals(await peer.brief(), "close 1000 bye");
      await peer.send(closeFrame(1000, "bye"));
      wire.close();
    },
    async run({ way, server, open }) {
      await using client = await open();
      const isAbsolute = way.isAbsolute && server.scheme === "http";
      await client.send(upgrade(isAbsolute ? server.url("/chat") : "/chat", server.authority));
      assertEquals((await client.head()).statusCode, 101);
      const peer = new RawPeer(client, true);
      await peer.text("hello");
      assertEquals(await peer.brief(), "text you said text hello");
      await peer.send(closeFrame(1000, "bye"));
      assertEquals(await peer.brief(), "close 1000 bye");
      await client.untilEnd();
    },
  },
  {
    name: "HTTP/2 from the client, with a body and trailers both ways",
    needsHttp: true,
    origin: async (wire, request) => {
      const reader = BodyReader.ofRequest(wire, request);
      const body = await reader.text();
      const [[name, value]] = reader.trailers!;
      const fields = "Trailer: x-end\r\nTransfer-Encoding: chunked\r\n";
      await wire.send(`HTTP/1.1 200 OK\r\n${fields}\r\n${chunks([body], `${name}: ${value}\r\n`)}`);
    },
    async run({ server, open }) {
      await using client = await open(["h2"]);
      const peer = new WirePeer(client);
      await peer.start("client");
      const { scheme, authority } = server;
      const fields = [":method", "POST", ":scheme", scheme, ":authority", authority, ":path", "/"];
      await peer.request(1, [...fields, "te", "trailers"], false);
      await peer.data(1, "hello");
      await peer.headers(1, ["x-end", "yes"], Flag.END_STREAM);
      const lines: string[] = [];
      while (!lines.at(-1)?.includes("+END")) lines.push(await within(SOON, peer.line(), "a frame"));
      assertEquals(lines.map((line) => line.replace(/trailer=x-end ?/, "").trim()), [
        "HEADERS 1 :status=200",
        "DATA 1 hello",
        "HEADERS 1 x-end=yes +END",
      ]);
    },
  },
  {
    name: "a flow that is killed in mid body ends at both ends",
    needsHttp: true,
    origin: async (wire) => {
      await wire.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("first")}`);
      await wire.untilEnd();
    },
    async run({ open, request, flows, server }) {
      await using client = await open();
      await client.send(request("/"));
      assertEquals(await client.body(await client.head()).nextText(), "first");
      flows.at(-1)!.kill();
      await within(SOON, client.untilEnd(), "the client's end");
      await within(SOON, until(() => server.open === 0), "the origin's end");
    },
  },
];

/** What the origin has seen of an upload that was cut. */
const cuts: string[] = [];
let seenCut = Promise.withResolvers<void>();

/** Registers a test for each way, with a step for each case, in clear and over TLS. */
export function bodyMatrix(ways: readonly Way[]): void {
  for (const way of ways) {
    for (const scheme of ["http", "https"] as const) {
      Deno.test(`${scheme} by ${way.name}`, async (t) => {
        for (const one of CASES) {
          await t.step(one.name, () => runCase(way, scheme, one));
        }
      });
    }
  }
}

async function runCase(way: Way, scheme: "http" | "https", { origin: script, run, needsHttp }: Case) {
  await using server = await origin(script, {
    ...scheme === "https" && { tls: true },
    ...way.originHost !== undefined && { hostname: way.originHost },
  });
  const mode = way.mode(server), isHttp = !/^reverse:(tcp|tls):/.test(mode);
  if (needsHttp && !isHttp) return;
  const flows: HttpFlow[] = [], ends: string[] = [];
  const recorder: Addon = {
    requestheaders: (flow) => void flows.push(flow),
    complete: () => void ends.push("complete"),
    error: () => void ends.push("error"),
  };
  await using proxy = await startProxy([streamAll, recorder], { mode: [mode], http2_upstream: "any" });
  const isAbsolute = way.isAbsolute && scheme === "http";
  await run({
    way,
    proxy,
    server,
    flows,
    isHttp,
    open: (alpn) => openWay(way, proxy, server, alpn),
    request: (path, init) => {
      const text = absolute(server.url(path), init);
      return isAbsolute ? text : text.replace(server.url(path), path);
    },
  });
  await proxy.stop();
  assertEquals(ends.length, isHttp ? flows.length : 0, "every flow has one end");
  assert(!isHttp || flows.length > 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
