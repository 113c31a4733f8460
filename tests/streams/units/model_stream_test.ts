import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../../src/errors.ts";
import { replaceStream } from "../../../src/streams/replace.ts";
import type { ChannelStages } from "../../../src/streams/units/mod.ts";
import { type ModelChannel, modelStream } from "../../../src/streams/units/mod.ts";
import { turn, utf8 } from "../support.ts";
import {
  anthropicStream,
  chatStream,
  geminiArray,
  heardObject,
  ollamaStream,
  type Provider,
  PROVIDERS,
  responsesStream,
  type Said,
  WITH_OBJECTS,
} from "./model_fixtures.ts";
import { byteByByte, cutAt, cuts, Fed, textThrough } from "./support.ts";

const SECRET = "sk-live";

const message = ({ type }: Pick<Provider, "type">) => ({ headers: new Headers({ "content-type": type }) });

/** Texts full of secrets and of their beginnings, in tokens of any length. */
const tokens = fc.array(
  fc.oneof(
    fc.constantFrom(
      "sk-live",
      "sk-",
      "sk",
      "s",
      "live",
      "-li",
      "ve",
      "k-live",
      " ",
      '"',
      "\\",
      "ä",
      "😀",
      "\n",
      "\ufffd",
    ),
    fc.string({ maxLength: 4, unit: "grapheme" }),
  ),
  { minLength: 1, maxLength: 12 },
);
const said: fc.Arbitrary<Said> = fc.record({ text: tokens, reasoning: tokens, tool: tokens });

const heardFrom = (provider: Provider, { text, reasoning, tool }: Said, change = (text: string) => text) => ({
  text: change(text.join("")),
  reasoning: change(reasoning.join("")),
  tool: WITH_OBJECTS.has(provider) ? heardObject(change(tool.join(""))) : change(tool.join("")),
});

/** Ways to change a text, with the plain operation. */
const CHANGES: { name: string; stages: () => ChannelStages; plain: (text: string) => string }[] = [
  {
    name: "a stage of weir's",
    stages: () => replaceStream(SECRET, "[key]"),
    plain: (text) => text.replaceAll(SECRET, "[key]"),
  },
  {
    name: "a web stream",
    stages: () => {
      let held = "";
      return new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          held += Array.from(chunk, (byte) => String.fromCharCode(byte)).join("");
          held = held.replaceAll(SECRET, "#");
          // Holds more than it needs.
          const out = held.slice(0, -10);
          held = held.slice(-10);
          controller.enqueue(Uint8Array.from(out, (char) => char.charCodeAt(0)));
        },
        flush(controller) {
          controller.enqueue(Uint8Array.from(held, (char) => char.charCodeAt(0)));
        },
      });
    },
    plain: (text) => text.replaceAll(SECRET, "#"),
  },
  {
    name: "several stages, one of which awaits",
    stages: () => [
      replaceStream(SECRET, "a"),
      async function* (chunks) {
        for await (const chunk of chunks) {
          await Promise.resolve();
          yield chunk;
        }
      },
      replaceStream("a", "bb"),
    ],
    plain: (text) => text.replaceAll(SECRET, "a").replaceAll("a", "bb"),
  },
];

