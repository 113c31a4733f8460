/**
 * The providers' clients (`deno run policy_sdks.ts URL`): they find their keys, proxy and CA in the environment, and print what
 * the model has said.
 * @module
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [url] = Deno.args;
const asked = [{ role: "user" as const, content: `my key is ${Deno.env.get("OPENAI_API_KEY")}` }];
const openai = new OpenAI({ baseURL: `${url}/v1`, maxRetries: 0 });
let text = "";
for await (
  const { choices } of await openai.chat.completions.create({ model: "m", messages: asked, stream: true })
) {
  text += choices[0]?.delta.content ?? "";
}
const anthropic = new Anthropic({ baseURL: url, maxRetries: 0 });
const stream = anthropic.messages.stream({ model: "m", max_tokens: 9, messages: asked });
const said = (await stream.finalMessage()).content.map((block) => block.type === "text" ? block.text : "")
  .join("");
console.log(JSON.stringify({ openai: text, anthropic: said }));
