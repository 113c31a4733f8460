/**
 * What an addon is, and what it is given: `ctx`, and `loader` in its `load` hook (mitmproxy
 * `addonmanager.py`, `ctx.py`).
 * @module
 */
import type { Address } from "../net/mod.ts";
import type { Flow, HttpFlow } from "../flow/flow.ts";
import type { Options, OptionType, OptionValue } from "../options/mod.ts";
import type { Message } from "../flow/message.ts";
import type { Gate } from "./gate.ts";
import type { EventHookName, EventHooks, LifeHookName } from "./names.ts";

export type { OptionType, OptionValue };

/**
 * The options' values, parsed: `options.flow_detail` is a number, sizes are bytes. Read only: addons do not
 * change options. Those that addons registered are there too; `options.get` reads them with the type you know
 * them to have.
 */
export type AddonOptions = Options & { readonly [name: string]: unknown };

/** The values as addons may read them: with names that only run time knows. */
export function forAddons(values: Options): AddonOptions {
  return values as AddonOptions;
}

/** Lines for the log, which goes to stderr. */
export interface AddonLog {
  /** Shown with `-v` alone. */
  debug(text: string): void;
  /** What is in order. */
  info(text: string): void;
  /** What is odd, or has no effect. */
  warn(text: string): void;
  /** What went wrong; shown with `-q`, too. */
  error(text: string): void;
}

/** Formats of the CA certificate: PEM, DER, PKCS #12 without key. */
export type CertificateFormat = "pem" | "cer" | "p12";

/** A number that changes while weir runs. */
export interface Metric {
  /** In Prometheus' style: `weir_store_queue_flows`. */
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  /** A counter only grows. */
  readonly type: "gauge" | "counter";
  /** What it is now, in this isolate. */
  read(): number;
}

/** The running proxy. */
export interface ProxyInfo {
  /** weir's own: "0.1.0". */
  readonly version: string;
  /** Where it listens; empty before `running`. */
  readonly addresses: readonly Address[];
  /** False in the further isolates of the option `workers`: what is to be said once is said by the first. */
  readonly isPrimary: boolean;
  /** True when an addon of the user's has this hook: one that does not ship with weir. */
  isHooked(hook: EventHookName): boolean;
  /** The modes, as written in the option `mode`. */
  readonly modes: readonly string[];
  /** The certificate of weir's CA, never its key. */
  certificate(format: CertificateFormat): Promise<Uint8Array>;
  /**
   * Aborted as soon as weir knows that it will stop. For the seconds of the option `shutdown_delay` it still takes connections, so
   * that a load balancer can learn of it first.
   */
  readonly leaving: AbortSignal;
  /** Aborted when somebody has asked weir to end (SIGINT, SIGTERM, SIGHUP): what is still to be done should be done soon. */
  readonly hurry: AbortSignal;
  /** Puts a gate between all exchanges and the origins, in place of the one that is there; null takes it away. */
  guard(gate: Gate | null): void;
  /** Bytes that this isolate holds for bodies, as `memory_limit` counts them. */
  readonly heldBytes: number;
  /**
   * Seconds that the hooks of each addon have taken so far, by the addon's name, waiting included. Measuring begins with the first
   * call.
   */
  hookSeconds(): ReadonlyMap<string, number>;
  /** Numbers that addons have given with {@linkcode ProxyInfo.addMetric}. */
  readonly metrics: readonly Metric[];
  /** Adds a number for whoever watches weir (`admin_listen`). */
  addMetric(metric: Metric): void;
  /** An address that addons listen at: connections through the proxy that lead there are refused, as those to weir itself are. */
  addOwnAddress(address: Address): void;
  /** Ends weir as SIGINT does: open streams get their grace time, `done` hooks run. */
  shutdown(): void;
  /**
   * weir ends when all work that was given here is done, unless the option `keepserving` is set: for addons
   * that are there for something that has an end. Call it in `configure` or `running`. Work that rejects is
   * told in the log, and weir's exit status becomes 1.
   */
  endsAfter(work: Promise<unknown>): void;
  /**
   * Runs the hooks that a recorded flow would have run: `requestheaders`, `request`, `responseheaders`,
   * `response`, those of its messages, and `complete` or `error`; for raw conversations the `tcp_*` hooks.
   * Resolves when all have. Nothing is sent, and
   * `flow.live` is false (mitmproxy `load_flow`).
   */
  load(flow: Flow): Promise<void>;
  /** Why a flow's request cannot be sent again, as the end of a sentence about it; null when it can. */
  whyNoReplay(flow: HttpFlow): string | null;
  /**
   * Sends the request of a flow again, through weir itself, hooks included. Resolves to the new flow, whose
   * `isReplay` is "request", when that has ended, well or badly. `through` are stages for its body (mitmproxy
   * `replay.client`).
   * @throws {TypeError} when the request cannot be sent again: its body was not kept, it is a CONNECT or a WebSocket.
   */
  replay(flow: HttpFlow, through?: readonly TransformStream<Uint8Array, Uint8Array>[]): Promise<HttpFlow>;
}

