/**
 * Writes streams (events, lines of JSON, audio, video) to files while they flow: one file per response, in the
 * folder that `RECORDINGS` names. A copy can be read while the stream still goes on.
 *
 *     RECORDINGS=~/streams weir -s addons/examples/record_streams.ts
 */
import { type Context, type HttpFlow, saveStream } from "weir";

const FOLDER = Deno.env.get("RECORDINGS") ?? "recordings";
const STREAMS: [type: RegExp, extension: string][] = [
  [/^text\/event-stream\b/i, "sse"],
  [/ndjson|jsonl/i, "ndjson"],
  [/^(audio|video)\//i, "media"],
];

export async function load() {
  await Deno.mkdir(FOLDER, { recursive: true });
}

export function responseheaders(flow: HttpFlow, ctx: Context) {
  const { headers } = flow.response!;
  const type = headers.get("content-type") ?? "";
  const extension = STREAMS.find(([types]) => types.test(type))?.[1];
  if (extension === undefined) return;
  // The host is for people who look into the folder; the id keeps names apart.
  const path = `${FOLDER}/${flow.request.host.replace(/[^\w.-]/g, "_")}-${flow.id}.${extension}`;
  flow.response!.stream = saveStream(path);
  ctx.log.info(`Recording ${flow.request.url} to ${path}`);
}
