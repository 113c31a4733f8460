/**
 * The option `save_stream_file` (`-w`): flows are appended to a file as they end, in mitmproxy's format.
 *
 *     weir -w flows.mitm            a new file
 *     weir -w +flows.mitm           behind what is in it
 *     weir -w '%Y-%m-%d_%H.mitm'    another file every hour
 *     weir -w - | …                 standard output
 *
 * A flow is in the file when the moment of its end is over, whole or not at all; where the user's addons look
 * at ends, before the next one ends. Bodies that are streamed are saved where `store_streamed_bodies` keeps
 * them, copied from their temporary files while the wire goes on.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  encodeFlow,
  encodeMessage,
  type Filter,
  type Flow,
  type HttpFlow,
  type Loader,
  type Message,
  OptionError,
  StoredBody,
  type TcpFlow,
} from "weir";
import { expandHome, hasTime, strftime } from "./flows/paths.ts";
import { FileSink, FlowWriter, StdoutSink } from "./flows/writer.ts";
import { filterOf } from "./rules/spec.ts";

/** The hooks in which an addon learns that a flow has ended. */
const ENDS = ["complete", "error", "tcp_end", "tcp_error"] as const;
/** After a failure the file is tried again so often. */
const RETRY_MS = 60_000;

export default class Save implements Addon {
  /** A flow that has ended is in the file when weir ends, also when its body is one of many GiB and the disk a slow one. */
  readonly doneMs = 600_000;
  readonly keepsFlows = false;
  #ctx: Context | null = null;
  /** The option, without the `+`; null: nothing is saved. */
  #path: string | null = null;
  #append = false;
  #filter: Filter | null = null;
  /** The name that is written to now. */
  #name = "";
  #writer: FlowWriter | null = null;
  /** When the name may have changed. */
  #nameUntil = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #lost = 0;
  /** Messages of conversations that run: a flow itself keeps only the newest. */
  readonly #messages = new Map<Flow, Messages>();

  readsBodies(_message: Message, flow: HttpFlow): boolean {
    return this.#path !== null && this.#filter?.decide(flow) !== false;
  }

  isOff(): boolean {
    return this.#path === null;
  }

