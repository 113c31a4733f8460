/** The providers' own clients read a model's answer through weir, while a secret that is split over tokens is taken out of it. @module */
import Anthropic from "@anthropic-ai/sdk";
import { assert, assertEquals } from "@std/assert";
import OpenAI from "openai";
import { gzipSync } from "node:zlib";
import { type Addon, decoded, modelStream, redactStream } from "weir";
import {
  anthropicStream,
  anthropicWhole,
  chatStream,
  chatWhole,
  type Provider,
  responsesStream,
  responsesWhole,
  type Said,
} from "../streams/units/model_fixtures.ts";
import { Client } from "./support/client.ts";
import { BodyReader, type Head } from "./support/http.ts";
import { type Origin, origin } from "./support/origin.ts";
import { startProxy, type TestProxy } from "./support/proxy.ts";
import type { Wire } from "./support/wire.ts";

const SECRET = "sk-live-0123456789";

/** The secret in the middle, in tokens of a few letters, and its beginning at the end. */
const tokens = (before: string) => [before, " sk", "-li", "ve-01", "2345", "67", "89,", " or", " sk-live"];
const SAID: Said = {
  text: tokens("The key is"),
  reasoning: tokens("They want"),
  tool: ['{"path": "', ...tokens("/tmp/").slice(1, -2), '"}'],
};
const HEARD = {
  text: "The key is [redacted], or sk-live",
  reasoning: "They want [redacted], or sk-live",
  tool: { path: " [redacted]," },
};

const scrub: Addon = {
  responseheaders({ response }) {
    response!.stream = decoded(response!, modelStream(response!, () => redactStream(SECRET)));
  },
};

/** Sends a body as a provider does: event by event. */
async function send(wire: Wire, { type }: Provider, body: string, isPacked: boolean): Promise<void> {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n`;
  await wire.send(head + (isPacked ? "Content-Encoding: gzip\r\n\r\n" : "\r\n"));
  const bytes = isPacked
    ? [new Uint8Array(gzipSync(body))]
    : body.split(/(?<=\n\r?\n)/).map((event) => new TextEncoder().encode(event));
  for (const piece of bytes) {
    await wire.send(`${piece.length.toString(16)}\r\n`);
    await wire.send(piece);
    await wire.send("\r\n");
  }
  await wire.send("0\r\n\r\n");
}

/** An origin with the providers' paths; a path that begins with `/gzip` answers packed. */
function models(): Promise<Origin> {
  return origin(async (wire, request: Head) => {
    const asked = JSON.parse(await BodyReader.ofRequest(wire, request).text());
    const whole = { chat: chatWhole, responses: responsesWhole, messages: anthropicWhole };
    const streams = { chat: chatStream, responses: responsesStream, messages: anthropicStream };
    const name = (["chat", "responses", "messages"] as const).find((name) => request.target.includes(name))!;
    const provider = (asked.stream ? streams : whole)[name];
    await send(wire, provider, provider.write(SAID), request.target.includes("/gzip"));
  });
}

/** `fetch` through the proxy. */
function fetchThrough(proxy: TestProxy): { fetch: typeof fetch } & Disposable {
  const client = Deno.createHttpClient({ proxy: { url: proxy.url } });
  return {
    fetch: (input, init) =>
      fetch(input as string, { ...init, client } as RequestInit & { client: Deno.HttpClient }),
    [Symbol.dispose]: () => client.close(),
  };
}

Deno.test("openai and @anthropic-ai/sdk read a consistent answer, streamed and whole, without the secret", async () => {
  await using server = await models();
  await using proxy = await startProxy(scrub);
  using through = fetchThrough(proxy);
  for (const path of ["", "/gzip"]) {
    const url = `http://${server.authority}${path}`;
    const openai = new OpenAI({ apiKey: "key", baseURL: `${url}/v1`, fetch: through.fetch, maxRetries: 0 });
    const anthropic = new Anthropic({ apiKey: "key", baseURL: url, fetch: through.fetch, maxRetries: 0 });
    const asked = [{ role: "user" as const, content: "?" }];

    const chat = openai.chat.completions.stream({ model: "gpt-5", messages: asked });
    const chosen = (await chat.finalChatCompletion()).choices[0];
    assertEquals(chosen.message.content, HEARD.text);
    const [called] = chosen.message.tool_calls!;
    assert(called.type === "function");
    assertEquals([called.id, called.function.name, JSON.parse(called.function.arguments)], [
      "call_1",
      "read",
      HEARD.tool,
    ]);
    const whole =
      (await openai.chat.completions.create({ model: "gpt-5", messages: asked })).choices[0].message;
    assertEquals(whole.content, HEARD.text);

    const numbers: number[] = [];
    let said = "";
    const stream = openai.responses.stream({ model: "gpt-5", input: "?" });
    stream.on("event", (event) => void numbers.push(event.sequence_number));
    stream.on("response.output_text.delta", (event) => void (said += event.delta));
    const response = await stream.finalResponse();
    assertEquals([said, response.output_text], [HEARD.text, HEARD.text]);
    assertEquals(numbers, numbers.map((_, index) => index));
    const [reasoned, , call] = response.output;
    assert(reasoned.type === "reasoning" && call.type === "function_call");
    assertEquals([reasoned.summary[0].text, JSON.parse(call.arguments)], [HEARD.reasoning, HEARD.tool]);
    const answer = await openai.responses.create({ model: "gpt-5", input: "?" });
    assertEquals(answer.output_text, HEARD.text);

    const events = anthropic.messages.stream({ model: "claude-test", max_tokens: 100, messages: asked });
    let text = "";
    events.on("text", (delta) => void (text += delta));
    const [thinking, block, tool] = (await events.finalMessage()).content;
    assert(thinking.type === "thinking" && block.type === "text" && tool.type === "tool_use");
    assertEquals([thinking.thinking, text, block.text, tool.input], [
      HEARD.reasoning,
      HEARD.text,
      HEARD.text,
      HEARD.tool,
    ]);
    const { content } = await anthropic.messages.create({
      model: "claude-test",
      max_tokens: 100,
      messages: asked,
    });
    const input = content[2].type === "tool_use" ? content[2].input : null;
    const redacted = SAID.tool.join("").replace(SECRET, "[redacted]");
    assertEquals(input, { path: redacted, n: 1.5, deep: [{ again: redacted }] });
  }
  assertEquals(proxy.log.list.filter((line) => /^(warn|error)/.test(line)), []);
});

