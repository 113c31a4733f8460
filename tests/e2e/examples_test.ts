/** Every example in addons/examples/ runs through the real proxy; one without a test here fails. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { BodyReader } from "./support/http.ts";
import { echo, type Origin, origin, untilClose, withChunks, withLength } from "./support/origin.ts";
import { closeFrame } from "../websocket/support.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { rawClient, type RawPeer, rawServer } from "./support/websocket.ts";
import { Gate } from "./support/within.ts";

const FOLDER = new URL("../../addons/examples/", import.meta.url).pathname;

/** Replaces foo by bar in each kind of body, whatever the client's version, and across chunks. */
async function replaces(weir: Weir): Promise<void> {
  const parts = ["a foo", ", a f", "oo, f", "o", "o and a fo"];
  const expected = "a bar, a bar, bar and a fo";
  for (const serve of [withLength(parts.join("")), withChunks(parts), untilClose(parts.join(""))]) {
    await using server = await origin(serve);
    for (const version of ["HTTP/1.1", "HTTP/1.0"] as const) {
      const seen = await exchange(weir, server.url(), { version });
      assertEquals([seen.text, seen.end], [expected, "complete"]);
    }
  }
  await streams(weir, "text/plain");
}

/** The first piece of a response is here before the second is sent. */
async function streams(weir: Weir, type: string): Promise<void> {
  const gate = new Gate();
  await using server = await headThen(type, gate);
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  assertEquals(await body.nextText(), "first,");
  gate.open();
  assertEquals(await body.text(), "second");
}

