/**
 * A gRPC server without TLS: prints its port. In a process of its own, as
 * `node:http2` in Deno has been seen to abort; without TLS, as in Deno 2.9.6 a server of grpc-js with `createSsl` answers
 * a ClientHello in cleartext.
 * @module
 */
import { Buffer } from "node:buffer";
import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { service } from "./grpc_service.ts";

type Call = { metadata: Metadata; sendMetadata(metadata: Metadata): void };

/** Sends the client's `x-in` back as leading metadata. */
function greet(call: Call): void {
  const metadata = new Metadata();
  metadata.set("x-out", `${call.metadata.get("x-in")}`);
  metadata.set("x-out-bin", call.metadata.get("x-in-bin")[0] ?? Buffer.from(""));
  call.sendMetadata(metadata);
}

function trailer(text: string): Metadata {
  const metadata = new Metadata();
  metadata.set("x-trailer", text);
  return metadata;
}

const server = new Server();
server.addService(service, {
  unary(call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) {
    greet(call);
    if (call.request === "fail") {
      done({ code: status.FAILED_PRECONDITION, details: "no: 100% wrong", metadata: trailer("failed") });
    } else done(null, `unary ${call.request}`, trailer("unary"));
  },
  serverStream(call: ServerWritableStream<string, string>) {
    greet(call);
    for (let i = 0; i < Number(call.request); i++) call.write(`item ${i}`);
    call.end(trailer("server stream"));
  },
  clientStream(call: ServerReadableStream<string, string>, done: sendUnaryData<string>) {
    greet(call);
    const seen: string[] = [];
    call.on("data", (text: string) => seen.push(text));
    call.on("end", () => done(null, seen.join(), trailer("client stream")));
  },
  bidirectional(call: ServerDuplexStream<string, string>) {
    greet(call);
    call.on("data", (text: string) => call.write(`echo ${text}`));
    call.on("end", () => call.end(trailer("bidirectional")));
  },
});

server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
