/** The service of the gRPC tests, for client and server: strings as messages, one method of each kind. @module */
import { Buffer } from "node:buffer";

const message = {
  requestSerialize: (text: string) => Buffer.from(text),
  requestDeserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
  responseSerialize: (text: string) => Buffer.from(text),
  responseDeserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
};

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return { path: `/weir.Test/${name}`, requestStream, responseStream, ...message };
}

export const service = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidirectional: method("Bidirectional", true, true),
};
