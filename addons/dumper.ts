/**
 * Prints flows to stdout (or stderr) like mitmdump does, at the level of detail of the option `flow_detail`:
 *
 * - 0: nothing
 * - 1: a line for the request and a line for the response
 * - 2: and their headers
 * - 3: and their bodies, cut off when they are long; messages of WebSocket and TCP flows
 * - 4: and nothing is cut off
 *
 * A flow is printed when it is complete. One that streams is announced by its request line, as the end may be far away.
 *
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  escapeControl,
  type Headers,
  type HttpFlow,
  type Loader,
  type Message,
  reasonFor,
  type TcpFlow,
} from "weir";

/** At level 3, what is shown of a body: so many lines, of so many bytes. */
const SHOWN_LINES = 70;
const SHOWN_BYTES = 64 * 1024;
/** A URL is cut at level 1 when the terminal is not this much wider: room for address, method and "…". */
const BESIDE_URL = 25;
const BYTES_PER_HEX_LINE = 16;
/** What mitmdump calls the close codes of RFC 6455 §7.4.1 that are no ordinary end. */
const CLOSE_NAMES: Record<number, string> = {
  1002: "PROTOCOL_ERROR",
  1003: "UNSUPPORTED_DATA",
  1006: "ABNORMAL_CLOSURE",
  1007: "INVALID_FRAME_PAYLOAD_DATA",
  1008: "POLICY_VIOLATION",
  1009: "MESSAGE_TOO_BIG",
  1010: "MANDATORY_EXT",
  1011: "INTERNAL_ERROR",
  1012: "SERVICE_RESTART",
  1013: "TRY_AGAIN_LATER",
};

/** Where flows are printed, what it is, and whether whoever read it is gone (`weir | head`) or stuck. */
const out = {
  stream: Deno.stdout as typeof Deno.stdout | typeof Deno.stderr,
  isTerminal: false,
  isGone: false,
};

function printTo(stream: typeof out.stream) {
  out.stream = stream;
  out.isTerminal = stream.isTerminal();
}
printTo(Deno.stdout);

export default class Dumper implements Addon {
  #detail = 1;
  /** Ids of flows whose request line was printed, as their end may be far away. */
  readonly #announced = new Set<string>();

  load(loader: Loader) {
    loader.addOption("flows_to_stderr", "bool", false, "Print flows to stderr, where the log goes as well.");
  }

  configure(options: AddonOptions) {
    this.#detail = options.flow_detail;
    printTo(options.get<boolean>("flows_to_stderr") ? Deno.stderr : Deno.stdout);
  }

  request(flow: HttpFlow) {
    if (flow.request.streamedBy !== null) this.#announce(flow, "streaming");
  }

  response(flow: HttpFlow) {
    if (flow.response?.streamedBy) this.#announce(flow, "streaming");
  }

