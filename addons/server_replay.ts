/**
 * The option `server_replay` (`-S`): requests are answered from files (mitmproxy `serverplayback`).
 *
 *     weir -S flows.mitm                                     each recorded answer once, in its order
 *     weir -S flows.mitm --server-replay-reuse --server-replay-extra 404
 *     weir -S flows.mitm --server-replay-timing recorded     event streams with the pauses that they had
 *
 * A request is matched by its head where `server_replay_ignore_content` is set; else by its body as well, which is hashed as it
 * comes. Of one that is streamed nothing is kept, unless it may have to be forwarded (`server_replay_extra=forward`).
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type HttpFlow,
  type Loader,
  OptionError,
  type Response as FlowResponse,
  timedStream,
} from "weir";
import { openFlows } from "./flows/open.ts";
import { playConversation } from "./flows/conversation.ts";
import { type Pace, parsePace } from "./flows/pace.ts";
import { refresh } from "./flows/refresh.ts";
import { BodyKey, formKey, headKey, type KeyOptions, needsForm } from "./flows/replay_key.ts";

const EXTRA = ["forward", "kill", "204", "400", "404", "500"] as const;
const GROUP = { group: "Flows" };

/** Recorded flows whose heads are the same. */
interface Recorded {
  readonly bodyKey: string;
  readonly flow: HttpFlow;
  isUsed: boolean;
}

export default class ServerReplay implements Addon {
  readonly keepsFlows = false;
  /** It has the body of a request read where it needs it. */
  readonly readsBodies = false;
  #isOn = false;
  #keys: KeyOptions = NO_KEYS;
  #pace: Pace = null;
  #extra: typeof EXTRA[number] = "forward";
  #isReused = false;
  #withWebSockets = false;
  #isRefreshed = true;
  readonly #recorded = new Map<string, Recorded[]>();
  #left = 0;
  readonly #allUsed = Promise.withResolvers<void>();

  isOff(): boolean {
    return !this.#isOn;
  }

