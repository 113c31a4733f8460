/**
 * The option `flow_store`: flows go into a database as they end, to be searched later, by many, and over restarts.
 *
 *     weir --set flow_store=sqlite:flows.db
 *     weir --set flow_store=postgres://weir@db.internal/weir --set flow_store_keep=7d,10g
 *     weir -nr sqlite:flows.db '~d api & ~c 500'
 *
 * The wire never waits for it: what the database has not taken yet waits in memory, up to a bound (`./store/queue.ts`).
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type Flow,
  type HttpFlow,
  type Loader,
  type Message,
  OptionError,
  type TcpFlow,
  type TcpMessage,
  type WebSocketMessage,
} from "weir";
import { isStoreUrl, shownUrl } from "./flows/store_url.ts";
import type { BodyFiles, FlowQueue, FlowStore, Keep, KeptBody } from "./store/mod.ts";

/** How long (ms) a start waits for a database that does not answer. */
const START_MS = 3_000;
/** How long (ms) the end waits for what has not been written. */
const END_MS = 5_000;
const PRUNE_EVERY_MS = 5_000;
/** Bodies in files that wait to be copied; the bodies of more flows are not kept. */
const MAX_COPIES = 256;

export default class Store implements Addon {
  readonly keepsFlows = false;
  readonly doneMs = END_MS + 3_000;
  #open: OpenStore | null = null;
  /** JSON of the messages of conversations that run: a flow itself keeps only the newest. */
  readonly #messages = new Map<Flow, Messages>();

  isOff(): boolean {
    return this.#open === null;
  }

  readsBodies(): boolean {
    return true;
  }

  load(loader: Loader) {
    const group = "Flow store";
    loader.addOption("flow_store", "str", null, "Write flows into a database: sqlite:FILE or postgres://….", {
      metavar: "URL",
      group,
    });
    loader.addOption("flow_store_body_limit", "size", 1024 * 1024, "Longer bodies are not kept in the row.", {
      group,
    });
    loader.addOption("flow_store_bodies", "str", null, "Keep longer bodies as files in this directory.", {
      metavar: "DIR",
      group,
    });
    loader.addOption(
      "flow_store_required",
      "bool",
      false,
      "While the database is away, say at /readyz (admin_listen) that weir is not ready.",
      { group },
    );
    loader.addOption(
      "flow_store_keep",
      "str",
      null,
      "Throw away what is older (7d), or too much (10g), or both.",
      {
        metavar: "AGE,SIZE",
        group,
      },
    );
  }

  running(ctx: Context) {
    const queue = () => this.#open?.queue;
    ctx.proxy.addMetric({
      name: "weir_store_queue_flows",
      help: "Flows that wait for the database of flow_store.",
      type: "gauge",
      read: () => queue()?.size ?? 0,
    });
    ctx.proxy.addMetric({
      name: "weir_store_dropped_flows_total",
      help: "Flows that were not written to the database of flow_store.",
      type: "counter",
      read: () => queue()?.dropped ?? 0,
    });
    ctx.proxy.addMetric({
      name: "weir_store_is_away",
      help: "1 while the database of flow_store cannot be written to.",
      type: "gauge",
      read: () => queue()?.isAway ? 1 : 0,
    });
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    if (
      !["flow_store", "flow_store_body_limit", "flow_store_bodies", "flow_store_keep"].some((name) =>
        changed.has(name)
      )
    ) {
      return;
    }
    await this.#close();
    const url = options.get<string | null>("flow_store") || null;
    const keep = options.get<string | null>("flow_store_keep") || null;
    if (url === null && keep === null) return;
    const parts = await import("./store/mod.ts");
    const settings = {
      bodyLimit: options.get<number | null>("flow_store_body_limit") ?? Infinity,
      bodies: options.get<string | null>("flow_store_bodies"),
      keep: keep === null ? null : parsed("flow_store_keep", () => parts.parseKeep(keep)),
    };
    if (url !== null) this.#open = await OpenStore.open(parts, { url, ...settings }, ctx);
  }

  complete(flow: HttpFlow) {
    this.#add(flow);
  }

  error(flow: HttpFlow) {
    this.#add(flow);
  }

