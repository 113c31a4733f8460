/**
 * The soak's addon: the first part of the path says what becomes of the bodies. None of it changes a byte.
 * @module
 */
import type { HttpFlow, Message } from "weir";

/** All that can stand there. */
export const MODES = ["buffered", "streamed", "hooked", "generated", "piped"] as const;
/** What is done with bodies. */
export type Mode = (typeof MODES)[number];

export function requestheaders(flow: HttpFlow) {
  decide(flow, flow.request);
}

export function responseheaders(flow: HttpFlow) {
  decide(flow, flow.response!);
}

export function request(flow: HttpFlow) {
  flow.metadata.read = flow.request.content?.length;
}

export function response(flow: HttpFlow) {
  flow.metadata.read = flow.response!.content?.length;
}

function decide({ request }: HttpFlow, message: Message) {
  switch (request.path.split("/")[1] as Mode) {
    case "buffered":
      // But for what never ends.
      if (message.headers.get("content-type") !== "text/event-stream") message.stream = false;
      break;
    case "streamed":
      message.stream = true;
      break;
    case "hooked":
      message.stream = (chunk: Uint8Array) => chunk;
      break;
    case "generated":
      message.stream = async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) yield chunk;
      };
      break;
    case "piped":
      message.stream = new TransformStream<Uint8Array, Uint8Array>();
      break;
  }
}
