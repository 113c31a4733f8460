/**
 * Answers requests for http://clock.example/ itself, with a stream of events: no server is asked.
 *
 *     weir -s addons/examples/answer_stream.ts
 *     curl -N -x http://127.0.0.1:8080 http://clock.example/?events=5
 */
import type { HttpFlow } from "weir";

/** Time between two events. */
const INTERVAL_MS = 100;

export function requestheaders(flow: HttpFlow) {
  if (flow.request.host !== "clock.example") return;
  const events = Number(new URL(flow.request.url).searchParams.get("events") ?? "10");
  flow.response = new Response(clock(events), { headers: { "content-type": "text/event-stream" } });
}

/** Runs only as fast as the client reads, and is ended when the client goes away. */
function clock(events: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent === events) return controller.close();
      if (sent++ > 0) await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
      controller.enqueue(new TextEncoder().encode(`id: ${sent}\ndata: ${new Date().toISOString()}\n\n`));
    },
  });
}
