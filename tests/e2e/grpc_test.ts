/** A real gRPC client and server (`@grpc/grpc-js`) through weir with default options. @module */
import { assert, assertEquals } from "@std/assert";
import { grpcStream, type Message } from "weir";
import { TextLineStream } from "@std/streams";
import { type Origin, tcpOrigin } from "./support/origin.ts";
import { policed } from "./support/policy.ts";
import { recorder, startProxy, type TestProxy } from "./support/proxy.ts";
import { Events, START, within } from "./support/within.ts";
import { Wire } from "./support/wire.ts";

interface GrpcServer extends AsyncDisposable {
  /** `host:port`, with TLS. */
  readonly authority: string;
}

/** The server, and TLS in front of it. */
async function startServer(): Promise<GrpcServer> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script("grpc_server.ts")],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = new Events();
  const piping = (async () => {
    const text = child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>);
    for await (const line of text.pipeThrough(new TextLineStream())) lines.push(line);
  })();
  let tls: Origin | undefined;
  const dispose = async () => {
    await tls?.[Symbol.asyncDispose]();
    try {
      child.kill("SIGKILL");
    } catch {
      // Deno's node:http2 may have aborted it when its last connection was ended.
    }
    await child.status;
    await piping;
  };
  try {
    await within(START, lines.until(() => lines.list.length > 0, "the server's port"), "the server");
    const port = Number(lines.list[0]);
    tls = await tcpOrigin((wire) => decrypted(wire, port), { tls: true, alpn: ["h2"] });
    return { authority: tls.authority, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Passes a connection on, until either end closes. */
async function decrypted(client: Wire, port: number): Promise<void> {
  const server = new Wire(await Deno.connect({ hostname: "127.0.0.1", port }));
  const pass = async (from: Wire, to: Wire) => {
    for (let bytes; (bytes = await from.readSome()) !== null;) await to.send(bytes);
    to.close();
  };
  await Promise.allSettled([pass(client, server), pass(server, client)]);
  server.close();
}

function script(name: string): string {
  return new URL(`./support/${name}`, import.meta.url).pathname;
}

/** What the client sees. */
async function runClient(
  proxy: TestProxy,
  server: GrpcServer,
  ...args: string[]
): Promise<Record<string, unknown[]>> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script("grpc_client.ts"), server.authority, ...args],
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      http_proxy: proxy.url,
      https_proxy: proxy.url,
      grpc_proxy: proxy.url,
      no_proxy: "",
      no_grpc_proxy: "",
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: `${proxy.confdir}/weir-ca-cert.pem`,
    },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("gRPC: every kind of call, metadata, trailers, status, cancellation, and each message as it is sent", async () => {
  const events = new Events(), flows: string[] = [];
  await using server = await startServer();
  await using proxy = await startProxy(recorder(events, {
    complete: ({ request, response }) => {
      flows.push(`${request.path} ${request.httpVersion} ${response!.httpVersion} ${response!.streamedBy}`);
    },
  }));
  const seen = await runClient(proxy, server);
  const leading = ["leading", [0, 255, 13, 10]];
  const echoes = ["echo 1", "echo 2", "echo 3"];
  assertEquals(seen, {
    unary: [...leading, ["unary one"], 0, "unary"],
    failed: [...leading, ["no: 100% wrong"], 9, "failed"],
    serverStream: [...leading, ["item 0", "item 1", "item 2", "item 3", "item 4"], 0, "server stream"],
    clientStream: [...leading, ["a,b,c"], 0, "client stream"],
    bidirectional: [...leading, echoes, 0, "bidirectional"],
    cancelled: [...leading, echoes, 1, null],
    lengths: Array.from({ length: 40 }, (_, i) => "unary x".length + i * 2500),
  });
  // Deno's client ends its half before it resets the stream, so the cancelled call may have come to its end as well.
  await events.until(() => events.count("complete") + events.count("error") === 46, "every flow to end");
  assert(events.count("error") <= 1, events.list.join());
  assertEquals([...new Set(flows)].sort(), [
    "/weir.Test/Bidirectional HTTP/2.0 HTTP/2.0 type",
    "/weir.Test/ClientStream HTTP/2.0 HTTP/2.0 type",
    "/weir.Test/ServerStream HTTP/2.0 HTTP/2.0 type",
    "/weir.Test/Unary HTTP/2.0 HTTP/2.0 type",
  ]);
});

Deno.test("gRPC: a client under a policy with secrets sees what it sees without", async () => {
  // A server for each: that of the first may be gone when its client is (see `startServer`).
  await using server = await startServer();
  await using other = await startServer();
  await using proxy = await startProxy();
  const port = server.authority.split(":")[1];
  const secret =
    `{ from: "env:WEIR_TEST_GRPC", hosts: [localhost], in: [header, body], placeholder: "a-placeholder" }`;
  const text = `rules:\n  - allow: localhost:${port}\nsecrets:\n  KEY: ${secret}\n`;
  await using weir = await policed(text, { env: { WEIR_TEST_GRPC: "sk-live-0123456789" } });
  assertEquals(await runClient(weir.proxy, server), await runClient(proxy, other));
});

for (const coding of ["identity", "gzip"]) {
  Deno.test(`gRPC: an addon changes the messages of both sides with grpcStream (${coding})`, async () => {
    const encodings = new Set<string>();
    const compressed = new Set<boolean>();
    const change = (message: Message, mark: string) => {
      encodings.add(`${message.headers.get("grpc-encoding")}`);
      message.stream = grpcStream((unit) => {
        compressed.add(unit.compressed);
        unit.data = new TextEncoder().encode(`${mark}${new TextDecoder().decode(unit.data)}`);
      }, message);
    };
    await using server = await startServer();
    await using proxy = await startProxy({
      requestheaders: ({ request }) => change(request, "<"),
      responseheaders: ({ response }) => change(response!, ">"),
    });
    const { unary, serverStream, clientStream, bidirectional } = await runClient(proxy, server, coding);
    const messages = [unary, serverStream, clientStream, bidirectional].map((seen) => seen[2]);
    // "<5" is no number of items.
    assertEquals(messages, [[">unary <one"], [], ["><a,<b,<c"], [">echo <1", ">echo <2", ">echo <3"]]);
    assertEquals([...encodings].includes("gzip"), coding === "gzip");
    assertEquals([...compressed].includes(true), coding === "gzip");
    assertEquals(proxy.log.list.filter((line) => /^(warn|error)/.test(line)), []);
  });
}
