/**
 * Passes every body on as it arrives, uploads and downloads.
 *
 *     weir -s addons/examples/stream_everything.ts
 */
import type { HttpFlow } from "weir";

export function requestheaders(flow: HttpFlow) {
  flow.request.stream = true;
}

export function responseheaders(flow: HttpFlow) {
  flow.response!.stream = true;
}
