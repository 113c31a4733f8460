/**
 * A slow network: all bodies share one line each way, and every piece is late.
 *
 *     weir -s addons/examples/slow_network.ts
 */
import { delayStream, type HttpFlow, throttleStream, TokenBucket } from "weir";

/** Milliseconds by which each piece of a body is late, one way. */
const LATENCY_MS = 150;
/** Bytes that may go at once after a pause. */
const BURST = 4096;

/** 250 kbit/s up and 750 kbit/s down, whatever goes on side by side. */
const up = new TokenBucket(31_250, BURST);
const down = new TokenBucket(93_750, BURST);

export function requestheaders({ request }: HttpFlow) {
  request.stream = [throttleStream(up), delayStream(LATENCY_MS)];
}

export function responseheaders({ response }: HttpFlow) {
  response!.stream = [throttleStream(down), delayStream(LATENCY_MS)];
}
