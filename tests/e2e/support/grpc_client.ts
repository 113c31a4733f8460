/**
 * A gRPC client (`deno run grpc_client.ts HOST:PORT`) that finds proxy and CA in its environment, calls every method and
 * prints what it saw as JSON. With the word `gzip` behind the address it compresses what it sends.
 * @module
 */
import { Buffer } from "node:buffer";
import { type Client, credentials, makeClientConstructor, Metadata, type ServiceError } from "@grpc/grpc-js";
import { service } from "./grpc_service.ts";

interface Call {
  on(
    event: "metadata" | "status",
    listener: (value: Metadata & { metadata: Metadata; code: number }) => void,
  ): Call;
  on(event: "data", listener: (text: string) => void): Call;
  on(event: "error", listener: (error: Error) => void): Call;
  on(event: "end", listener: () => void): Call;
  write(text: string): void;
  end(): void;
  cancel(): void;
}
type Done = (error: ServiceError | null, answer?: string) => void;
type TestClient = Client & {
  unary(request: string, metadata: Metadata, done: Done): Call;
  serverStream(request: string, metadata: Metadata): Call;
  clientStream(metadata: Metadata, done: Done): Call;
  bidirectional(metadata: Metadata): Call;
};

// The constructor's type knows nothing of the methods that it makes.
const Constructor = makeClientConstructor(service, "weir.Test") as unknown as new (
  address: string,
  credentials: unknown,
  options: Record<string, unknown>,
) => TestClient;
const GZIP = 2;
const options = Deno.args[1] === "gzip" ? { "grpc.default_compression_algorithm": GZIP } : {};
const client = new Constructor(Deno.args[0], credentials.createSsl(), options);
const metadata = new Metadata();
metadata.set("x-in", "leading");
metadata.set("x-in-bin", Buffer.from([0, 255, 13, 10]));

/** What came of one call: its metadata, messages, status and trailers. */
function seen(call: Call, answer?: Promise<string>): Promise<unknown[]> {
  const messages: string[] = [], leading: unknown[] = [];
  call.on(
    "metadata",
    (metadata) => leading.push(metadata.get("x-out")[0], [...metadata.get("x-out-bin")[0]]),
  );
  if (answer === undefined) call.on("data", (text) => messages.push(text)).on("error", () => {});
  return new Promise((resolve) =>
    call.on("status", async ({ code, metadata }) => {
      if (answer !== undefined) messages.push(await answer);
      resolve([...leading, messages, code, metadata.get("x-trailer")[0] ?? null]);
    })
  );
}

function answered(start: (done: Done) => Call): Promise<unknown[]> {
  const { promise, resolve } = Promise.withResolvers<string>();
  return seen(start((error, answer) => resolve(error === null ? answer! : error.details)), promise);
}

const unary = await answered((done) => client.unary("one", metadata, done));
const failed = await answered((done) => client.unary("fail", metadata, done));
const serverStream = await seen(client.serverStream("5", metadata));
const clientStream = await answered((done) => {
  const call = client.clientStream(metadata, done);
  for (const text of ["a", "b", "c"]) call.write(text);
  call.end();
  return call;
});

/** Each message is answered before the next one is sent. */
async function converse(last: (call: Call) => void): Promise<unknown[]> {
  const call = client.bidirectional(metadata);
  const ended = seen(call);
  for (const text of ["1", "2", "3"]) {
    const echoed = new Promise<string>((resolve) => call.on("data", resolve));
    call.write(text);
    await echoed;
  }
  last(call);
  return await ended;
}
const bidirectional = await converse((call) => call.end());
const cancelled = await converse((call) => call.cancel());
// 40 at a time.
const parallel = await Promise.all(
  Array.from(
    { length: 40 },
    (_, i) => answered((done) => client.unary("x".repeat(1 + i * 2500), metadata, done)),
  ),
);
const lengths = parallel.map(([, , messages]) => (messages as string[])[0].length);
console.log(JSON.stringify({ unary, failed, serverStream, clientStream, bidirectional, cancelled, lengths }));
Deno.exit(0);