  load(loader: Loader) {
    loader.addOption(
      "save_stream_file",
      "str",
      null,
      "Save flows to this file as they end; +FILE adds to one, %Y-%m-%d_%H in its name makes a new one each hour.",
      { metavar: "FILE", group: "Flows" },
    );
    loader.addOption("save_stream_filter", "str", null, "Save only flows that match.", {
      metavar: "FILTER",
      group: "Flows",
    });
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    this.#ctx = ctx;
    const filter = options.get<string | null>("save_stream_filter");
    this.#filter = filter ? filterOf("save_stream_filter", filter) : null;
    if (!changed.has("save_stream_file")) return;
    await this.#close();
    const file = options.get<string | null>("save_stream_file") || null;
    this.#append = file?.startsWith("+") ?? false;
    this.#path = file && expandHome(file.replace(/^\+/, ""));
    if (this.#path === "-" && options.workers > 1) {
      throw new Error(
        "save_stream_file is standard output and workers more than 1: their flows would mix; save to a file",
      );
    }
    if (this.#path !== null) await this.#open();
  }

  async done() {
    await this.#close();
  }

  complete(flow: HttpFlow) {
    return this.#save(flow);
  }

  error(flow: HttpFlow) {
    return this.#save(flow);
  }

  websocket_message(flow: HttpFlow) {
    const message = flow.websocket?.messages.at(-1);
    return message && this.#keepMessage(flow, message);
  }

  tcp_message(flow: TcpFlow) {
    const message = flow.messages.at(-1);
    return message && this.#keepMessage(flow, message);
  }

  tcp_end(flow: TcpFlow) {
    return this.#save(flow);
  }

  tcp_error(flow: TcpFlow) {
    return this.#save(flow);
  }

  #keepMessage(flow: Flow, message: Parameters<typeof encodeMessage>[0]): Promise<void> | undefined {
    if (this.#path === null || !flow.live || this.#filter?.decide(flow) === false) return undefined;
    let messages = this.#messages.get(flow);
    if (messages === undefined) this.#messages.set(flow, messages = new Messages());
    return messages.add(encodeMessage(message));
  }

  #save(flow: Flow): Promise<void> | undefined {
    if (this.#path === null) return undefined;
    const messages = this.#messages.get(flow);
    this.#messages.delete(flow);
    if (this.#filter !== null && !this.#filter(flow)) return void messages?.dispose();
    if (messages !== undefined || Date.now() >= this.#nameUntil) return this.#saveLater(flow, messages);
    return this.#write(flow);
  }

  async #saveLater(flow: Flow, messages: Messages | undefined): Promise<void> {
    if (Date.now() >= this.#nameUntil) await this.#rename();
    await this.#write(flow, await messages?.end());
  }

  #write(flow: Flow, messages?: StoredBody): Promise<void> | undefined {
    const writer = this.#writer;
    if (writer === null) {
      this.#lost++;
      messages?.dispose();
      return undefined;
    }
    const pending = writer.add(encodeFlow(flow, { messages }));
    // Another addon can tell what had ended when weir was killed.
    if (ENDS.some((hook) => this.#ctx!.proxy.isHooked(hook))) writer.flush();
    return pending;
  }

  /** Goes over to another file when the time in its name says so. */
  async #rename(): Promise<void> {
    this.#nameUntil = Infinity;
    if (this.#path === null || !hasTime(this.#path)) return;
    const now = Date.now();
    this.#nameUntil = now - now % 1000 + 1000;
    if (this.#writer === null || strftime(this.#path, new Date(now)) === this.#name) return;
    const old = this.#writer;
    this.#writer = null;
    await old.close();
    await this.#open().catch((error) => this.#failed(error, 0));
  }

  /** @throws what keeps the file from being written. */
  async #open(): Promise<void> {
    const path = this.#path!;
    this.#name = hasTime(path) ? strftime(path, new Date()) : path;
    const { options, proxy } = this.#ctx!;
    // Of several isolates the first has made the file when the others open it.
    const isAppended = this.#append || !proxy.isPrimary;
    const sink = path === "-"
      ? new StdoutSink(proxy.hurry)
      : await FileSink.open(this.#name, isAppended, options.workers > 1).catch((error) => {
        throw new OptionError(
          "save_stream_file",
          `option save_stream_file: ${this.#name}: ${reasonOf(error)}`,
          error,
        );
      });
    this.#writer = new FlowWriter(sink, {
      onFailure: (error, lost) => this.#failed(error, lost),
      onLost: (error) => this.#ctx?.log.error(`A flow was not saved to ${this.#name}: ${reasonOf(error)}`),
    });
    // A name that comes again, and a file that is tried again, keep what they have.
    if (hasTime(path)) this.#append = true;
  }

  #failed(error: unknown, lost: number): void {
    const writer = this.#writer;
    this.#writer = null;
    this.#lost += lost;
    const reason = reasonOf(error);
    this.#ctx?.log.error(
      `Flows are not saved to ${this.#name} any more: ${reason}. It is tried again every ${
        RETRY_MS / 1000
      } s.`,
    );
    writer?.close().catch(() => {});
    this.#tryLater();
  }

  #tryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(async () => {
      try {
        this.#append = true;
        await this.#open();
        this.#ctx?.log.info(`Flows are saved to ${this.#name} again; ${this.#lost} were not.`);
        this.#lost = 0;
      } catch {
        this.#tryLater();
      }
    }, RETRY_MS);
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retry);
    const writer = this.#writer;
    this.#writer = null;
    this.#path = null;
    for (const messages of this.#messages.values()) messages.dispose();
    this.#messages.clear();
    await writer?.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Bytes of messages that may wait for the disk before the conversation does. */
const MAX_BEHIND = 4 * 1024 * 1024;

/** The messages of one conversation as they stand in a record: in memory while they are few. */
class Messages {
  readonly #stored = new StoredBody();
  #written: Promise<void> | null = null;
  #behind = 0;

  add(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#written === null) {
      const writing = this.#stored.append(bytes);
      if (writing !== undefined) this.#wait(writing, bytes.length);
    } else this.#wait(this.#written.then(() => this.#stored.append(bytes)), bytes.length);
    return this.#behind > MAX_BEHIND ? this.#written! : undefined;
  }

  async end(): Promise<StoredBody> {
    await this.#written;
    this.#stored.end(null);
    return this.#stored;
  }

  dispose(): void {
    this.#stored[Symbol.dispose]();
  }

  #wait(writing: Promise<void>, size: number): void {
    this.#behind += size;
    const written: Promise<void> = writing.then(() => {
      this.#behind -= size;
      if (this.#written === written) this.#written = null;
    });
    this.#written = written;
  }
}