  websocket_message(flow: HttpFlow) {
    this.#keepMessage(flow, flow.websocket?.messages.at(-1));
  }

  tcp_message(flow: TcpFlow) {
    this.#keepMessage(flow, flow.messages.at(-1));
  }

  tcp_end(flow: TcpFlow) {
    this.#add(flow);
  }

  tcp_error(flow: TcpFlow) {
    this.#add(flow);
  }

  async done() {
    await this.#close();
  }

  #keepMessage(flow: Flow, message: WebSocketMessage | TcpMessage | undefined): void {
    if (this.#open === null || message === undefined) return;
    let messages = this.#messages.get(flow);
    if (messages === undefined) this.#messages.set(flow, messages = new Messages(this.#open.bodyLimit));
    messages.add(this.#open.messageJson(message));
  }

  #add(flow: Flow): void {
    const messages = this.#messages.get(flow);
    this.#messages.delete(flow);
    this.#open?.add(flow, messages?.list ?? []);
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    this.#messages.clear();
    await open?.close();
  }
}

/** The first messages of a conversation, as many as fit. */
class Messages {
  readonly list: string[] = [];
  #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  add(json: string): void {
    this.#room -= json.length;
    if (this.#room >= 0) this.list.push(json);
  }
}

interface Settings {
  readonly url: string;
  readonly bodyLimit: number;
  readonly bodies: string | null;
  readonly keep: Keep | null;
}

/** What is loaded when the option is set. */
type Parts = typeof import("./store/mod.ts");

/** A store that is written to. */
class OpenStore {
  readonly #parts: Parts;
  readonly #settings: Settings;
  readonly #ctx: Context;
  readonly #store: FlowStore;
  readonly #queue: FlowQueue;
  readonly #files: BodyFiles | null;
  readonly #instance = `${Deno.hostname()}:${Deno.pid}`;
  #pruneTimer: ReturnType<typeof setTimeout> | undefined;
  #pruning: Promise<void> = Promise.resolve();
  /** Copies of long bodies, one after the other. */
  #copying: Promise<void> = Promise.resolve();
  #copies = 0;
  /** Bodies that were left out. */
  #leftOut = 0;
  #awaySince = 0;
  #isClosed = false;

