/**
 * `modelStream`: what a language model says, as one text per channel, through stages.
 * @module
 */
import { nameOf } from "../bytes.ts";
import type { CodedMessage } from "../coding_stream.ts";
import { holdOf, type HoldOptions } from "../hold.ts";
import { Stage } from "../stage.ts";
import type { ModelChannel } from "./model/dialect.ts";
import { type ChannelStages, ModelEngine } from "./model/engine.ts";
import { modelEvents, modelJson, modelLines } from "./model/rules.ts";
import { checkFunction, unitStage } from "./unit_body.ts";

/**
 * A stage that sends the text of a language model's answer through stages of its own: `stages` is asked once
 * for each channel (the text of a choice, what the model thinks, the arguments of a tool's call) and gives
 * what `message.stream` takes but true and false, or nothing to leave the channel as it is. What those stages
 * see is one text, also where the model says it in many pieces.
 *
 * It knows the answers of OpenAI (Chat Completions, Responses), Anthropic (Messages), Gemini and Ollama, and
 * of servers that speak like them, streamed (server-sent events, lines of JSON, Gemini's JSON array) or
 * whole. Other bodies, and events that say nothing, pass byte for byte, and in events that change all but the
 * text stays as it was written. Each piece keeps its event; what the stages hold back comes out in the piece
 * that decides it. What they hold at the end goes out in an event of its own before the one that ends the
 * channel; `sequence_number` counts it. Events that repeat the whole text say what was sent. Where the text
 * of an event changed, the probabilities of its tokens are left out.
 *
 * Arguments that come as an object: its strings, parted by bytes 0xff, which match nothing and must stay.
 *
 * An event, a whole answer, or text that will be repeated of more than `hold` bytes (1 MiB) fails the stage
 * (code `limit`).
 *
 * @example
 * ```ts
 * import { modelStream, replaceStream } from "weir";
 *
 * const chunk = (content: string) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
 * const response = new Response(chunk("The key is sk-li") + chunk("ve-1234.") + "data: [DONE]\n\n", {
 *   headers: { "content-type": "text/event-stream" },
 * });
 * const stage = modelStream(response, () => replaceStream("sk-live-1234", "[key]"));
 * const text = await new Response(response.body!.pipeThrough(stage)).text();
 * if (text !== chunk("The key is ") + chunk("[key].") + "data: [DONE]\n\n") throw new Error(text);
 * ```
 *
 * @throws {TypeError} when the message has no headers, or `stages` is no function.
 */
export function modelStream(
  message: CodedMessage,
  stages: (channel: ModelChannel) => ChannelStages,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  if (typeof message?.headers?.get !== "function") {
    throw new TypeError(
      `modelStream takes the message first, modelStream(flow.response, (channel) => …); not ${
        nameOf(message)
      }.`,
    );
  }
  checkFunction(stages, "modelStream", "modelStream(flow.response, (channel) => replaceStream(…))");
  const hold = holdOf(options);
  const type = (message.headers.get("content-type") ?? "").toLowerCase();
  const rules = /^text\/event-stream\b/.test(type)
    ? modelEvents
    : /ndjson|jsonl|json-lines/.test(type)
    ? modelLines
    : /[/+]json\b/.test(type)
    ? modelJson
    : null;
  if (rules === null) return new Stage((source) => source);
  return unitStage<never>((warn) => rules(new ModelEngine(stages, hold, warn), hold) as never);
}
