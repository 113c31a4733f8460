/**
 * llhttp's cases (https://github.com/nodejs/llhttp, its folder `test`): which heads and bodies of HTTP/1 are refused. The
 * parsers of both of weir's legs are given each message over a socket; what counts is whether they take it.
 * @module
 */
import { WeirError } from "../../src/errors.ts";
import { Headers, type IncomingExchange } from "../../src/http/mod.ts";
import { Http1Connection, serveHttp1 } from "../../src/http1/mod.ts";
import { dial, listen } from "../../src/net/mod.ts";
import type { Body } from "../../src/streams/mod.ts";
import type { Difference, Suite } from "./suite.ts";

interface Case {
  readonly name: string;
  readonly isRequest: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** llhttp's error, or null where it takes the message. */
  readonly error: string | null;
}

export const llhttp: Suite = {
  name: "llhttp",
  variable: "LLHTTP",
  wants: "a checkout of nodejs/llhttp",
  deviations: [
    {
      found: /Data after `Connection: close`/,
      reason: "what comes behind the last message is not read at all",
    },
    {
      found: /Pause on CONNECT\/Upgrade/,
      reason: "llhttp stops there for its caller; nothing is wrong with the message",
    },
    {
      found: /ANNOUNCE|Expected space after method/,
      reason: "methods are tokens, which a proxy passes on whatever they mean (RFC 9110 §9.1)",
    },
    { found: /"(RTSP|ICE)\/|HTTP\/0\.9|no version/, reason: "weir speaks HTTP/1.1 and HTTP/1.0 alone" },
    { found: /target "\*" is for OPTIONS alone/, reason: "RFC 9112 §3.2.4" },
    {
      found: /or a fragment \(#\)/,
      reason: "a fragment is no part of a target (RFC 9112 §3.2, RFC 9110 §7.1)",
    },
    {
      found: /basic auth/,
      reason: "userinfo in a target is deprecated, and read in different ways (RFC 9110 §4.2.4)",
    },
    {
      found: /no valid status line: ""/,
      reason: "empty lines before a response are not in the grammar (RFC 9112 §2.2)",
    },
    {
      found: /Invalid character in chunk size/,
      reason: "blanks behind a chunk size are padding, which some servers send",
    },
    {
      found: /is not a single "chunked"/,
      reason: "other transfer codings are refused: who does not know them finds another end (RFC 9112 §6.1)",
    },
  ],
  async run(path) {
    const cases: Case[] = [];
    for (const folder of ["request", "response"]) {
      for await (const { name } of Deno.readDir(`${path}/test/${folder}`)) {
        if (!name.endsWith(".md")) continue;
        cases.push(
          ...casesIn(`${folder}/${name}`, await Deno.readTextFile(`${path}/test/${folder}/${name}`)),
        );
      }
    }
    cases.sort((a, b) => a.name < b.name ? -1 : 1);
    const differences: Difference[] = [];
    for (const given of cases) {
      const refusal = await (given.isRequest ? refusalOfRequest : refusalOfResponse)(given.bytes);
      if ((refusal === null) === (given.error === null)) continue;
      const detail = refusal === null
        ? `llhttp says "${given.error}", weir takes it`
        : `weir says "${refusal}", llhttp takes it`;
      differences.push({ name: given.name, detail });
    }
    return { total: cases.length, differences };
  },
};

/** A request in HTTP/1.1 whose head has no Host, which RFC 9112 §3.2 requires and llhttp leaves to others. */
const WITHOUT_HOST = /^([A-Z-]+ \S+ HTTP\/1\.1\r\n)(?!(?:.+\r\n)*host:)(?=[^ ])/gim;

const BLOCK = /^#{1,5} (.+)$|<!-- meta=(\{.*\}) -->|```(\w+)\n([^]*?)```/gm;

/** The cases of a file that are for the parser as it is by default. */
function casesIn(file: string, text: string): Case[] {
  const cases: Case[] = [];
  let title = "", type = "", input = "";
  for (const [, heading, meta, language, block] of text.matchAll(BLOCK)) {
    if (heading !== undefined) title = heading;
    else if (meta !== undefined) type = JSON.parse(meta).type ?? "";
    else if (language === "http") input = block;
    else if (language === "log" && (type === "request" || type === "response")) {
      const error = /error code=\d+ reason="([^"]*)"/.exec(block)?.[1] ?? null;
      // Pausing is not what messages are about.
      if (/pause/.test(block)) continue;
      const isRequest = type === "request";
      const text = isRequest ? textOf(input).replace(WITHOUT_HOST, "$1Host: a.example\r\n") : textOf(input);
      // weir looks at heads when they are whole; what llhttp refuses before is cut there.
      const rest = error !== null && !text.includes("\r\n\r\n") ? "\r\n\r\n" : "";
      cases.push({
        name: `${file}: ${title}`,
        isRequest,
        bytes: new TextEncoder().encode(text + rest),
        error,
      });
    }
  }
  return cases;
}

/** As llhttp's `md-test.ts` reads them. */
function textOf(input: string): string {
  return input.replace(/\n$/, "").replace(/\\\n/g, "").replace(/\n/g, "\r\n")
    .replace(/\\r/g, "\r").replace(/\\n/g, "\n").replace(/\\t/g, "\t").replace(/\\f/g, "\f")
    .replace(/\\x([0-9a-fA-F]+)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/\\([0-7]{1,3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)))
    // The few expressions are of this form: text that is repeated.
    .replace(/\$\{'([^']*)'\.repeat\((\d+)\)\}/g, (_, part, count) => part.repeat(Number(count)));
}

async function drained(body: Body | null): Promise<void> {
  if (body === null) return;
  for (let piece = body.take(); piece !== null; piece = body.take()) {
    if (piece === undefined) await body.fill();
  }
}

/** What the server's leg has against a client's bytes, or null. */
async function refusalOfRequest(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  let refusal: string | null = null;
  const handle = async (exchange: IncomingExchange) => {
    try {
      await drained(exchange.body);
    } catch (error) {
      if (error instanceof WeirError && error.code !== "closed") refusal ??= error.message;
    }
    await exchange.respond(
      { statusCode: 200, reason: "OK", httpVersion: "HTTP/1.1", headers: new Headers() },
      null,
    ).catch(() => {});
    if (exchange.head.method === "CONNECT") exchange.takeOver().close();
  };
  const accepted = (async () => {
    for await (const conn of listener) {
      await serveHttp1(conn, handle, { onRefused: (error) => refusal ??= error.message });
      return;
    }
  })();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await client.write(bytes).catch(() => {});
  await client.closeWrite().catch(() => {});
  await client.readable.pipeTo(new WritableStream()).catch(() => {});
  await accepted;
  listener.close();
  return refusal;
}

/** What the client's leg has against an origin's bytes, or null. */
async function refusalOfResponse(bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const origin = (async () => {
    const conn = await listener.accept();
    await conn.read(new Uint8Array(1024));
    await conn.write(bytes).catch(() => {});
    conn.close();
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const connection = new Http1Connection(await dial("127.0.0.1", port, { side: "server" }));
  const headers = new Headers([["Host", "a.example"]]);
  try {
    const { body } = await connection.exchange().send(
      {
        method: "GET",
        form: "origin",
        scheme: "http",
        host: "a.example",
        port: 80,
        path: "/",
        httpVersion: "HTTP/1.1",
        headers,
      },
      null,
      () => {},
    );
    await drained(body);
    return null;
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    return error.code === "closed" ? null : error.message;
  } finally {
    connection.close();
    await origin;
    listener.close();
  }
}
