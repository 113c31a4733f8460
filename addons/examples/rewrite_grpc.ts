/**
 * Changes a text in the messages of gRPC calls, both ways, compressed ones included.
 *
 * A protobuf message is bytes, of which texts are a part with their length in front: what is put in must be
 * as long as what it replaces, where the message is not taken apart.
 *
 *     weir -s addons/examples/rewrite_grpc.ts
 */
import { grpcStream, type HttpFlow, type Message } from "weir";

const FROM = "staging", TO = "testing";

const text = new TextDecoder("latin1");

function rewrite(message: Message) {
  if (!message.headers.get("content-type")?.startsWith("application/grpc")) return;
  message.stream = grpcStream(({ data }) => {
    const place = text.decode(data).indexOf(FROM);
    if (place !== -1) data.set(new TextEncoder().encode(TO), place);
  }, message);
}

export function requestheaders(flow: HttpFlow) {
  rewrite(flow.request);
}

export function responseheaders(flow: HttpFlow) {
  rewrite(flow.response!);
}
