/**
 * Uploads over HTTP/2 that are answered before their end (RFC 9113 §8.1): the answer must reach clients that are known to
 * lose it when the reset comes with it (curl 7.88, Node's client).
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { curl } from "./support/client.ts";
import { http2Origin } from "./support/http2.ts";
import { Nginx } from "./support/nginx.ts";
import { bulk, origin } from "./support/origin.ts";
import { recorder, startProxy, streamAll, type TestProxy } from "./support/proxy.ts";
import { has } from "./support/tools.ts";
import { Events, within } from "./support/within.ts";

const UPLOAD = 20_000_000;
const TIMES = 12;

const NODE_CLIENT = `
import h2 from "node:http2";
const session = h2.connect(process.argv[2], { rejectUnauthorized: false });
const stream = session.request({ ":method": "PUT", ":path": "/refused/x", "content-length": ${UPLOAD} });
let seen = "";
stream.on("response", (head) => seen += head[":status"] + " ");
stream.on("data", (piece) => seen += "+" + piece.length);
stream.on("error", (error) => seen += " " + error.message);
stream.on("close", () => { console.log(seen, stream.rstCode); process.exit(); });
const piece = Buffer.alloc(16_000);
let sent = 0;
const write = () => {
  for (; sent < ${UPLOAD}; sent += piece.length) if (!stream.write(piece)) return stream.once("drain", write);
  stream.end();
};
write();
`;

/** What curl and Node's client see of \`TIMES\` uploads each. */
async function upload(proxy: TestProxy, answer: RegExp): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "weir-early-" });
  try {
    await Deno.writeFile(`${dir}/up`, new Uint8Array(UPLOAD));
    await Deno.writeTextFile(`${dir}/client.mjs`, NODE_CLIENT);
    const url = `https://localhost:${proxy.port}`;
    const args = ["-k", "--http2", "-T", `${dir}/up`, "-o", `${dir}/page`, "-w", "%{stderr}%{http_code}"];
    const seen: string[] = [];
    for (let i = 0; i < TIMES; i++) {
      const { code, stderr } = await curl(...args, `${url}/refused/x`);
      seen.push(`${code} ${stderr} ${(await Deno.stat(`${dir}/page`)).size > 0}`);
    }
    assertEquals(seen, Array(TIMES).fill("0 413 true"));
    if (!has("node", "Node's HTTP/2 client and an upload that is answered early")) return;
    for (let i = 0; i < TIMES; i++) {
      const node = new Deno.Command("node", { args: [`${dir}/client.mjs`, url] }).output();
      assertMatch(new TextDecoder().decode((await within(20_000, node, "Node's client")).stdout), answer);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** 413, the page, and the reset that is not an error. */
const ANSWERED = /^413 \+\d+(\+\d+)* 0\n$/;

Deno.test("an upload that the origin answers early and resets: curl and Node's client get the answer", async () => {
  await using server = await http2Origin(async (peer, id) => {
    await peer.windowUpdate(0, UPLOAD);
    for (let got = 0; got < 50_000;) got += (await peer.readOn()).payload.length;
    await peer.headers(id, [":status", "413", "content-length", "4"], 0);
    await peer.data(id, "big\n", true);
    await peer.rst(id, 0);
  });
  const ends = new Events();
  await using proxy = await startProxy([streamAll, recorder(ends)], { mode: [`reverse:${server.url("")}`] });
  await upload(proxy, ANSWERED);
  await ends.until(() => ends.list.filter((name) => name === "error").length === 2 * TIMES, "their ends");
  assertEquals(ends.list.filter((name) => name === "complete"), []);
});

Deno.test("an upload that nginx refuses: curl and Node's client get the answer", async () => {
  await using nginx = await Nginx.start();
  await using proxy = await startProxy(streamAll, { mode: [`reverse:https://${nginx.authority}`] });
  await upload(proxy, ANSWERED);
});

for (const streamed of [true, false]) {
  Deno.test(`an upload over body_size_limit, ${streamed ? "streamed" : "buffered"}: curl and Node's client get the answer`, async () => {
    await using server = await origin(bulk(1), { tls: true });
    await using proxy = await startProxy(streamed ? streamAll : [], {
      mode: [`reverse:${server.url("")}`],
      http2_upstream: "any",
      body_size_limit: "64k",
    });
    await upload(proxy, ANSWERED);
  });
}