for (const provider of PROVIDERS) {
  Deno.test(`${provider.name}: stages that change nothing leave every byte, at every split`, async () => {
    await fc.assert(
      fc.asyncProperty(said, cuts, async (said, places) => {
        const body = provider.write(said);
        assertEquals(provider.read(body), heardFrom(provider, said));
        for (const stages of [() => replaceStream("\0", "x"), () => undefined]) {
          for (const pieces of [cutAt(utf8(body), places), byteByByte(utf8(body))]) {
            // A cut beginning of a text that is held comes out one event later: nothing here begins with NUL.
            assertEquals(await textThrough(modelStream(message(provider), stages), pieces), body);
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  for (const { name, stages, plain } of CHANGES) {
    Deno.test(`${provider.name}: each text is what ${name} makes of it, at every split`, async () => {
      await fc.assert(
        fc.asyncProperty(said, cuts, async (said, places) => {
          const body = utf8(provider.write(said));
          const asked: string[] = [];
          const stage = (channels?: string[]) =>
            modelStream(message(provider), ({ kind, index, name, id }) => {
              channels?.push([kind, index, name, id].filter((part) => part !== undefined).join(" "));
              return stages();
            });
          const out = await textThrough(stage(asked), [body]);
          assertEquals(provider.read(out), heardFrom(provider, said, plain));
          assertEquals(await textThrough(stage(), cutAt(body, places)), out);
          const isSaid = [said.reasoning, said.text, said.tool].map((parts, index) =>
            parts.join("") !== "" || (index === 2 && WITH_OBJECTS.has(provider))
          );
          assertEquals(asked.toSorted(), provider.channels.filter((_, index) => isSaid[index]));
        }),
        { numRuns: 30 },
      );
    });
  }
}

const said1 = (...text: string[]): Said => ({ text, reasoning: ["r"], tool: ["{}"] });
const secretsOnly = ({ kind }: ModelChannel) => kind === "text" ? replaceStream(SECRET, "[key]") : undefined;

for (const provider of [chatStream, responsesStream, anthropicStream, geminiArray, ollamaStream]) {
  Deno.test(`${provider.name}: each event goes out with its last byte, and what it decides is in it`, async () => {
    const body = provider.write(said1("a sk", "-li", "ve b", " sk"));
    const events = body.match(
      /data:.*\r?\n(?:\r?\n)|event:.*\r?\ndata:.*\r?\n\r?\n|: .*\n\n|\{"model".*\n|[\[\n,\r]*\{\n[^]*?\n\}/g,
    )!;
    const fed = new Fed(modelStream(message(provider), secretsOnly));
    const texts: string[] = [];
    for (const event of events) {
      const out = await fed.push(event);
      assert(out !== "", event);
      const all = [...out.matchAll(/"(?:content|delta|text)": ?"([^"]*)"/g)].map(([, text]) => text);
      texts.push(all.join("+"));
    }
    const from = texts.findIndex((text) => text.startsWith("a"));
    assertEquals(texts.slice(from, from + 3), ["a ", "", "[key] b"]);
    assertStringIncludes(body, events.join("").slice(0, 100));
    assertEquals(
      provider.read(await textThrough(modelStream(message(provider), secretsOnly), [body])).text,
      "a [key] b sk",
    );
  });
}

Deno.test("what is held at the end comes in an event before the one that ends the channel", async () => {
  const between = async (provider: Provider) => {
    const body = provider.write({ text: ["x sk-l"], reasoning: [], tool: ["1"] });
    const out = await textThrough(modelStream(message(provider), secretsOnly), [body]);
    return out.split(/\r?\n/).filter((line) => !body.includes(line) && line !== "");
  };
  assertEquals(await between(chatStream), [
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764313200,"model":"gpt-5","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"x "},"logprobs":null,"finish_reason":null}],"usage":null}',
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764313200,"model":"gpt-5","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"sk-l"},"logprobs":null,"finish_reason":null}],"usage":null}',
  ]);
  assertEquals(await between(anthropicStream), [
    'data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x "}}',
    'data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"sk-l"}}',
  ]);
  assertEquals(await between(ollamaStream), [
    '{"model":"qwen3","created_at":"2026-11-28T07:00:00.5Z","message":{"role":"assistant","content":"x "},"done":false}',
    '{"model":"qwen3","created_at":"2026-11-28T07:00:00.5Z","message":{"role":"assistant","content":"sk-l"},"done":false}',
  ]);
});

Deno.test("a stream that ends without the event that ends its channels still says all of the text", async () => {
  for (const provider of [chatStream, responsesStream, anthropicStream, ollamaStream, geminiArray]) {
    const body = provider.write({ text: ["x", " sk-l"], reasoning: [], tool: ["1"] });
    const at = body.indexOf(" sk-l");
    const end = provider === geminiArray ? body.indexOf("\n}", at) + 2 : body.indexOf("\n", at) + 1;
    const rest = provider === geminiArray ? "]" : provider === ollamaStream ? "" : "\n";
    // The finish of Gemini's last chunk is left out as well.
    const cut = body.slice(0, end).replace(/,\s+"finishReason": "STOP"/, "") + rest;
    const out = await textThrough(modelStream(message(provider), secretsOnly), [cut]);
    const texts = [...out.matchAll(/"(?:content|delta|text)": ?"([^"]*)"/g)].map(([, text]) => text);
    assertEquals(texts.filter((text) => text !== ""), ["x", " ", "sk-l"], provider.name);
  }
});

Deno.test("what is held at the end stands before an event that never became whole", async () => {
  const chunk = (content: string) =>
    `data: {"choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`;
  const rest = 'data: {"choices":[';
  for (const pieces of [[chunk("a sk"), rest], byteByByte(utf8(chunk("a sk") + rest))]) {
    const out = await textThrough(modelStream(message(chatStream), secretsOnly), pieces);
    assertEquals(out, chunk("a ") + chunk("sk") + rest);
  }
  const line = (content: string) =>
    `{"model":"m","message":{"role":"assistant","content":"${content}"},"done":false}`;
  const lines = await textThrough(modelStream(message(ollamaStream), secretsOnly), [
    `${line("a sk-")}\n${line("live s")}`,
  ]);
  assertEquals(lines, [line("a "), line("[key] "), line("s")].join("\n"));
});

Deno.test("only the text is written anew: numbers, white space and order stay", async () => {
  const head = '{ "created":1.50, "choices" : [ {"delta":{"content":';
  const body =
    `data: ${head}"a\\u0062 sk-live"}, "index":0,"logprobs":{"content":[{"token":"sk"}]}}],"x":1e3 }\n\n`;
  const out = await textThrough(modelStream(message(chatStream), secretsOnly), [body]);
  assertEquals(out, `data: ${head}"ab [key]"}, "index":0,"logprobs":null}],"x":1e3 }\n\n`);
});

Deno.test("a character that is cut in two between deltas stays one", async () => {
  const body = chatStream.write({ text: ["a\ud83d", "\ude00b"], reasoning: [], tool: ["1"] });
  const out = await textThrough(modelStream(message(chatStream), () => replaceStream("😀b", "!")), [body]);
  assertEquals(chatStream.read(out).text, "a!");
});

Deno.test("half a character at the end of a text is what UTF-8 makes of it", async () => {
  const body = chatStream.write({ text: ["a\ud83d"], reasoning: [], tool: ["1"] });
  const out = await textThrough(modelStream(message(chatStream), secretsOnly), [body]);
  assertEquals(chatStream.read(out).text, "a\ufffd");
});

Deno.test("through web streams, too, a delta's text comes out in its own event", async () => {
  const chunk = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
  const upper = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, controller) =>
        controller.enqueue(bytes.map((byte) => byte > 0x60 ? byte - 32 : byte)),
    });
  const words = ["one", "two", "three"];
  for (
    const stages of [upper, () => [upper(), new TransformStream()], () => [replaceStream("\0", ""), upper()]]
  ) {
    const out = await textThrough(modelStream(message(chatStream), stages), words.map(chunk));
    assertEquals(out, words.map((word) => chunk(word.toUpperCase())).join(""));
  }
});

Deno.test("several choices are several texts", async () => {
  const chunk = (index: number, content: string) =>
    `data: {"choices":[{"index":${index},"delta":{"content":"${content}"}}]}\n\n`;
  const body = chunk(0, "sk-") + chunk(1, "sk-l") + chunk(0, "live") + chunk(1, "ive") + chunk(10, "sk-live");
  const asked: number[] = [];
  const stage = modelStream(message(chatStream), (channel) => {
    asked.push(channel.index);
    return secretsOnly(channel);
  });
  assertEquals(
    await textThrough(stage, [body]),
    chunk(0, "") + chunk(1, "") + chunk(0, "[key]") + chunk(1, "[key]") + chunk(10, "[key]"),
  );
  assertEquals(asked, [0, 1, 10]);
});

Deno.test("other bodies, and events that are no model's, pass byte for byte as they come", async () => {
  const never = () => {
    throw new Error("There is nothing to ask about.");
  };
  const bodies: [string, string][] = [
    ["text/html", "<p>choices</p>"],
    [
      "text/event-stream",
      'data: {"choices":[]}\n\ndata: tick\n\ndata: [1]\n\ndata: {"type":"ping"}\n\ndata: {"a":"',
    ],
    ["application/x-ndjson", '{"a":1}\nnull\nno json\n\n{"done":true}'],
    ["application/json", '{"object":"list","data":[{"embedding":[1.0,2e3]}]}\n'],
    ["application/json", '[1, {"a":1}, {"b":[{}]}]'],
    ["application/json", '{"choices": [{"message": {"content": "cut'],
    ["application/json", ' "text"'],
    ["application/json", ""],
    ["application/json", '{"error":{"message":"sk-live"}}'],
    ["image/png", "\x89PNG"],
  ];
  for (const [type, body] of bodies) {
    for (const pieces of [[utf8(body)], byteByByte(utf8(body))]) {
      assertEquals(
        await textThrough(modelStream(message({ type }), never), pieces.filter((p) => p.length > 0)),
        body,
      );
    }
  }
  const fed = new Fed(modelStream(message({ type: "application/json" }), never));
  assertEquals(await fed.push("[1,"), "[1,");
  assertEquals(await fed.push('{"a"'), "");
  assertEquals(await fed.push(":1}"), '{"a":1}');
  assertEquals(await fed.push(',{"a"'), ',{"a"');
});

Deno.test("a large JSON body that is no model's passes, one that is is cut", async () => {
  const type = "application/json";
  const long = "x".repeat(100);
  const others = [
    `{"object":"list","data":"${long}"}`,
    `{"messages":[{"content":[{"message":{"response":"${long}"}}]}]}`,
    `{"a":"choices:[","content":"${long}","response":{},"message":"{","b\\"":[]}`,
    `[{"a":{"candidates":[]},"data":"${long}"},{"candidates":"${long}"}]`,
  ];
  for (const other of others) {
    for (const pieces of [[utf8(other)], cutAt(utf8(other), [20, 40]), byteByByte(utf8(other))]) {
      assertEquals(
        await textThrough(modelStream(message({ type }), secretsOnly, { hold: 50 }), pieces),
        other,
      );
    }
  }
  for (const body of [`{"a":{}, "choices" : ["${long}"]}`, `[{"candidates":["${long}"]}]`]) {
    const error = await assertRejects(
      () =>
        textThrough(modelStream(message({ type }), secretsOnly, { hold: 50 }), cutAt(utf8(body), [20, 40])),
      WeirError,
      "modelStream would have to hold back more than 50 bytes",
    );
    assertEquals((error as WeirError).code, "limit");
  }
});

Deno.test("text that is to be repeated has a bound", async () => {
  const body = responsesStream.write(said1(...Array.from({ length: 50 }, () => "x".repeat(50))));
  // No event says all of it.
  const deltas = body.slice(0, body.indexOf("data:", body.lastIndexOf("output_text.delta")));
  const fed = new Fed(modelStream(message(responsesStream), secretsOnly, { hold: 2000 }));
  await fed.push(deltas);
  assertEquals((fed.error as WeirError)?.code, "limit");
  const enough = new Fed(modelStream(message(responsesStream), secretsOnly, { hold: 3000 }));
  await enough.push(deltas);
  assertEquals(enough.error, null);
});

Deno.test("texts that are open at the same time have a bound", async () => {
  const delta = (index: number) => `data: {"choices":[{"index":${index},"delta":{"content":"a"}}]}\n\n`;
  const many = Array.from({ length: 1001 }, (_, index) => delta(index));
  const stage = () => modelStream(message(chatStream), () => undefined);
  assertEquals(await textThrough(stage(), many.slice(0, 1000)), many.slice(0, 1000).join(""));
  const error = await assertRejects(
    () => textThrough(stage(), many),
    WeirError,
    "more than 1000 texts at once",
  );
  assertEquals((error as WeirError).code, "limit");
});

Deno.test("a stage that fails, or is none, cuts the body and is named", async () => {
  const bad: [() => unknown, string][] = [
    [() => {
      throw new Error("oh no");
    }, "oh no"],
    [() => () => {
      throw new Error("in the stage");
    }, "in the stage"],
    [() => true, "not the boolean true"],
    [() => "x", "it takes"],
    [() => [5], "index 0"],
    [() => Promise.resolve(undefined), "a value of type Promise"],
  ];
  for (const [stages, text] of bad) {
    const fed = new Fed(modelStream(message(chatStream), stages as () => undefined));
    assertEquals(await fed.push('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'), "");
    assertStringIncludes((fed.error as WeirError).message, text);
    assertEquals([(fed.error as WeirError).code, fed.faults.length], ["addon", 1]);
  }
});

Deno.test("stages of channels end with the body: cut, and given up", async () => {
  for (const how of ["cut", "cancel"]) {
    let reason: unknown = null;
    const stages = () => ({
      readable: new ReadableStream<Uint8Array>({
        cancel: (why) => void (reason = why),
      }),
      writable: new WritableStream<Uint8Array>(),
    });
    const fed = new Fed(modelStream(message(chatStream), stages));
    fed.source.push('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
    const reading = fed.body.fill().catch(() => {});
    await turn();
    if (how === "cut") fed.source.end(new WeirError("server", "closed", "cut"));
    fed.body.cancel(new WeirError("client", "closed", "gone"));
    await turn();
    await reading;
    assert(reason instanceof WeirError, how);
  }
});

Deno.test("wrong arguments are refused when the stage is made", () => {
  const untyped = modelStream as unknown as (...given: unknown[]) => TransformStream;
  assertThrows(() => untyped(() => {}), TypeError, "modelStream takes the message first");
  assertThrows(() => untyped(message(chatStream), {}), TypeError, "modelStream takes a function");
  assertThrows(() => untyped(message(chatStream), () => {}, { hold: -1 }), TypeError, "hold");
});
