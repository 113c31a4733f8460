/**
 * What `weir diff` keeps of a flow: texts that can be compared and shown, and hashes of bodies, so that sessions of any size fit in.
 * @module
 */
import { createHash } from "node:crypto";
import type { Flow, HttpFlow, TcpFlow } from "../../flow/flow.ts";
import type { Message } from "../../flow/message.ts";
import type { Headers } from "../../http/mod.ts";
import { bodyOf, decodeStream, readableOf } from "../../streams/mod.ts";

/** A flow, in what can be compared. */
export interface FlowDigest {
  /** `GET http://example.com/`: flows with the same are compared. */
  readonly key: string;
  /** Where it stands in its session, from 1. */
  readonly index: number;
  /** What there is to compare, by what it is called, in order. */
  readonly facts: ReadonlyMap<string, string>;
  /** All facts in one text. */
  readonly whole: string;
}

/** Bodies up to this size are shown when they are text. */
const SHOWN = 60;

/** The digest of a flow. Fields in `ignored`, in lower case, are left out. */
export async function digestOf(flow: Flow, index: number, ignored: ReadonlySet<string>): Promise<FlowDigest> {
  const facts = new Map<string, string>();
  if (flow.type === "tcp") addTcp(facts, flow);
  else await addHttp(facts, flow, ignored);
  if (flow.error !== null) facts.set("error", flow.error.message);
  const whole = JSON.stringify([...facts]);
  return { key: keyOf(flow), index, facts, whole };
}

function keyOf(flow: Flow): string {
  if (flow.type === "http") return `${flow.request.method} ${flow.request.url}`;
  const { hostname, port } = flow.serverConn?.address ?? { hostname: "?", port: 0 };
  return `TCP ${hostname}:${port}`;
}

async function addHttp(
  facts: Map<string, string>,
  flow: HttpFlow,
  ignored: ReadonlySet<string>,
): Promise<void> {
  const { request, response, websocket } = flow;
  if (response !== null) facts.set("status", String(response.statusCode));
  await addMessage(facts, "request", request, ignored);
  if (response !== null) await addMessage(facts, "response", response, ignored);
  if (websocket === null) return;
  for (const [i, { content, fromClient, isText }] of websocket.messages.entries()) {
    const from = fromClient ? "client" : "server";
    facts.set(`WebSocket message ${i + 1}`, `${from} ${isText ? "text" : "binary"} ${shownBytes(content)}`);
  }
  if (websocket.closeCode !== null) {
    facts.set("WebSocket close", `${websocket.closeCode} ${websocket.closeReason ?? ""}`.trim());
  }
}

async function addMessage(
  facts: Map<string, string>,
  what: string,
  message: Message,
  ignored: ReadonlySet<string>,
): Promise<void> {
  facts.set(`${what} version`, message.httpVersion);
  addFields(facts, `${what} header`, message.headers, ignored);
  if (message.trailers !== null) addFields(facts, `${what} trailer`, message.trailers, ignored);
  facts.set(`${what} body`, await shownBody(message));
}

/** Fields by their names, whatever their order; the values of one name in theirs. */
function addFields(
  facts: Map<string, string>,
  what: string,
  headers: Headers,
  ignored: ReadonlySet<string>,
): void {
  for (const name of new Set([...headers.keys()].map((name) => name.toLowerCase()))) {
    if (!ignored.has(name)) facts.set(`${what} ${name}`, headers.getAll(name).join(" | "));
  }
}

async function shownBody(message: Message): Promise<string> {
  const stored = message.readStored();
  if (stored === null) {
    const { content } = message;
    return content === null ? "not kept" : shownBytes(content);
  }
  const coding = message.headers.get("content-encoding");
  if (coding === null) return await hashed(stored);
  try {
    return await hashed(readableOf(decodeStream(coding).through(bodyOf(stored))));
  } catch {
    // It is not what it says, or in a coding that weir does not know: the bytes as they are.
    return await hashed(message.readStored()!);
  }
}

/** What is not in memory must not get there. */
async function hashed(stream: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const piece of stream) {
    hash.update(piece);
    size += piece.length;
  }
  return described(size, hash.digest("hex"));
}

function addTcp(facts: Map<string, string>, { messages }: TcpFlow): void {
  for (const fromClient of [true, false]) {
    const hash = createHash("sha256");
    let size = 0;
    for (const message of messages) {
      if (message.fromClient !== fromClient) continue;
      hash.update(message.content);
      size += message.content.length;
    }
    facts.set(`${fromClient ? "client" : "server"} bytes`, described(size, hash.digest("hex")));
  }
}

function shownBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  if (bytes.length <= SHOWN) {
    try {
      return JSON.stringify(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      // No text: described like a long one.
    }
  }
  return described(bytes.length, createHash("sha256").update(bytes).digest("hex"));
}

function described(size: number, hash: string): string {
  return `${size} bytes (sha256 ${hash.slice(0, 12)})`;
}