  private constructor(parts: Parts, settings: Settings, ctx: Context) {
    this.#parts = parts;
    this.#settings = settings;
    this.#ctx = ctx;
    const { url, bodies } = settings;
    this.#store = new parts.FlowStore(parsed("flow_store", () => parts.databaseOf(url)));
    this.#files = bodies ? new parts.BodyFiles(bodies) : null;
    const name = shownUrl(url), { log } = ctx;
    this.#queue = new parts.FlowQueue((rows) => this.#store.write(rows), {
      onAway: (error) => this.#tellAway(error),
      onBack: () => {
        const since = new Date(this.#awaySince).toISOString();
        log.info(`Flows are written to ${name} again; it was away since ${since}.`);
      },
      onDropped: (count) => log.error(`${count} flows were not written to ${name}: too many waited.`),
      onRefused: (row, error) => log.error(`Flow ${row.id} was not written to ${name}: ${reasonOf(error)}`),
    });
  }

  /** @throws {Error} when the URL is none, or what is there cannot be used. */
  static async open(parts: Parts, settings: Settings, ctx: Context): Promise<OpenStore> {
    const { url } = settings;
    if (!isStoreUrl(url)) {
      const wanted = "sqlite:FILE or postgres://user@host/database is needed";
      throw new OptionError("flow_store", `option flow_store: ${wanted}, not ${shownUrl(url)}`);
    }
    const open = new OpenStore(parts, settings, ctx);
    try {
      await open.#start();
    } catch (error) {
      await open.close();
      throw error;
    }
    return open;
  }

  get queue(): FlowQueue {
    return this.#queue;
  }

  get bodyLimit(): number {
    return this.#settings.bodyLimit;
  }

  messageJson(message: WebSocketMessage | TcpMessage): string {
    return this.#parts.messageJson(message);
  }

  /** Takes a flow that has ended. */
  add(flow: Flow, messages: readonly string[]): void {
    const request = flow.type === "http" ? this.#bodyOf(flow.request) : NO_BODY;
    const response = flow.type === "http" && flow.response ? this.#bodyOf(flow.response) : NO_BODY;
    const add = (requestBody: KeptBody, responseBody: KeptBody) =>
      this.#queue.add(
        this.#parts.rowOf(flow, { instance: this.#instance, requestBody, responseBody, messages }),
      );
    if (request instanceof Promise || response instanceof Promise) {
      this.#copying = this.#copying
        .then(async () => add(await request, await response))
        .catch((error) => this.#ctx.log.error(`A flow was not stored: ${reasonOf(error)}`));
    } else add(request, response);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#pruneTimer);
    await this.#copying;
    await this.#queue.close(END_MS);
    await this.#pruning;
    await this.#store.close();
    if (this.#leftOut > 0) {
      this.#ctx.log.info(
        `${this.#leftOut} bodies were not stored: longer than flow_store_body_limit (flow_store_bodies keeps them).`,
      );
    }
  }

  async #start(): Promise<void> {
    const { UnusableDatabase } = this.#parts;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${START_MS / 1000} s`)), START_MS);
    });
    try {
      const ready = this.#store.prepare();
      ready.catch(() => {});
      await Promise.race([ready, late]);
    } catch (error) {
      if (error instanceof UnusableDatabase) {
        throw new OptionError(
          "flow_store",
          `option flow_store: ${shownUrl(this.#settings.url)}: ${error.message}`,
          error,
        );
      }
      this.#tellAway(error);
    } finally {
      clearTimeout(timer);
    }
    if (this.#settings.keep !== null && this.#ctx.proxy.isPrimary) this.#pruneLater(this.#settings.keep, 0);
  }

  #tellAway(error: unknown): void {
    this.#awaySince ||= Date.now();
    const { url } = this.#settings;
    this.#ctx.log.error(
      `Flows are not written to ${shownUrl(url)}: ${reasonOf(error)}. They wait, and it is tried again.`,
    );
  }

  #pruneLater(keep: Keep, ms: number): void {
    if (this.#isClosed) return;
    this.#pruneTimer = setTimeout(() => {
      this.#pruning = this.#store.prune(keep, this.#files)
        // A database that is away is told by who writes to it.
        .catch(() => false)
        .then((isMore) => this.#pruneLater(keep, isMore ? 10 : PRUNE_EVERY_MS));
    }, ms);
  }

  /** A promise where the body lies in a file. */
  #bodyOf(message: Message): KeptBody | Promise<KeptBody> {
    const raw = message.rawContent;
    const { size } = message;
    if (raw === null && size === 0 && message.streamedBy === null) return NO_BODY;
    const isLong = (raw?.length ?? size) > this.#settings.bodyLimit;
    if (raw !== null && !isLong) return { bytes: raw.slice(), hash: null, size: raw.length };
    if (isLong && this.#files === null || this.#copies >= MAX_COPIES) return this.#without();
    const stored = raw === null ? message.readStored() : ReadableStream.from([raw]);
    if (stored === null) return this.#without();
    this.#copies++;
    return (isLong ? this.#copyToFile(stored) : readAll(stored)).finally(() => this.#copies--);
  }

  #without(): KeptBody {
    this.#leftOut++;
    return NO_BODY;
  }

  async #copyToFile(stored: ReadableStream<Uint8Array>): Promise<KeptBody> {
    try {
      return { bytes: null, ...await this.#files!.write(stored) };
    } catch (error) {
      this.#ctx.log.error(`A body was not written to ${this.#settings.bodies}: ${reasonOf(error)}`);
      return this.#without();
    }
  }
}

const NO_BODY: KeptBody = { bytes: null, hash: null, size: 0 };

async function readAll(stored: ReadableStream<Uint8Array>): Promise<KeptBody> {
  const bytes = await new Response(stored as ReadableStream<Uint8Array<ArrayBuffer>>).bytes();
  return { bytes, hash: null, size: bytes.length };
}

function parsed<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new OptionError(option, `option ${option}: ${reasonOf(error)}`, error);
  }
}

/** Drivers say of some errors nothing but a code. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as { code?: unknown }).code ?? error.name);
}
