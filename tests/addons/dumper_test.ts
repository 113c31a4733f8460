import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { gzipSync } from "node:zlib";
import * as weir from "../../src/mod.ts";
import Dumper from "../../addons/dumper.ts";
import { WeirError } from "../../src/errors.ts";
import type { HttpFlow } from "../../src/flow/flow.ts";
import { Headers } from "../../src/http/headers.ts";
import { internals } from "../../src/internals.ts";
import type { Message } from "../../src/flow/message.ts";
import { WebSocketData, WebSocketMessage } from "../../src/websocket/conversation.ts";
import { AddonManager, type Dispatcher } from "../../src/hooks/mod.ts";
import { addonHost, httpFlow, respond, serverConn, tcpFlow } from "../support/addon_host.ts";

/** What the dumper writes while `run` does; times are made `0ms`. */
async function dumped(
  detail: number,
  run: (hooks: Dispatcher) => unknown,
  options: Record<string, boolean> = {},
): Promise<{ text: string; writes: number }> {
  const host = addonHost();
  const manager = new AddonManager(host.ctx, host.options, weir);
  await manager.load([{ name: "dumper", addon: Dumper, builtin: true }]);
  await host.options.updateNamed(Object.entries({ flow_detail: detail, ...options }));
  await manager.configure(new Set(["flow_detail"]));
  await run(manager.dispatcher);
  assertEquals(host.lines, []);
  const { stdout, writes } = host.printed;
  return { text: stdout.replaceAll(/ \d+ms\b/g, " 0ms"), writes };
}