  complete(flow: HttpFlow) {
    this.#announced.delete(flow.id);
    if (this.#detail > 0) print(flowLines(flow, this.#detail));
  }

  error(flow: HttpFlow) {
    this.#announced.delete(flow.id);
    if (this.#detail === 0) return;
    print([...flowLines(flow, this.#detail), style(` << ${escapeControl(errorText(flow))}`, "bold", "red")]);
  }

  websocket_start(flow: HttpFlow) {
    this.#announce(flow, "WebSocket");
  }

  websocket_message(flow: HttpFlow) {
    const message = flow.websocket?.messages.at(-1);
    if (this.#detail === 0 || !message) return;
    const type = message.isText ? "text" : "binary";
    const arrow = message.fromClient ? "->" : "<-";
    const path = escapeControl(flow.request.path);
    print([
      `${clientOf(flow)} ${arrow} WebSocket ${type} message ${arrow} ${serverOf(flow)}${path}`,
      // Whose content nobody reads gives its memory back to the connection.
      ...(this.#detail < 3 ? [] : conversationLines(message.content, this.#detail)),
    ]);
  }

  websocket_end(flow: HttpFlow) {
    if (this.#detail === 0 || !flow.websocket) return;
    const { closeCode, closeReason, closedByClient } = flow.websocket;
    const reason = escapeControl(closeReason ?? "");
    if (closeCode === 1000 || closeCode === 1001 || closeCode === 1005) {
      const who = closedByClient === null ? "weir" : closedByClient ? "client" : "server";
      print([`WebSocket connection closed by ${who}: ${closeCode} ${reason}`.trimEnd()]);
    } else {
      const name = CLOSE_NAMES[closeCode ?? 0] ?? `UNKNOWN_ERROR=${closeCode}`;
      const why = `WebSocket Error: ${name}${reason && ` (reason: ${reason})`}`;
      print([style(`Error in WebSocket connection to ${serverOf(flow)}: ${why}`, "red")]);
    }
  }

  tcp_message(flow: TcpFlow) {
    const message = flow.messages.at(-1);
    if (this.#detail === 0 || !message) return;
    const arrow = message.fromClient ? "->" : "<-";
    print([
      `${clientOf(flow)} ${arrow} tcp ${arrow} ${serverOf(flow)}`,
      ...conversationLines(message.content, this.#detail),
    ]);
  }

  tcp_error(flow: TcpFlow) {
    if (this.#detail === 0) return;
    print([style(`Error in TCP connection to ${serverOf(flow)}: ${escapeControl(errorText(flow))}`, "red")]);
  }

  /** Prints the request line of a flow whose end may be far away, once. */
  #announce(flow: HttpFlow, why: string) {
    if (this.#detail === 0 || this.#announced.has(flow.id)) return;
    this.#announced.add(flow.id);
    print([`${requestLine(flow, this.#detail)} (${why})`]);
  }
}

function flowLines(flow: HttpFlow, detail: number): string[] {
  const { request, response } = flow;
  const lines = [
    requestLine(flow, detail) + (request.size > 0 ? ` ${style(sizeText(request.size), "bold")}` : ""),
  ];
  lines.push(...messageLines(request, detail));
  if (response) lines.push(responseLine(flow, detail), ...messageLines(response, detail));
  return lines;
}

/** `127.0.0.1:52344: GET http://example.com/`; versions are said only when they are not HTTP/1 on both sides. */
function requestLine(flow: HttpFlow, detail: number): string {
  const { method, httpVersion } = flow.request;
  let { url } = flow.request;
  const room = out.isTerminal && detail === 1
    ? Math.max(Deno.consoleSize().columns - BESIDE_URL, 50)
    : Infinity;
  if (url.length > room) url = `${url.slice(0, room)}…`;
  const colour = method === "GET" ? "green" : method === "DELETE" ? "red" : "magenta";
  const version = saysVersion(flow, httpVersion) ? ` ${httpVersion}` : "";
  return `${clientOf(flow)}: ${style(escapeControl(method), "bold", colour)} ${
    style(readable(url), "bold")
  }${version}`;
}

/** ` << 200 OK 1.2k 35ms`, so far to the right at level 1 that the code stands below the method. */
function responseLine(flow: HttpFlow, detail: number): string {
  const { statusCode, httpVersion, streamedBy, size } = flow.response!;
  const colour = statusCode < 200 ? null : statusCode < 300 ? "green" : statusCode < 400 ? "magenta" : "red";
  const version = saysVersion(flow, httpVersion) ? `${httpVersion} ` : "";
  const pad = detail === 1 ? Math.max(0, clientOf(flow).length - 2 - version.length) : 0;
  // HTTP/2 has no reason phrase (RFC 9113 §8.3.2), but people know codes by theirs.
  const reason = flow.response!.reason || (httpVersion === "HTTP/2.0" ? reasonFor(statusCode) : "");
  const status = [String(statusCode), readable(reason)].filter((part) => part !== "")
    .map((part) => style(part, "bold", colour)).join(" ");
  const time = timeText(Date.now() - flow.timestampStart);
  const how = streamedBy === null ? "" : ` (streamed: ${streamedBy})`;
  return `${" ".repeat(pad)}${style(" <<", "bold")} ${version}${status} ${
    style(sizeText(size), "bold")
  } ${time}${how}`;
}

function saysVersion(flow: HttpFlow, version: string): boolean {
  const other = flow.response?.httpVersion ?? "HTTP/1.1";
  return version === "HTTP/2.0" || flow.request.httpVersion !== other;
}

/** Headers from level 2, body from level 3, trailers. */
function messageLines(message: Message, detail: number): string[] {
  if (detail < 2) return [];
  const lines = headerLines(message.headers);
  if (detail >= 3) {
    if (message.content !== null) {
      lines.push(...bodyLines(message.content, message.headers.get("content-type"), detail));
    } else if (message.streamedBy !== null) {
      lines.push("", style("    (streamed, so there is no content to show)", "dim"));
    }
  }
  if (detail >= 3) lines.push("");
  if (message.trailers) {
    lines.push(style("    --- HTTP Trailers", "magenta"), ...headerLines(message.trailers));
  }
  return lines;
}

function headerLines(headers: Headers): string[] {
  return [...headers].map(([name, value]) => `    ${style(escapeControl(name), "blue")}: ${readable(value)}`);
}

/** Heads hold a character per byte (RFC 9110 §5.5), but what is not ASCII in them is mostly UTF-8. */
function readable(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[\u0100-\uffff]/.test(text)) return escapeControl(text);
  try {
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return escapeControl(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return escapeControl(text);
  }
}

function conversationLines(content: Uint8Array, detail: number): string[] {
  return detail < 3 ? [] : [...bodyLines(content, null, detail), ""];
}

/** A body: JSON set out, text as it is, anything else as a hex dump. */
function bodyLines(content: Uint8Array, type: string | null, detail: number): string[] {
  if (content.length === 0) return [];
  const isWhole = detail >= 4;
  const shown = isWhole ? content : content.subarray(0, SHOWN_BYTES);
  const text = textOf(shown);
  let lines = text === null
    ? hexLines(shown, isWhole ? Infinity : SHOWN_LINES)
    : escapedLines(pretty(text, type));
  const isCut = shown.length < content.length || (!isWhole && lines.length > SHOWN_LINES);
  if (!isWhole) lines = lines.slice(0, SHOWN_LINES);
  lines = ["", ...lines.map((line) => `    ${line}`)];
  if (isCut) lines.push(style("    (cut off)", "dim"));
  return lines;
}

/** Null for what is not UTF-8, or has NULs as no text has. */
function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    // A character that is cut at the end is no mistake.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}

function pretty(text: string, type: string | null): string {
  if (type === null || !/[/+]json\b/i.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 4);
  } catch {
    return text;
  }
}

function escapedLines(text: string): string[] {
  return text.trimEnd().split(/\r?\n/).map((line) => line.split("\t").map(escapeControl).join("\t"));
}

/** `0000000010 48 65 6c 6c 6f …  Hello` */
function hexLines(bytes: Uint8Array, most: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && lines.length <= most; at += BYTES_PER_HEX_LINE) {
    const row = [...bytes.subarray(at, at + BYTES_PER_HEX_LINE)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(
      3 * BYTES_PER_HEX_LINE - 1,
    );
    const text = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(10, "0")} ${hex}  ${text}`);
  }
  return lines;
}

function clientOf(flow: HttpFlow | TcpFlow): string {
  return addressText(flow.clientConn.address);
}

function serverOf(flow: HttpFlow | TcpFlow): string {
  return flow.serverConn === null ? "<no address>" : addressText(flow.serverConn.address);
}

function addressText({ hostname, port }: { hostname: string; port: number }): string {
  return escapeControl(hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`);
}

function errorText(flow: HttpFlow | TcpFlow): string {
  return flow.error?.message ?? "unknown error";
}

/** At most five characters: `1023b`, `1.2k`, `100k`. */
function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes}b`;
  let size = bytes;
  for (const unit of ["k", "m", "g"]) {
    size /= 1024;
    if (size < 99.95) return `${size.toFixed(1)}${unit}`;
    if (size < 1024) return `${size.toFixed(0)}${unit}`;
  }
  return `${(size / 1024).toFixed(1)}t`;
}

/** `35ms`, `1.2s`, `2m05s` */
function timeText(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
}

/** SGR codes (ECMA-48 §8.3.117). */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, blue: 34, magenta: 35 };

function style(text: string, ...styles: (keyof typeof STYLES | null)[]): string {
  if (!out.isTerminal || Deno.noColor) return text;
  const codes = styles.filter((name) => name !== null).map((name) => STYLES[name]);
  return `\x1b[${codes.join(";")}m${text}\x1b[0m`;
}

/** How often and how long, in ms, to try again when a pipe that does not block is full. */
const FULL_RETRIES = 200, FULL_PAUSE = 5;
/** Nobody ever notifies it: waiting for it is sleeping. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** One write per flow, so that flows do not mix. */
function print(lines: string[]) {
  let bytes = new TextEncoder().encode(`${lines.join("\n")}\n`);
  for (let retries = 0; bytes.length > 0 && !out.isGone;) {
    try {
      bytes = bytes.subarray(out.stream.writeSync(bytes));
    } catch (thrown) {
      if (thrown instanceof Deno.errors.WouldBlock && ++retries <= FULL_RETRIES) {
        Atomics.wait(PAUSE, 0, 0, FULL_PAUSE);
      } else if (!(thrown instanceof Deno.errors.Interrupted)) out.isGone = true;
    }
  }
}