/** The second argument of every hook. */
export interface Context {
  /** Values by name. */
  readonly options: AddonOptions;
  /** Where an addon may write. */
  readonly log: AddonLog;
  /**
   * Prints text, or bytes as they are, to stdout, which is flows' place, or to stderr, which is the log's. It
   * never waits for whoever reads: what nobody reads is left out in the end. With very much to print, await
   * what it returns: there is room again then.
   */
  print(text: string | Uint8Array, to?: "stdout" | "stderr"): Promise<void> | undefined;
  /** The proxy that the addon is part of. */
  readonly proxy: ProxyInfo;
}

/** What {@linkcode Loader.addOption} may be told besides. */
export interface OptionExtras {
  /** The only texts allowed, for `str` and `list`. */
  readonly choices?: readonly string[];
  /** What help calls the value; the type by default. */
  readonly metavar?: string;
  /** Heading in help; "Addons" by default. */
  readonly group?: string;
}

/** The first argument of `load`. */
export interface Loader {
  /**
   * Registers an option, which then has a flag and a place in `config.yaml` and in `--set`. A default of null
   * says that it may be unset; a size, which is written like `3m`, always may.
   *
   * ```ts
   * export function load(loader: Loader) {
   *   loader.addOption("greeting", "str", "hello", "What to say.");
   * }
   * ```
   */
  addOption(
    name: string,
    type: OptionType,
    defaultValue: OptionValue,
    help: string,
    extras?: OptionExtras,
  ): void;
}

/** Hooks that follow flows and connections: each may be async, and may return anything, which is ignored. */
export type EventHandlers = { [Hook in keyof EventHooks]?: (arg: EventHooks[Hook], ctx: Context) => unknown };

/**
 * Hooks of an addon's own life. The second argument is always `ctx`, but for `configure`, where it is the
 * third.
 */
export interface LifeHooks extends Record<LifeHookName, unknown> {
  /** Before options are read: register your own. */
  load(loader: Loader, ctx: Context): unknown;
  /** Once at start and whenever options change; `changed` holds their names. Throw to refuse them. */
  configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context): unknown;
  /** weir listens. There is nothing else to say, so both arguments are `ctx`. */
  running(ctx: Context, same: Context): unknown;
  /** The addon is about to go: at the end, and before it is loaded again. */
  done(ctx: Context, same: Context): unknown;
}

/** What an addon says of itself. */
export interface AddonTraits {
  /**
   * Set it to false when the addon looks at flows in its hooks and keeps none of them: the bytes of raw
   * connections (`tcp_message`) are then copied only where it reads them. True where nothing is said.
   */
  readonly keepsFlows?: boolean;
  /**
   * Which bodies the addon looks at (`content`, `text`), so that with the option `stream_unread` all others
   * can be streamed: none of them, all of them, or those for which the function returns true. It is asked
   * once for each message, when its head is known and no addon has set `stream`.
   *
   * Where nothing is said: of requests, when the addon has a hook `request`, `response`, `complete` or
   * `error`; of responses, when it has one of the last three.
   *
   * ```ts
   * import type { HttpFlow, Message } from "weir";
   *
   * export function readsBodies(message: Message) {
   *   return message.headers.get("content-type") === "application/json";
   * }
   *
   * export function response(flow: HttpFlow) {
   *   if (readsBodies(flow.response!)) console.log(flow.response!.text);
   * }
   * ```
   */
  readonly readsBodies?: boolean | ((message: Message, flow: HttpFlow) => boolean);
  /**
   * Whether the addon has nothing to do as its options are: asked after each `configure`. While it says true none of its hooks for
   * flows and connections is called, so that what is off costs nothing.
   */
  isOff?(): boolean;
  /**
   * Set it to true when nothing may pass that the addon has not dealt with: when one of its hooks throws, the
   * flow is cut, where it would else go on as if the addon were not there. A connection that it
   * was asked about (`client_connected`, `tls_clienthello`, `socks5_auth`, `server_connect`) is refused.
   */
  readonly failClosed?: boolean;
  /**
   * Milliseconds that `done` may take, where it has more to do than fits into the 2 s that all of them have
   * together: to write what would be lost. A second SIGINT does not wait for it.
   */
  readonly doneMs?: number;
}

/** An object with methods named after hooks. */
export type Addon = EventHandlers & Partial<LifeHooks> & AddonTraits;

/** A class whose instances are addons; one instance is made each time the module is loaded. */
export type AddonClass = new () => Addon;

/** What a module may export by default. */
export type AddonExport = Addon | AddonClass | readonly AddonExport[];

/** An addon module: exported functions named after hooks, a default export, or both. */
export type AddonModule = Addon & { default?: AddonExport };
