/**
 * Prints flows to stdout (or stderr) like mitmdump does, at the level of detail of the option `flow_detail`:
 *
 * - 0: nothing
 * - 1: a line for the request and a line for the response
 * - 2: and their headers
 * - 3: and their bodies, cut off when they are long; contents of WebSocket messages, and what raw connections carry
 * - 4: and nothing is cut off, but what few bytes unfold to beyond 4 MiB
 *
 * A flow is printed when it is complete. One that streams is announced by its request line, as the end may be far away; from
 * level 3 on its events, lines of JSON, gRPC messages or parts are printed as they are sent.
 *
 * `dumper/` has what it is made of: where it prints, what a flow's lines are, what its contents'.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  escapeControl,
  type Filter,
  type Flow,
  type HttpFlow,
  type Loader,
  type Message,
  type TcpFlow,
} from "weir";
import { conversationLines } from "./dumper/body_lines.ts";
import { failedLines, flowLines, requestLine, tcpEndLine, tcpLine } from "./dumper/flow_lines.ts";
import { flowJson } from "./dumper/json_line.ts";
import { showLive } from "./dumper/live_units.ts";
import { print, printTo, style } from "./dumper/printer.ts";
import { clientOf, errorText, serverOf, showHosts } from "./dumper/words.ts";
import { filterOf } from "./rules/spec.ts";

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

export default class Dumper implements Addon {
  readonly keepsFlows = false;
  #detail = 1;
  /** Flows are lines of JSON, one for each, when they have ended. */
  #isJson = false;
  #filter: Filter | null = null;
  /** Flows whose request line was printed, as their end may be far away. */
  readonly #announced = new WeakSet<HttpFlow>();

  /** Bodies are printed from level 3 on, and a filter may be about them. */
  readsBodies(): boolean {
    const needs = this.#filter?.needs;
    return this.#detail >= 3 && !this.#isJson ||
      (this.#detail > 0 && (needs === "bodies" || needs === "end"));
  }

  load(loader: Loader) {
    loader.addOption("flows_to_stderr", "bool", false, "Print flows to stderr, where the log goes as well.");
    loader.addOption(
      "showhost",
      "bool",
      false,
      "Print URLs with the name in the Host field, not the address.",
      {
        group: "Output",
      },
    );
    loader.addOption("dumper_filter", "str", null, "Print only flows that match.", {
      metavar: "FILTER",
      group: "Output",
    });
  }

  configure(options: AddonOptions, _changed: ReadonlySet<string>, ctx: Context) {
    this.#detail = options.flow_detail;
    // Another form was asked for.
    if ("export" in options && options.get<string | null>("export") !== null) this.#detail = 0;
    this.#isJson = options.log_format === "json";
    showHosts(options.get<boolean>("showhost"));
    const filter = options.get<string | null>("dumper_filter");
    this.#filter = filter ? filterOf("dumper_filter", filter) : null;
    printTo(options.get<boolean>("flows_to_stderr") ? "stderr" : "stdout", ctx);
  }

  request(flow: HttpFlow) {
    if (isLong(flow.request)) this.#begin(flow, flow.request);
  }

  response(flow: HttpFlow) {
    if (flow.response && isLong(flow.response)) this.#begin(flow, flow.response);
  }

  complete(flow: HttpFlow) {
    if (this.#isJson) return this.#printJson(flow);
    if (this.#shows(flow)) return print(flowLines(flow, this.#detail));
  }

  error(flow: HttpFlow) {
    if (this.#isJson) return this.#printJson(flow);
    if (!this.#shows(flow)) return;
    return print(failedLines(flow, this.#detail));
  }

  websocket_start(flow: HttpFlow) {
    this.#announce(flow, "WebSocket");
  }

  websocket_message(flow: HttpFlow) {
    const message = flow.websocket?.messages.at(-1);
    if (!message || !this.#shows(flow)) return;
    const type = message.isText ? "text" : "binary";
    const arrow = message.fromClient ? "->" : "<-";
    const path = escapeControl(flow.request.path);
    const line = `${clientOf(flow)} ${arrow} WebSocket ${type} message ${arrow} ${serverOf(flow)}${path}`;
    // Whose content nobody reads gives its memory back to the connection.
    return print(this.#detail < 3 ? [line] : conversationLines(line, message.content, this.#detail));
  }

  websocket_end(flow: HttpFlow) {
    if (!flow.websocket || !this.#shows(flow)) return;
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

  http_connect_error(flow: HttpFlow) {
    if (this.#isJson) return this.#printJson(flow);
    if (this.#shows(flow)) return print(flowLines(flow, this.#detail));
  }

  tcp_start(flow: TcpFlow) {
    if (this.#shows(flow)) print([`${tcpLine(flow)} (passed through)`]);
  }

  tcp_message(flow: TcpFlow) {
    // A connection that weir does not look into is a line when it begins and one when it ends, not one for each read.
    if (this.#detail < 3 || !this.#shows(flow)) return;
    const message = flow.messages.at(-1);
    if (!message) return;
    const arrow = message.fromClient ? "->" : "<-";
    const line = `${clientOf(flow)} ${arrow} tcp ${arrow} ${serverOf(flow)}`;
    return print(conversationLines(line, message.content, this.#detail));
  }

  tcp_end(flow: TcpFlow) {
    if (this.#isJson) return this.#printJson(flow);
    if (this.#shows(flow)) print([tcpEndLine(flow)]);
  }

  tcp_error(flow: TcpFlow) {
    if (this.#isJson) return this.#printJson(flow);
    if (!this.#shows(flow)) return;
    print([`${tcpEndLine(flow)}${style(`: ${errorText(flow)}`, "bold", "red")}`]);
  }

  /** Whether a flow is shown as text. */
  #shows(flow: Flow): boolean {
    return !this.#isJson && this.#isWanted(flow);
  }

  #isWanted(flow: Flow): boolean {
    return this.#detail > 0 && (this.#filter === null || this.#filter(flow));
  }

  #printJson(flow: Flow) {
    if (this.#isWanted(flow)) return print([flowJson(flow)]);
  }

  /** A message that streams: its flow is announced, and its units are shown as they come. */
  #begin(flow: HttpFlow, message: Message) {
    this.#announce(flow, "streaming");
    if (this.#detail >= 3 && flow.live && this.#shows(flow)) showLive(flow, message, this.#detail);
  }

  /** Prints the request line of a flow whose end may be far away, once. */
  #announce(flow: HttpFlow, why: string) {
    if (this.#announced.has(flow) || !flow.live || !this.#shows(flow)) return;
    this.#announced.add(flow);
    print([`${requestLine(flow, this.#detail)} (${why})`]);
  }
}

/** True for a body that streams because it may take its time; others are streamed because nobody looks at them. */
function isLong({ streamedBy }: Message): boolean {
  return streamedBy !== null && streamedBy !== "unread";
}
