/**
 * Cuts a response at the byte that its request names, visibly (a reset stream, a missing last chunk): what does
 * a client make of half an answer?
 *
 *     weir -s addons/examples/cut_at_byte.ts
 *     curl -x http://127.0.0.1:8080 -H 'x-cut-at: 1000' http://example.com/
 */
import { cutStream, type HttpFlow } from "weir";

const FIELD = "x-cut-at";
const cuts = new WeakMap<HttpFlow, number>();

export function requestheaders(flow: HttpFlow) {
  const { headers } = flow.request;
  const text = headers.get(FIELD);
  if (text === null) return;
  headers.delete(FIELD);
  if (/^\d{1,15}$/.test(text)) cuts.set(flow, Number(text));
  else flow.response = new Response(`${FIELD} is a number of bytes, not ${text}.\n`, { status: 400 });
}

export function responseheaders(flow: HttpFlow) {
  const at = cuts.get(flow);
  if (at !== undefined) flow.response!.stream = cutStream(at);
}