function headThen(type: string, gate: Gate): Promise<Origin> {
  return origin(async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 12\r\n\r\nfirst,`);
    await gate.opened;
    await wire.send("second");
  });
}

/** A WebSocket connection through weir, closed in order afterwards. */
async function converse(
  weir: Weir,
  path: string,
  talk: (client: RawPeer, server: RawPeer) => Promise<void>,
): Promise<void> {
  await using backend = await rawServer();
  const { client: wire, peer: client } = await rawClient(weir, backend.origin, { path });
  await using _ = wire;
  const server = await backend.peer;
  await talk(client, server);
  await client.send(closeFrame(1000));
  assertEquals(await server.brief(), "close 1000");
  await server.send(closeFrame(1000));
  server.wire.close();
  assertEquals(await client.brief(), "close 1000");
}

/** What each example does; what a test returns is called when weir has ended. */
const EXAMPLES: Record<string, (weir: Weir) => Promise<void | (() => void)>> = {
  "stream_everything.ts": async (weir) => {
    await streams(weir, "text/plain");
    await using server = await origin(echo);
    assertEquals((await exchange(weir, server.url(), { method: "POST", body: "abc" })).text, "abc");
  },
  "stream_by_type.ts": async (weir) => {
    await streams(weir, "video/mp4");
    const gate = new Gate();
    await using server = await headThen("text/plain", gate);
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url()));
    // Buffered: an exchange on the side passes in the meantime, and nothing of this one has come.
    await streams(weir, "audio/ogg");
    assertEquals(client.bytesRead, 0);
    gate.open();
    assertEquals((await client.response()).text, "first,second");
  },
  "replace_generator.ts": replaces,
  "replace_chunks.ts": replaces,
  "replace_transform.ts": replaces,
  "scrub_model_stream.ts": async (weir) => {
    const event = (text: string) => `data: {"choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`;
    const parts = ["It is sk-live", "-01234", "56789.", ""].map(event);
    await using server = await origin(withChunks(parts, "Content-Type: text/event-stream\r\n"));
    const { text, end } = await exchange(weir, server.url());
    assertEquals([text, end], [["It is ", "", "[redacted].", ""].map(event).join(""), "complete"]);
  },
  "watermark_uploads.ts": async (weir) => {
    await using server = await origin(echo);
    const part = (type: string, text: string) =>
      `--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: ${type}\r\n\r\n${text}\r\n`;
    const send = async (type: string, body: string) =>
      (await exchange(weir, server.url(), { method: "POST", fields: `Content-Type: ${type}\r\n`, body }))
        .text;
    const form = `${part("text/plain", "hello")}${part("image/png", "hello")}--b--\r\n`;
    const marked = form.replace("hello", "hello\n-- uploaded through weir\n");
    assertEquals(await send("multipart/form-data; boundary=b", form), marked);
    assertEquals(await send("text/plain", form), form);
  },
  "rewrite_grpc.ts": async (weir) => {
    const type = "Content-Type: application/grpc\r\n";
    const frame = (text: string) => `\0\0\0\0${String.fromCharCode(text.length)}${text}`;
    await using server = await origin(async (wire, request) => {
      assertEquals(await BodyReader.ofRequest(wire, request).text(), frame("to testing"));
      const answer = frame("from staging");
      await withChunks([answer.slice(0, 12), answer.slice(12)], type)(wire, request);
    });
    const init = { method: "POST", fields: type, body: frame("to staging") };
    const { text } = await exchange(weir, server.url(), init);
    assertEquals(text, frame("from testing"));
  },
  "inject_script.ts": async (weir) => {
    const page = ["<!doctype html><HE", "AD><title>x</title></head>"];
    const html = (type: string) =>
      (async (wire) => {
        await wire.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
        for (const part of page) await wire.send(`${part.length.toString(16)}\r\n${part}\r\n`);
        await wire.send("0\r\n\r\n");
      }) as Parameters<typeof origin>[0];
    await using pages = await origin(html("text/html; charset=utf-8"));
    const script = '<script src="/injected.js"></script>';
    assertEquals(
      (await exchange(weir, pages.url())).text,
      `<!doctype html><HEAD>${script}<title>x</title></head>`,
    );
    await using others = await origin(html("text/plain"));
    assertEquals((await exchange(weir, others.url())).text, page.join(""));
  },
  "redact_json.ts": async (weir) => {
    const json =
      '{"user": {"email": "alice@example.com", "token": "t"}, "items": [{"price": 1.50, "n": 2}]}\n';
    await using server = await origin(async (wire) => {
      await wire.send(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n`,
      );
      for (const byte of json) await wire.send(byte);
    });
    const expected = '{"user": {"email": "***@example.com"}, "items": [{"price": 0, "n": 2}]}\n';
    assertEquals((await exchange(weir, server.url())).text, expected);
  },
  "scrub_secrets.ts": async (weir) => {
    const forms = ["s3cr3t/api key", "s3cr3t\\/api\\u0020key", "s3cr3t%2Fapi+key", "s3cr3t&#x2f;api key"];
    await using server = await origin(withChunks([...forms.join("|")]));
    assertEquals((await exchange(weir, server.url())).text, forms.map(() => "[redacted]").join("|"));
  },
  "count_bytes.ts": async (weir) => {
    await using server = await origin(echo);
    await exchange(weir, server.url(), { method: "POST", body: "12345" });
    await exchange(weir, server.url(), { method: "POST", body: "123" });
    await using half = await origin((wire) =>
      wire.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").then(() => wire.close())
    );
    assertEquals((await exchange(weir, half.url())).end, "fin");
    return () => assertEquals(weir.stdout.list.at(-1), "127.0.0.1: 8 up, 8 down, 1 cut");
  },
  "record_streams.ts": async (weir) => {
    const folder = `${weir.dir}/recordings`;
    const parts = ["data: one\n", "\ndata: two\n\n"];
    await using events = await origin(withChunks(parts, "Content-Type: text/event-stream\r\n"));
    assertEquals((await exchange(weir, events.url())).text, parts.join(""));
    await using page = await origin(withLength("<p>"));
    await exchange(weir, page.url());
    const files = [];
    for await (const { name } of Deno.readDir(folder)) files.push(name);
    assertEquals(files.length, 1);
    assertMatch(files[0], /^127\.0\.0\.1-[\w-]+\.sse$/);
    assertEquals(await Deno.readTextFile(`${folder}/${files[0]}`), parts.join(""));
  },
  "slow_network.ts": async (weir) => {
    const text = "x".repeat(23_000);
    await using server = await origin(withLength(text));
    const start = performance.now();
    assertEquals((await exchange(weir, server.url())).text, text);
    const ms = performance.now() - start;
    // 23 000 bytes less the burst of 4096 at 93 750 bytes a second, and 150 ms of delay.
    assert(ms >= 340, `the answer took ${ms} ms`);
  },
  "cut_at_byte.ts": async (weir) => {
    let fields = "";
    await using server = await origin(async (wire, request) => {
      fields += request.get("x-cut-at") ?? "";
      await withLength("0123456789")(wire, request);
    });
    const cutAt = (at: string) => exchange(weir, server.url(), { fields: `X-Cut-At: ${at}\r\n` });
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url(), { fields: "X-Cut-At: 4\r\n" }));
    await client.head();
    // Not all of the chunk comes.
    assertEquals(await client.readToEnd(), { text: "a\r\n0123", end: "fin" });
    const enough = await cutAt("10");
    assertEquals([enough.text, enough.end], ["0123456789", "complete"]);
    assertEquals((await cutAt("four")).text, "x-cut-at is a number of bytes, not four.\n");
    const whole = await exchange(weir, server.url());
    assertEquals([whole.text, whole.end, fields], ["0123456789", "complete", ""]);
  },
  "answer_stream.ts": async (weir) => {
    await using client = await Client.connect(weir);
    await client.send(absolute("http://clock.example/?events=3"));
    const head = await client.head();
    assertEquals([head.statusCode, head.get("content-type")], [200, "text/event-stream"]);
    const body = client.body(head);
    for (let i = 1; i <= 3; i++) assertMatch((await body.nextText())!, new RegExp(`^id: ${i}\\n.*\\n\\n$`));
    assertEquals(await body.next(), null);
    await using server = await origin(withLength("not mine"));
    assertEquals((await exchange(weir, server.url())).text, "not mine");
  },
  "websocket_log.ts": async (weir) => {
    await converse(weir, "/chat", async (client, server) => {
      await client.text("hello\x1b[31m");
      assertEquals(await server.brief(), "text hello\x1b[31m");
      await server.send({ opcode: 2, payload: new Uint8Array(3) });
      assertEquals((await client.frame()).payload, new Uint8Array(3));
    });
    await weir.waitForLog(/ 127\.0\.0\.1 -> text, 10 bytes: hello\\x1b\[31m$/);
    await weir.waitForLog(/ 127\.0\.0\.1 <- binary, 3 bytes$/);
    await weir.waitForLog(/ 127\.0\.0\.1: closed by the client with 1000$/);
  },
  "websocket_rewrite_json.ts": (weir) =>
    converse(weir, "/chat", async (client, server) => {
      const admin = '{"name":"ü","role":"admin"}';
      await client.text(admin);
      assertEquals(await server.brief(), 'text {"name":"ü","role":"guest"}');
      for (const text of ["no json", "null", '{ "name": 1 }']) {
        await client.text(text);
        assertEquals(await server.brief(), `text ${text}`);
      }
      await server.text(admin);
      assertEquals(await client.brief(), `text ${admin}`);
    }),
  "websocket_drop_inject.ts": (weir) =>
    converse(weir, "/chat", async (client, server) => {
      assertEquals(await client.brief(), "text weir is listening");
      await client.text("secret plan");
      await client.text("hello");
      assertEquals(await server.brief(), "text hello");
      assertEquals(await client.brief(), "text that stays here");
      await server.text("secret of the server");
      assertEquals(await client.brief(), "text secret of the server");
    }),
  "websocket_stream.ts": async (weir) => {
    for (const path of ["/live/ticker", "/chat"]) {
      await converse(weir, path, async (client, server) => {
        await server.send({ fin: false, opcode: 1, payload: "first," });
        await server.send({ opcode: 9 });
        const streamed = path === "/live/ticker";
        assertEquals(await client.brief(), streamed ? "text+ first," : "ping");
        await server.send({ opcode: 0, payload: "second" });
        const rest = streamed ? ["ping", "cont second"] : ["text+ first,", "cont second"];
        for (const expected of rest) assertEquals(await client.brief(), expected);
      });
    }
  },
};

for await (const { name } of Deno.readDir(FOLDER)) {
  Deno.test(`example ${name}`, async () => {
    const test = EXAMPLES[name];
    assert(test !== undefined, `${name} has no test in tests/e2e/examples_test.ts`);
    await using weir = await startWeir({ args: ["-s", FOLDER + name] });
    const afterwards = await test(weir);
    await weir.stop();
    afterwards?.();
    assertEquals(weir.stderr.list.filter((line) => /error|warn/i.test(line)), []);
  });
}