  load(loader: Loader) {
    const bool = (name: string, value: boolean, help: string) =>
      loader.addOption(name, "bool", value, help, GROUP);
    const list = (name: string, help: string) =>
      loader.addOption(name, "list", [], help, { ...GROUP, metavar: "NAME" });
    loader.addOption("server_replay", "list", [], "Answer requests from this file.", {
      ...GROUP,
      metavar: "FILE",
    });
    loader.addOption(
      "server_replay_extra",
      "str",
      "forward",
      "What becomes of requests that no recorded one is like.",
      {
        ...GROUP,
        choices: EXTRA,
      },
    );
    bool("server_replay_reuse", false, "Answer with the same recorded response again and again.");
    bool("server_replay_refresh", true, "Move the dates in recorded responses into the present.");
    bool(
      "server_replay_websockets",
      false,
      "Answer WebSocket handshakes, too, and say what the server said.",
    );
    bool("server_replay_ignore_content", false, "Compare requests without their bodies.");
    bool("server_replay_ignore_host", false, "Compare requests without their hosts.");
    bool("server_replay_ignore_port", false, "Compare requests without their ports.");
    list("server_replay_ignore_params", "Compare requests without this parameter of their queries.");
    list("server_replay_ignore_payload_params", "Compare requests without this field of their forms.");
    list("server_replay_use_headers", "Compare this header field, too.");
    loader.addOption(
      "server_replay_timing",
      "str",
      "asap",
      "When the pieces of recorded bodies are sent: asap, recorded, or a speed such as 2x.",
      GROUP,
    );
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    this.#extra = options.get<typeof EXTRA[number]>("server_replay_extra");
    this.#isReused = options.get<boolean>("server_replay_reuse");
    this.#withWebSockets = options.get<boolean>("server_replay_websockets");
    this.#isRefreshed = options.get<boolean>("server_replay_refresh");
    this.#pace = parsePace("server_replay_timing", options.get<string>("server_replay_timing"));
    this.#keys = {
      ignoreContent: options.get<boolean>("server_replay_ignore_content"),
      ignoreHost: options.get<boolean>("server_replay_ignore_host"),
      ignorePort: options.get<boolean>("server_replay_ignore_port"),
      ignoreParams: options.get<string[]>("server_replay_ignore_params"),
      ignorePayloadParams: options.get<string[]>("server_replay_ignore_payload_params"),
      useHeaders: options.get<string[]>("server_replay_use_headers"),
    };
    const paths = options.get<string[]>("server_replay");
    this.#isOn = paths.length > 0;
    if (this.#isOn && !this.#isReused && options.workers > 1) {
      throw new Error(
        "server_replay gives each answer once, and workers is more than 1: set server_replay_reuse as well",
      );
    }
    if (![...changed].some((name) => name.startsWith("server_replay"))) return;
    try {
      await this.#read(paths, ctx);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new OptionError("server_replay", `option server_replay: ${reason}`, error);
    }
  }

  running(ctx: Context) {
    if (!this.#isOn || this.#isReused) return;
    ctx.proxy.endsAfter(this.#allUsed.promise);
    this.#checkLeft();
  }

  requestheaders(flow: HttpFlow) {
    if (!flow.live || flow.response !== null) return;
    const alike = this.#alike(flow);
    const isWebSocket = alike[0]?.flow.websocket !== null;
    if (this.#keys.ignoreContent && alike.length > 0 && !isWebSocket) return this.#answer(flow, alike[0]);
    // A form must be there to be taken apart.
    if (alike.length > 0 && needsForm(flow.request, this.#keys)) flow.request.stream = false;
  }

  async request(flow: HttpFlow): Promise<void> {
    if (!flow.live || flow.response !== null) return;
    const alike = this.#alike(flow);
    const match = alike.length === 0 ? undefined : await this.#match(flow, alike);
    if (match !== undefined) return this.#answer(flow, match);
    if (this.#extra === "kill") return flow.kill();
    if (this.#extra !== "forward") flow.response = new Response(null, { status: Number(this.#extra) });
  }

  /** The same of a request that was recorded; one without its body is like no other. */
  async #recordedBodyKey({ request }: HttpFlow): Promise<string> {
    if (this.#keys.ignoreContent) return "";
    const stored = request.readStored();
    if (stored === null && request.rawContent === null) return "not kept";
    if (needsForm(request, this.#keys)) return await formKey(request, request.content!, this.#keys);
    const key = new BodyKey();
    if (stored === null) key.add(request.rawContent!);
    else for await (const chunk of stored) key.add(chunk);
    return key.text();
  }

  /** Those that can still answer requests with this head, in their order. */
  #alike(flow: HttpFlow): Recorded[] {
    const all = this.#recorded.get(headKey(flow.request, this.#keys)) ?? [];
    return this.#isReused ? all : all.filter(({ isUsed }) => !isUsed);
  }

  async #match(flow: HttpFlow, alike: readonly Recorded[]): Promise<Recorded | undefined> {
    if (this.#keys.ignoreContent) return alike[0];
    const bodyKey = await this.#bodyKey(flow);
    return alike.find((recorded) => recorded.bodyKey === bodyKey);
  }

  async #bodyKey({ request }: HttpFlow): Promise<string> {
    if (needsForm(request, this.#keys)) {
      return await formKey(request, request.content ?? new Uint8Array(), this.#keys);
    }
    const key = new BodyKey();
    await request.consume((chunk) => key.add(chunk), { keep: this.#extra === "forward" });
    return key.text();
  }

  #answer(flow: HttpFlow, recorded: Recorded): void {
    if (!this.#isReused) {
      recorded.isUsed = true;
      this.#left--;
    }
    flow.isReplay = "response";
    const { response, websocket } = recorded.flow;
    if (websocket === null) flow.response = this.#responseOf(recorded.flow);
    else {
      const subprotocol = response!.headers.get("sec-websocket-protocol");
      flow.answerWebSocket(
        (socket) => playConversation(recorded.flow, socket, this.#pace),
        subprotocol === null ? [] : [["Sec-WebSocket-Protocol", subprotocol]],
      );
    }
    this.#checkLeft();
  }

  #responseOf({ request, response }: HttpFlow): FlowResponse | Response {
    const body = response!.readStored();
    if (body === null && response!.rawContent === null) {
      return new Response(
        `The body of the recorded answer to ${request.method} ${request.url} was not kept.\n`,
        {
          status: 502,
          headers: { "content-type": "text/plain; charset=utf-8" },
        },
      );
    }
    const copy = this.#copyOf(response!, body);
    if (this.#isRefreshed) refresh(copy, response!.timestampStart);
    return copy;
  }

  /** The same answer, from its file where it is in one, and at its own pace where that is wanted. */
  #copyOf(response: FlowResponse, stored: ReadableStream<Uint8Array> | null): FlowResponse {
    const { timeline } = response;
    const isPaced = this.#pace !== null && timeline.length > 1;
    if (stored === null && !isPaced) return response.copy();
    const body = stored ?? ReadableStream.from([response.rawContent!]);
    const paced = isPaced ? body.pipeThrough(timedStream(timeline, this.#pace!)) : body;
    return response.copy(paced, response.headers.has("content-length") ? response.size : null);
  }

  async #read(paths: readonly string[], ctx: Context): Promise<void> {
    this.#recorded.clear();
    this.#left = 0;
    for (const path of paths) {
      for await (const flow of openFlows(path, { keepsBodies: true })) {
        const isPlayed = flow.type === "http" && flow.response !== null &&
          (flow.websocket === null || this.#withWebSockets);
        if (!isPlayed) {
          ctx.log.debug(`server_replay: ${path}: a flow without an answer is passed over.`);
          continue;
        }
        const key = headKey(flow.request, this.#keys);
        const bodyKey = await this.#recordedBodyKey(flow);
        const alike = this.#recorded.get(key) ?? [];
        alike.push({ bodyKey, flow, isUsed: false });
        this.#recorded.set(key, alike);
        this.#left++;
      }
    }
  }

  #checkLeft(): void {
    if (this.#left === 0) this.#allUsed.resolve();
  }
}

const NO_KEYS: KeyOptions = {
  ignoreContent: false,
  ignoreHost: false,
  ignorePort: false,
  ignoreParams: [],
  ignorePayloadParams: [],
  useHeaders: [],
};
