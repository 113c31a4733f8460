/**
 * The option `export`: flows are printed in another form, as something to run or to send (mitmproxy `export`).
 *
 *     weir -nr flows.mitm '~u login' --set export=curl
 *
 * The option `dumper_filter`, and with it a filter on the command line, holds here, too. Several flows are parted by an empty line.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type Filter,
  type Flow,
  type HttpFlow,
  type Loader,
  type TcpFlow,
  toCurl,
  toFetch,
  toHttpie,
  toRaw,
} from "weir";
import { filterOf } from "./rules/spec.ts";

const FORMS: Readonly<Record<string, (flow: Flow) => string | Uint8Array>> = {
  curl: ofHttp(toCurl),
  httpie: ofHttp(toHttpie),
  fetch: ofHttp(toFetch),
  raw: (flow) => toRaw(flow),
  raw_request: (flow) => toRaw(flow, "request"),
  raw_response: (flow) => toRaw(flow, "response"),
};

export default class Export implements Addon {
  readonly keepsFlows = false;
  #form: ((flow: Flow) => string | Uint8Array) | null = null;
  /** The messages that the form is made of. */
  #parts: readonly ("request" | "response")[] = [];
  #filter: Filter | null = null;
  #isFirst = true;

  readsBodies(): boolean {
    return this.#form !== null;
  }

  isOff(): boolean {
    return this.#form === null;
  }

  load(loader: Loader) {
    loader.addOption("export", "str", null, "Print flows in this form, in place of the usual one.", {
      choices: Object.keys(FORMS),
      group: "Output",
    });
  }

  configure(options: AddonOptions) {
    const name = options.get<string | null>("export");
    this.#form = name === null ? null : FORMS[name];
    this.#parts = name === "raw"
      ? ["request", "response"]
      : name === "raw_response"
      ? ["response"]
      : ["request"];
    const filter = "dumper_filter" in options ? options.get<string | null>("dumper_filter") : null;
    this.#filter = filter ? filterOf("dumper_filter", filter) : null;
  }

  complete(flow: HttpFlow, ctx: Context) {
    return this.#print(flow, ctx);
  }

  error(flow: HttpFlow, ctx: Context) {
    return this.#print(flow, ctx);
  }

  tcp_end(flow: TcpFlow, ctx: Context) {
    return this.#print(flow, ctx);
  }

  tcp_error(flow: TcpFlow, ctx: Context) {
    return this.#print(flow, ctx);
  }

  #print(flow: Flow, ctx: Context): Promise<void> | undefined {
    if (this.#form === null || this.#filter !== null && !this.#filter(flow)) return undefined;
    let text: string | Uint8Array;
    try {
      text = this.#form(flow);
    } catch (error) {
      ctx.log.warn(`export: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
    this.#tellMissing(flow, ctx);
    // Bytes end where they end, so that a single message can be sent as it is.
    const isText = typeof text === "string";
    if (!this.#isFirst) ctx.print(isText ? "\n" : "\n\n");
    this.#isFirst = false;
    return ctx.print(isText ? `${text}\n` : text);
  }

  #tellMissing(flow: Flow, ctx: Context): void {
    if (flow.type !== "http") return;
    for (const part of this.#parts) {
      const message = flow[part];
      if (message !== null && message.rawContent === null) {
        ctx.log.warn(
          `export: the body of the ${part} of ${flow.request.method} ${flow.request.url} was not kept.`,
        );
      }
    }
  }
}

function ofHttp(form: (flow: HttpFlow) => string): (flow: Flow) => string {
  return (flow) => {
    if (flow.type === "http") return form(flow);
    throw new TypeError("A raw TCP conversation has no request: it can be exported as raw bytes only.");
  };
}
