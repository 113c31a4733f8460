/**
 * What the soak's origin answers; the first part of the path says what weir is to do with the bodies
 * (`addon.ts`).
 *
 *     GET  /MODE/length/SEED/SIZE       SIZE bytes of a pattern, with a content-length
 *     GET  /MODE/open/SEED/SIZE         the same without
 *     GET  /MODE/dying/SEED/SIZE/AT     the same, and the origin dies after AT bytes
 *     POST /MODE/upload/SEED/SIZE       checks the body, answers "right" or what is wrong
 *     GET  /MODE/events/COUNT           so many server-sent events, a few milliseconds apart
 *     GET  /MODE/socket                 WebSocket: every message comes back
 * @module
 */
import { PatternCheck, patternStream } from "./pattern.ts";

/** Milliseconds between events. */
const EVENT_MS = 3;

/** An origin on 127.0.0.1, plain and with TLS (HTTP/1.1 and HTTP/2). */
export interface SoakOrigin {
  /** Ports. */
  readonly plain: number;
  readonly secure: number;
  close(): Promise<void>;
}

/** Starts it. `folder` holds `cert.pem` and `key.pem`. */
export async function startOrigin(folder: string): Promise<SoakOrigin> {
  const quiet = { hostname: "127.0.0.1", port: 0, onListen() {}, onError: failed };
  const plain = Deno.serve(quiet, answer);
  const secure = Deno.serve({
    ...quiet,
    cert: await Deno.readTextFile(`${folder}/cert.pem`),
    key: await Deno.readTextFile(`${folder}/key.pem`),
  }, answer);
  return {
    plain: plain.addr.port,
    secure: secure.addr.port,
    async close() {
      await Promise.all([plain.shutdown(), secure.shutdown()]);
    },
  };
}

function failed(): Response {
  // A client that has gone; what it asked for is not of interest any more.
  return new Response(null, { status: 500 });
}

async function answer(request: Request): Promise<Response> {
  const [, , kind, ...rest] = new URL(request.url).pathname.split("/");
  const [seed, size, at] = rest.map(Number);
  switch (kind) {
    case "length":
      return bytes(patternStream(seed, size), { "content-length": String(size) });
    case "open":
      return bytes(patternStream(seed, size));
    case "dying":
      return bytes(patternStream(seed, size, at), { "content-length": String(size) });
    case "upload":
      return await taken(request, seed, size);
    case "events":
      return events(seed);
    case "socket":
      return echo(request);
    default:
      return new Response("what?", { status: 404 });
  }
}

function bytes(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { headers: { "content-type": "application/octet-stream", ...headers } });
}

async function taken(request: Request, seed: number, size: number): Promise<Response> {
  const check = new PatternCheck(seed);
  try {
    for await (const piece of request.body ?? []) check.add(piece);
    check.end(size);
  } catch (error) {
    return new Response(String(error), { status: 422 });
  }
  return new Response("right");
}

function events(count: number): Response {
  let next = 0;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, EVENT_MS));
      if (next === count) return controller.close();
      controller.enqueue(encoder.encode(`id: ${next}\ndata: event ${next++}\n\n`));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function echo(request: Request): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  // A client that was cut off; the WebSocket says so twice.
  socket.onerror = (event) => event.preventDefault();
  return response;
}
