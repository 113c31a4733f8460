/**
 * weir inside another program: `import { Proxy } from "weir/proxy"`.
 * @module
 */
import { builtinAddons, recorders } from "../../addons/mod.ts";
import { WeirError } from "../errors.ts";
import type { HttpFlow } from "../flow/flow.ts";
import type { AddonExport, AddonSource } from "../hooks/mod.ts";
import { type Address, hostPort } from "../net/mod.ts";
import { OptionRegistry } from "../options/mod.ts";
import { type Log, ProxyServer } from "../proxy/mod.ts";
import { FlowFeed } from "./flow_feed.ts";

/** How a proxy is started from a program. */
export interface ProxyInit {
  /** Port to listen on; 0, the default, takes any free one. */
  listenPort?: number;
  /** Address to listen on; 127.0.0.1. */
  listenHost?: string;
  /** Directory of the certificate authority; `~/.weir`. */
  confdir?: string;
  /** Modes, as on the command line; `["regular"]`. */
  mode?: readonly string[];
  /** Addons as objects, classes or arrays of those. */
  addons?: readonly AddonExport[];
  /** Addons as files. */
  scripts?: readonly string[];
  /** Any options by name, those of addons included; text is read as on the command line. */
  options?: Readonly<Record<string, unknown>>;
  /** Where the log goes; nowhere by default. */
  log?: Log;
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * A running proxy.
 *
 * ```ts
 * import { Proxy } from "weir/proxy";
 *
 * await using proxy = await Proxy.start({ addons: [{ request: (flow) => console.log(flow.request.url) }] });
 * console.log(proxy.url); // http://127.0.0.1:38211
 * ```
 */
export class Proxy implements AsyncDisposable {
  readonly #server: ProxyServer;
  readonly #feed: FlowFeed;
  readonly #graceMs: number;

  private constructor(server: ProxyServer, feed: FlowFeed, graceMs: number) {
    this.#server = server;
    this.#feed = feed;
    this.#graceMs = graceMs;
  }

  /** Starts a proxy. @throws {WeirError} one sentence: an option, an addon, or an address that cannot be used. */
  static async start(init: ProxyInit = {}): Promise<Proxy> {
    const options = new OptionRegistry();
    await options.update({ listen_port: init.listenPort ?? 0, flow_detail: 0 });
    const feed = new FlowFeed();
    let proxy: Proxy | null = null;
    const server = new ProxyServer({
      options,
      log: init.log ?? SILENT,
      onShutdown: () => void proxy?.stop(),
    });
    const sources: AddonSource[] = [
      ...builtinAddons,
      ...(init.addons ?? []).map((addon, i) => ({ name: `addon ${i + 1}`, addon, builtin: false })),
      ...(init.scripts ?? []).map((script) => ({ script })),
      ...recorders,
      { name: "proxy.flows", addon: feed.addon, builtin: true },
    ];
    const named = Object.entries({
      ...init.listenHost !== undefined && { listen_host: init.listenHost },
      ...init.confdir !== undefined && { confdir: init.confdir },
      ...init.mode !== undefined && { mode: init.mode },
      ...init.options,
    });
    try {
      await server.load(sources);
      await options.updateNamed(named.map(([name, value]) => [name, readable(options, name, value)]));
      await server.start();
    } catch (error) {
      await server.stop(0);
      throw error;
    }
    return proxy = new Proxy(server, feed, options.values.shutdown_grace * 1000);
  }

  /** Where it listens, in the order of the modes. */
  get addresses(): readonly Address[] {
    return this.#server.listening.map(({ address }) => address);
  }

  /** What to give to clients as `http_proxy`; where the first mode is `socks5`, as `all_proxy`. */
  get url(): string {
    const [first] = this.#server.listening;
    if (first === undefined) throw new WeirError("weir", "internal", "The proxy does not listen any more.");
    const scheme = first.mode.mode.kind === "socks5" ? "socks5h" : "http";
    return `${scheme}://${hostPort(first.address)}`;
  }

  /** Flows as they end, from the moment of asking. Breaking out of the loop, or stopping the proxy, ends it. */
  get flows(): AsyncIterable<HttpFlow> {
    return this.#feed;
  }

  /** Stops: exchanges get `graceMs` to finish (the option `shutdown_grace` by default). Idempotent. */
  async stop(graceMs: number = this.#graceMs): Promise<void> {
    await this.#server.stop(graceMs);
    this.#feed.close();
  }

  /** Stops with the usual grace time. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Text is read as the command line reads it; anything else must be of the option's type. */
function readable(options: OptionRegistry, name: string, value: unknown): unknown {
  return typeof value === "string" ? options.read(name, [value]) : value;
}