Deno.test("an event that weir rewrites is at most a millisecond later than one that it only forwards (p50)", async () => {
  const events = 300;
  const turns = Array.from({ length: events }, () => Promise.withResolvers<void>());
  const waits = Array.from({ length: events }, () => Promise.withResolvers<void>());
  await using server = await origin(async (wire, request) => {
    await wire.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const isPlain = request.target.includes("plain");
    for (let n = 0; n < events; n++) {
      await turns[n].promise;
      const data = `data: {"choices":[{"index":0,"delta":{"content":"word ${n} sk-"}}]}\n\n`;
      if (isPlain) await waits[n].promise;
      await wire.send(`${data.length.toString(16)}\r\n${data}\r\n`);
    }
    await wire.send("0\r\n\r\n");
  });
  await using proxy = await startProxy({
    responseheaders({ request, response }) {
      const isPlain = request.path.includes("plain");
      response!.stream = isPlain ? true : modelStream(response!, () => redactStream(SECRET));
    },
  });
  const open = async (path: string) => {
    const client = await Client.connect(proxy);
    await client.send(`GET http://${server.authority}/${path} HTTP/1.1\r\nHost: ${server.authority}\r\n\r\n`);
    return { client, body: client.body(await client.head()) };
  };
  const plain = await open("plain"), changed = await open("changed");
  await using _one = plain.client, _two = changed.client;
  const times: { plain: number[]; changed: number[] } = { plain: [], changed: [] };
  // One event each in turns, so that both are measured at the same time and on the same machine.
  for (let n = 0; n < events; n++) {
    let start = performance.now();
    turns[n].resolve();
    await changed.body.next();
    times.changed.push(performance.now() - start);
    start = performance.now();
    waits[n].resolve();
    await plain.body.next();
    times.plain.push(performance.now() - start);
  }
  const p50 = (list: number[]) => list.toSorted((a, b) => a - b)[list.length / 2];
  const added = p50(times.changed) - p50(times.plain);
  assert(added <= 1, `It is ${added} ms later.`);
});
