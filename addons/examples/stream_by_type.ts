/**
 * Streams audio, video and downloads, and buffers all else, so that other addons can read and change it.
 *
 *     weir -s addons/examples/stream_by_type.ts
 */
import type { HttpFlow } from "weir";

const STREAMED = /^(audio|video)\/|^application\/(octet-stream|zip|gzip)\b/i;

export function responseheaders(flow: HttpFlow) {
  const { headers } = flow.response!;
  const type = headers.get("content-type") ?? "";
  const disposition = headers.get("content-disposition") ?? "";
  // `false` is a decision, too: it beats the options stream_large_bodies and stream_content_types.
  flow.response!.stream = STREAMED.test(type) || disposition.startsWith("attachment");
}
