/**
 * Changes a streamed body with a TransformStream, compressed bodies included.
 *
 * `replaceStream` finds "foo" wherever chunks were cut. `decoded` takes a `content-encoding` off before it and puts it
 * back on behind it. Any `TransformStream` can stand in its place; make a new one for each message.
 *
 *     weir -s addons/examples/replace_transform.ts
 */
import { decoded, type HttpFlow, replaceStream } from "weir";

export function responseheaders(flow: HttpFlow) {
  flow.response!.stream = decoded(flow.response!, replaceStream("foo", "bar"));
}