function buffered(message: Message, content: string | Uint8Array): void {
  const state = message[internals];
  state.mode = "buffered";
  state.raw = typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function streamed(message: Message, received: number): void {
  Object.assign(message[internals], { mode: "streamed", streamedBy: "size", received });
}

function exchange(body: string | Uint8Array = "hello", type = "text/plain"): HttpFlow {
  const flow = httpFlow({ headers: [["Host", "example.com"], ["X-Id", "1"]] });
  buffered(flow.request, "");
  buffered(respond(flow, { headers: [["Content-Type", type]] }), body);
  return flow;
}

Deno.test("level 0 prints nothing", async () => {
  const { writes } = await dumped(0, (hooks) => {
    hooks.trigger("complete", exchange());
    hooks.trigger("error", exchange());
    const tcp = tcpFlow();
    tcp.record({ fromClient: true, content: new Uint8Array(1), timestamp: 0 });
    hooks.trigger("tcp_message", tcp);
  });
  assertEquals(writes, 0);
});

Deno.test("showhost: URLs have the name of the Host field, else the address to which the request went", async () => {
  for (const showhost of [true, false]) {
    const flow = exchange();
    flow.request.headers.set("Host", "named.example:81");
    const { text } = await dumped(1, (hooks) => hooks.trigger("complete", flow), { showhost });
    assertStringIncludes(
      text,
      showhost ? "GET http://named.example:81/path\n" : "GET http://example.com/path\n",
    );
  }
});

Deno.test("level 1 prints a line for the request and one for the response, in one write", async () => {
  const { text, writes } = await dumped(1, (hooks) => {
    const flow = exchange();
    hooks.trigger("request", flow);
    hooks.trigger("response", flow);
    hooks.trigger("complete", flow);
  });
  assertEquals(
    text,
    "127.0.0.1:52344: GET http://example.com/path\n" +
      "              << 200 OK 5b 0ms\n",
  );
  assertEquals(writes, 1);
});

Deno.test("versions are said when they are not HTTP/1 on both sides", async () => {
  const { text } = await dumped(1, (hooks) => {
    const h2 = httpFlow({ httpVersion: "HTTP/2.0" });
    respond(h2, { httpVersion: "HTTP/2.0", reason: "" });
    hooks.trigger("complete", h2);
    const old = httpFlow({ httpVersion: "HTTP/1.0" });
    respond(old);
    hooks.trigger("complete", old);
  });
  assertEquals(
    text,
    "127.0.0.1:52344: GET http://example.com/path HTTP/2.0\n" +
      "     << HTTP/2.0 200 OK 0b 0ms\n" +
      "127.0.0.1:52344: GET http://example.com/path HTTP/1.0\n" +
      "     << HTTP/1.1 200 OK 0b 0ms\n",
  );
});

Deno.test("sizes are written as mitmdump does", async () => {
  for (
    const [bytes, text] of [[1023, "1023b"], [1024, "1.0k"], [102400, "100k"], [3145728, "3.0m"], [
      5e9,
      "4.7g",
    ]]
  ) {
    const dump = await dumped(1, (hooks) => {
      const flow = httpFlow({ method: "POST" });
      streamed(flow.request, Number(bytes));
      streamed(respond(flow), Number(bytes));
      hooks.trigger("complete", flow);
    });
    assertStringIncludes(dump.text, `POST http://example.com/path ${text}\n`);
    assertStringIncludes(dump.text, `<< 200 OK ${text} 0ms (streamed: size)\n`);
  }
});

Deno.test("an exchange that streams is announced once, and printed when it is complete", async () => {
  const { text } = await dumped(1, (hooks) => {
    const flow = httpFlow();
    streamed(flow.request, 0);
    hooks.trigger("request", flow);
    streamed(respond(flow), 0);
    hooks.trigger("response", flow);
    flow.response![internals].received = 2048;
    hooks.trigger("complete", flow);
  });
  assertEquals(
    text,
    "127.0.0.1:52344: GET http://example.com/path (streaming)\n" +
      "127.0.0.1:52344: GET http://example.com/path\n" +
      "              << 200 OK 2.0k 0ms (streamed: size)\n",
  );
});

Deno.test("a WebSocket connection is announced when it starts, as its end may be far away", async () => {
  const { text } = await dumped(1, (hooks) => hooks.trigger("websocket_start", exchange()));
  assertEquals(text, "127.0.0.1:52344: GET http://example.com/path (WebSocket)\n");
});

Deno.test("level 3 shows bodies that are made of units unit by unit", async () => {
  const shown = async (body: string | Uint8Array, type: string) => {
    const { text } = await dumped(3, (hooks) => hooks.trigger("complete", exchange(body, type)));
    return text.slice(text.indexOf(`Content-Type: ${type}\n\n`) + `Content-Type: ${type}\n\n`.length);
  };
  assertEquals(
    await shown(
      'event: tick\nid: 7\ndata: {"a":1}\n\n: ping\n\ndata: two\ndata: lines\n\ndata: cut',
      "text/event-stream",
    ),
    `    [1] event tick, id 7, 33b
        {
            "a": 1
        }
    : ping
    [2] event message, 23b
        two
        lines
    data: cut

`,
  );
  assertEquals(
    await shown('{"a":1}\nno json\n', "application/x-ndjson"),
    `    [1] value, 8b
        {
            "a": 1
        }
    no json

`,
  );
  const grpc = Uint8Array.of(0, 0, 0, 0, 2, 8, 1);
  assertEquals(
    await shown(grpc, "application/grpc"),
    `    [1] message, 7b
        0000000000 08 01                                            ..

`,
  );
  assertEquals(await shown("no event", "text/event-stream"), "    no event\n\n");
});

Deno.test("at level 3 units are cut off as other bodies are", async () => {
  const body = "data: x\n\n".repeat(100);
  const dump = async (detail: number) =>
    (await dumped(detail, (hooks) => hooks.trigger("complete", exchange(body, "text/event-stream")))).text;
  const cut = await dump(3), all = await dump(4);
  assertStringIncludes(cut, "[35] event message, 9b\n        x\n    (cut off)\n");
  assertStringIncludes(all, "[100] event message, 9b\n        x\n\n");
});

Deno.test("an error is printed with what there is of the flow", async () => {
  const cause = new WeirError("server", "unreachable", "example.com:80\x1b[31m refused");
  const { text } = await dumped(1, (hooks) => {
    const flow = httpFlow();
    flow.error = { message: cause.message, timestamp: 0, cause };
    hooks.trigger("error", flow);
  });
  assertEquals(text, "127.0.0.1:52344: GET http://example.com/path\n << example.com:80\\x1b[31m refused\n");
});

Deno.test("level 2 adds headers and trailers", async () => {
  const { text } = await dumped(2, (hooks) => {
    const flow = exchange();
    flow.response!.trailers = new Headers([["X-Sum", "5"]]);
    hooks.trigger("complete", flow);
  });
  assertEquals(
    text,
    "127.0.0.1:52344: GET http://example.com/path\n" +
      "    Host: example.com\n" +
      "    X-Id: 1\n" +
      " << 200 OK 5b 0ms\n" +
      "    Content-Type: text/plain\n" +
      "    --- HTTP Trailers\n" +
      "    X-Sum: 5\n",
  );
});

Deno.test("level 3 adds bodies: text as it is, JSON set out, other bytes as a hex dump", async () => {
  const text = async (body: string | Uint8Array, type: string) =>
    (await dumped(3, (hooks) => hooks.trigger("complete", exchange(body, type)))).text.split(type + "\n")[1];
  assertEquals(await text("one\ntwo\n", "text/plain"), "\n    one\n    two\n\n");
  assertEquals(
    await text('{"a":[1]}', "application/json"),
    '\n    {\n        "a": [\n            1\n        ]\n    }\n\n',
  );
  assertEquals(await text("{broken", "application/json"), "\n    {broken\n\n");
  assertEquals(
    await text(new Uint8Array([0, 255, 65]), "image/png"),
    `\n    0000000000 00 ff 41${" ".repeat(39)}  ..A\n\n`,
  );
});

Deno.test("level 3 cuts long bodies off, level 4 does not", async () => {
  const body = Array.from({ length: 100 }, (_, i) => `line ${i}`).join("\n");
  const three = await dumped(3, (hooks) => hooks.trigger("complete", exchange(body)));
  assertStringIncludes(three.text, "    line 69\n    (cut off)\n");
  assertEquals(three.text.includes("line 70"), false);
  const four = await dumped(4, (hooks) => hooks.trigger("complete", exchange(body)));
  assertStringIncludes(four.text, "    line 99\n");
  assertEquals(four.text.includes("cut off"), false);
});

Deno.test("level 3 cuts one line of a megabyte off, too", async () => {
  const { text } = await dumped(3, (hooks) => hooks.trigger("complete", exchange("é".repeat(500_000))));
  assertEquals(text.length < 80_000, true);
  assertStringIncludes(text, "é\n    (cut off)\n");
});

Deno.test("level 3 says why a streamed body is not shown", async () => {
  const { text } = await dumped(3, (hooks) => {
    const flow = exchange();
    flow.response![internals].raw = null;
    streamed(flow.response!, 10);
    hooks.trigger("complete", flow);
  });
  assertStringIncludes(text, "(streamed, so there is no content to show)");
});

Deno.test("control characters from the network are never printed", async () => {
  const { text } = await dumped(4, (hooks) => {
    const flow = httpFlow({ method: "GE\x1bT", path: "/\x07\x9b", headers: [["X-Evil", "a\x1b[2Jb"]] });
    buffered(flow.request, "");
    const response = respond(flow, { reason: "O\x1bK" });
    buffered(response, "x\x1b[31my\r\nz\x07");
    hooks.trigger("complete", flow);
  });
  // deno-lint-ignore no-control-regex -- that there are none is what is tested
  assertEquals(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(text), false);
  assertStringIncludes(text, "x\\x1b[31my\n    z\\x07");
});

Deno.test("UTF-8 in a head is printed as the text that it is, and other bytes as Latin-1", async () => {
  const { text } = await dumped(2, (hooks) => {
    // "é" and a right-to-left override, a byte per character; a lone 0xe9 is no UTF-8.
    const headers: [string, string][] = [["X-Utf8", "\xc3\xa9 \xe2\x80\xae"], ["X-Latin1", "caf\xe9"]];
    hooks.trigger("complete", httpFlow({ path: "/\xc3\xa9", headers }));
  });
  assertStringIncludes(text, "/é\n");
  assertStringIncludes(text, "X-Utf8: é \\u202e\n");
  assertStringIncludes(text, "X-Latin1: café\n");
});

Deno.test("TCP and WebSocket messages are printed with their direction", async () => {
  const { text } = await dumped(3, (hooks) => {
    const tcp = tcpFlow();
    tcp.record({ fromClient: true, content: new TextEncoder().encode("ping"), timestamp: 0 });
    hooks.trigger("tcp_message", tcp);
    const flow = httpFlow();
    flow.serverConn = serverConn;
    flow.websocket = new WebSocketData({ messages: 10, bytes: 1000 });
    flow.websocket[internals].record(new WebSocketMessage(true, false, new TextEncoder().encode("pong")));
    hooks.trigger("websocket_message", flow);
  });
  assertEquals(
    text,
    "127.0.0.1:52344 -> tcp -> example.com:80\n\n    ping\n\n" +
      "127.0.0.1:52344 <- WebSocket text message <- example.com:80/path\n\n    pong\n\n",
  );
});

Deno.test("the end of a WebSocket connection is printed, and whether it was a clean one", async () => {
  const ended = (code: number, byClient: boolean | null, reason: string | null) =>
    dumped(1, (hooks) => {
      const flow = httpFlow();
      flow.serverConn = serverConn;
      flow.websocket = new WebSocketData({ messages: 10, bytes: 1000 });
      Object.assign(flow.websocket, { closeCode: code, closedByClient: byClient, closeReason: reason });
      hooks.trigger("websocket_end", flow);
    });
  assertEquals((await ended(1000, true, "bye")).text, "WebSocket connection closed by client: 1000 bye\n");
  const failed = "Error in WebSocket connection to example.com:80: WebSocket Error:";
  assertEquals((await ended(1006, null, null)).text, `${failed} ABNORMAL_CLOSURE\n`);
  assertEquals((await ended(4321, false, "why\n")).text, `${failed} UNKNOWN_ERROR=4321 (reason: why\\n)\n`);
});

Deno.test("an error of a TCP flow is printed", async () => {
  const { text } = await dumped(1, (hooks) => {
    const flow = tcpFlow();
    const cause = new WeirError("server", "closed", "reset");
    flow.error = { message: "reset", timestamp: 0, cause };
    hooks.trigger("tcp_error", flow);
  });
  assertEquals(
    text,
    "127.0.0.1:52344: TCP example.com:80 << 0b up, 0b down 0ms: reset\n",
  );
});

Deno.test("a raw connection is a line at its start and one at its end; what it carries is printed from level 3 on", async () => {
  const run = (hooks: Dispatcher) => {
    const flow = tcpFlow();
    hooks.trigger("tcp_start", flow);
    flow.bytesFromClient = 4;
    flow.bytesFromServer = 5000;
    flow.record({ fromClient: true, content: new TextEncoder().encode("ping"), timestamp: 0 });
    hooks.trigger("tcp_message", flow);
    hooks.trigger("tcp_end", flow);
  };
  const client = "127.0.0.1:52344";
  const start = `${client}: TCP example.com:80 (passed through)\n`;
  const end = `${client}: TCP example.com:80 << 4b up, 4.9k down 0ms\n`;
  assertEquals((await dumped(1, run)).text, start + end);
  assertEquals((await dumped(2, run)).text, start + end);
  assertEquals(
    (await dumped(3, run)).text,
    `${start}${client} -> tcp -> example.com:80\n\n    ping\n\n${end}`,
  );
});

Deno.test("a tunnel that was refused is printed like an exchange", async () => {
  const { text } = await dumped(1, (hooks) => {
    const flow = httpFlow({ method: "CONNECT", host: "example.com" });
    respond(flow, { statusCode: 403, reason: "Forbidden" });
    hooks.trigger("http_connect_error", flow);
  });
  assertEquals(text, `127.0.0.1:52344: CONNECT example.com:80\n              << 403 Forbidden 0b 0ms\n`);
});

Deno.test("JSON is set out with its tokens as they came, and not where it is nested deeper than a reader can follow", async () => {
  const text = async (body: string) =>
    (await dumped(4, (hooks) => hooks.trigger("complete", exchange(body, "application/json")))).text
      .split("application/json\n")[1];
  const json = ' {"a" : 1.50, "a":"\\u0041\\"]", "b":[ ],"c":{ }, "d":[[true],null ] }';
  assertEquals(
    await text(json),
    [
      "",
      "{",
      '    "a": 1.50,',
      '    "a": "\\u0041\\"]",',
      '    "b": [],',
      '    "c": {},',
      '    "d": [',
      "        [",
      "            true",
      "        ],",
      "        null",
      "    ]",
      "}",
    ].map((line) => line && `    ${line}`).join("\n") + "\n\n",
  );
  const deep = "[".repeat(24_000) + "]".repeat(24_000);
  assertEquals(await text(deep), `\n    ${deep}\n\n`);
  const valid = fc.jsonValue().filter((value) => typeof value === "object" && value !== null);
  await fc.assert(
    fc.asyncProperty(valid, async (value) => {
      const lines = (await text(JSON.stringify(value))).trimEnd().split("\n").map((line) => line.trim());
      assertEquals(JSON.parse(lines.join("")), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 40, seed: 10 },
  );
});

Deno.test("one line of megabytes is printed as one line at level 4, without its trailing white space", async () => {
  const line = "é\t".repeat(100_000);
  const flow = exchange(`${line}\r\nsecond${" \n".repeat(10_000)}`);
  const { text } = await dumped(4, (hooks) => hooks.trigger("complete", flow));
  assertStringIncludes(text, `\n    ${line.trimEnd()}`);
  assertEquals(text.endsWith("\n    second\n\n"), true);
});

/** Gzip of gzip: some 600 bytes that unfold to 64 MiB. */
const BOMB = gzipSync(gzipSync(new Uint8Array(64 << 20)));

function bomb(): HttpFlow {
  const flow = exchange(BOMB);
  flow.response!.headers.set("Content-Encoding", "gzip, gzip");
  return flow;
}

Deno.test("a bomb is unfolded as far as it is shown: 64 KiB at level 3, 4 MiB at level 4, and it says that it is cut off", async () => {
  for (const [detail, rows] of [[3, 70], [4, (4 << 20) / 16]] as const) {
    const { text } = await dumped(detail, (hooks) => hooks.trigger("complete", bomb()));
    assertEquals(text.match(/^ {4}[0-9a-f]{10} 00 /gm)?.length, rows);
    assertStringIncludes(text, "\n    (cut off)\n");
  }
});

Deno.test("a long flow is printed in pieces, others go on meanwhile, and flows do not mix", async () => {
  const order: string[] = [];
  const { text, writes } = await dumped(4, async (hooks) => {
    const long = hooks.trigger("complete", bomb())!.then(() => order.push("long"));
    const other = hooks.trigger("complete", exchange("short"));
    assertEquals(other, undefined);
    const another = hooks.trigger("complete", bomb())!.then(() => order.push("another"));
    setTimeout(() => order.push("timer"));
    await Promise.all([long, another]);
  });
  assertEquals(order, ["timer", "long", "another"]);
  assert(writes > 50, `${writes} writes`);
  const starts = [...text.matchAll(/^127\.0\.0\.1:\d+: GET|^ {4}\(cut off\)|^ {4}short/gm)].map(([match]) =>
    match.trim().slice(0, 3)
  );
  assertEquals(starts, ["127", "(cu", "127", "sho", "127", "(cu"]);
});
