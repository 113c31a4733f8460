/** A page in Chromium talks through weir: ws and wss, with and without permessage-deflate. @module */
import { assertEquals } from "@std/assert";
import { browse } from "./support/browser.ts";
import { type Options, startProxy } from "./support/proxy.ts";
import { recordWebSocket } from "./support/websocket.ts";
import { echoServer } from "./support/websocket_server.ts";
import { Events } from "./support/within.ts";

/** What one conversation was like, as the page saw it. */
interface Report {
  url: string;
  extensions: string;
  /** Bytes or characters of each echo, and whether it is what was sent. */
  echoes: [kind: string, size: number, same: boolean][];
  close: [code: number, reason: string, wasClean: boolean];
}

/** Runs in the page; it knows nothing of what is outside of it. */
async function inPage(urls: string[]): Promise<void> {
  const noise = new Uint8Array(10 * 1024 * 1024);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  const messages = [
    "text",
    "",
    new Uint8Array(0),
    "Grüße, 世界 😀 ".repeat(1000),
    noise,
    new Uint8Array([0, 255]),
  ];
  const talk = (url: string) =>
    new Promise<Report>((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      const echoes: Report["echoes"] = [];
      socket.onopen = () => messages.forEach((message) => socket.send(message));
      socket.onerror = () => reject(new Error(`${url} failed`));
      socket.onmessage = ({ data }) => {
        const sent = messages[echoes.length];
        const seen = typeof data === "string" ? data : new Uint8Array(data);
        const same = typeof seen === "string" || typeof sent === "string"
          ? seen === sent
          : seen.length === sent.length && seen.every((byte, i) => byte === sent[i]);
        echoes.push([typeof seen === "string" ? "text" : "binary", seen.length, same]);
        if (echoes.length === messages.length) socket.close(4000, "that is all");
      };
      socket.onclose = ({ code, reason, wasClean }) =>
        resolve({ url, extensions: socket.extensions, echoes, close: [code, reason, wasClean] });
    });
  let body;
  try {
    const reports = [];
    for (const url of urls) reports.push(await talk(url));
    body = JSON.stringify(reports);
  } catch (error) {
    body = JSON.stringify(String(error));
  }
  await fetch("/report", { method: "POST", body });
}

const ECHOES: Report["echoes"] = [
  ["text", 4, true],
  ["text", 0, true],
  ["binary", 0, true],
  ["text", 13_000, true],
  ["binary", 10 << 20, true],
  ["binary", 2, true],
];

const MODES: [string, Options][] = [["message mode", {}], ["stream mode", { stream_websockets: true }]];
for (const [mode, options] of MODES) {
  Deno.test(`a page in Chromium talks ws and wss, with and without compression (${mode})`, async () => {
    const events = new Events();
    await using plain = await echoServer();
    await using plainDeflate = await echoServer({ deflate: { threshold: 0 } });
    await using secure = await echoServer({ secure: true });
    await using secureDeflate = await echoServer({ secure: true, deflate: { threshold: 0 } });
    const servers = [plain, plainDeflate, secure, secureDeflate];
    const { promise: reported, resolve } = Promise.withResolvers<Report[] | string>();
    const page = `<!doctype html><script>(${inPage})(${
      JSON.stringify(servers.map(({ url }) => url))
    })</script>`;
    plain.http.on("request", (request, response) => {
      if (request.method === "GET") {
        return response.setHeader("content-type", "text/html; charset=utf-8").end(page);
      }
      let text = "";
      request.on("data", (chunk) => text += chunk);
      request.on("end", () => {
        response.end();
        resolve(JSON.parse(text));
      });
    });
    await using proxy = await startProxy(recordWebSocket(events), options);
    const reports = await browse(proxy, `http://127.0.0.1:${plain.port}/`, reported);
    const deflated = ["", "permessage-deflate", "", "permessage-deflate"];
    const expected = servers.map(({ url }, i) => ({
      url,
      extensions: deflated[i],
      echoes: ECHOES,
      close: [4000, "that is all", true],
    }));
    assertEquals(reports, expected as unknown as Report[]);
    assertEquals(events.count("websocket_end 4000"), servers.length);
    assertEquals(events.list.filter((event) => event.startsWith("message")).length, 8 * ECHOES.length);
  });
}
