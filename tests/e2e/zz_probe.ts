import net from "node:net";
import tls from "node:tls";
import https from "node:https";
// @ts-types="../websocket/ws.d.ts"
import { WebSocket, WebSocketServer } from "ws";
import { startProxy } from "./support/proxy.ts";
import { serverCertificate } from "./support/certs.ts";
import { Client } from "./support/client.ts";
const proxy = await startProxy([{ websocket_start: () => console.log("start"), websocket_message: (f) => console.log("msg", f.websocket!.messages.at(-1)!.size), websocket_end: (f) => console.log("end", f.websocket!.closeCode), complete: () => console.log("complete"), error: (f) => console.log("error", f.error!.message) }], {});
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true });
await new Promise<void>((r) => server.on("listening", r));
server.on("connection", (s) => s.on("message", (d, isBinary) => s.send(d, { binary: isBinary })));
const port = server.address().port;
async function talk(name: string, ws: any) {
  await new Promise((r, j) => { ws.on("open", r); ws.on("error", j); });
  const got = new Promise<any>((r) => ws.on("message", r));
  ws.send("hello " + name);
  console.log(name, ws.extensions, String(await got));
  const c = new Promise((r) => ws.on("close", (...a: unknown[]) => r(a.map(String))));
  ws.close(1000, "bye");
  console.log(await c);
}
const W = WebSocket as any;
await talk("absolute", new W(`ws://127.0.0.1:${port}/x`, [], { createConnection: () => net.connect(proxy.port, "127.0.0.1"), finishRequest: (req: any) => { req.path = `http://127.0.0.1:${port}/x`; req.end(); } }));
async function connect(authority: string) {
  const s = net.connect(proxy.port, "127.0.0.1");
  await new Promise<void>((r) => s.once("connect", r));
  s.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const d: any = await new Promise((r) => s.once("data", r));
  console.log(d.toString().split("\r\n")[0]);
  return s;
}
const s1 = await connect(`127.0.0.1:${port}`);
await talk("connect", new W(`ws://127.0.0.1:${port}/x`, [], { createConnection: () => s1 }));
const cert = await serverCertificate();
const hs = https.createServer({ ...cert });
await new Promise<void>((r) => hs.listen(0, "127.0.0.1", () => r()));
const sport = (hs.address() as any).port;
const wss = new (WebSocketServer as any)({ server: hs });
wss.on("connection", (s: any) => s.on("message", (d: any, isBinary: boolean) => s.send(d, { binary: isBinary })));
const s2 = await connect(`localhost:${sport}`);
const ca = await proxy.ca();
await talk("wss", new W(`wss://localhost:${sport}/x`, [], { createConnection: () => tls.connect({ socket: s2, servername: "localhost", ca }) }));
// Deno
const client = Deno.createHttpClient({ proxy: { url: proxy.url }, caCerts: [ca] });
for (const u of [`ws://127.0.0.1:${port}/deno`, `wss://localhost:${sport}/deno`]) {
  const d = new globalThis.WebSocket(u, { client } as any);
  await new Promise((r, j) => { d.onopen = r; d.onerror = (e) => j(new Error((e as any).message)); });
  const got = new Promise<any>((r) => d.onmessage = (e) => r(e.data));
  d.send("deno");
  console.log("deno", await got, d.extensions);
  const c = new Promise<any>((r) => d.onclose = r);
  d.close(3000, "x");
  console.log((await c).code);
}
client.close();
wss.close(); hs.close(); server.close();
await proxy.stop();
console.log(proxy.log.list);
