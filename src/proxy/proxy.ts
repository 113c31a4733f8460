/**
 * The proxy from start to stop: options, addons, listeners, connections.
 * @module
 */
import { WeirError } from "../errors.ts";
import * as weir from "../mod.ts";
import {
  AddonManager,
  type AddonSource,
  type Context,
  forAddons,
  type Gate,
  type Metric,
} from "../hooks/mod.ts";
import { type Address, type Conn, hostPort, listen, type TcpListener } from "../net/mod.ts";
import type { ModeSpec, OptionRegistry } from "../options/mod.ts";
import { stagesOf } from "../streams/mod.ts";
import { stderr, stdout } from "../output.ts";
import { settlesWithin } from "../timing.ts";
import { VERSION } from "../version.ts";
import { Certificates, checkTlsOptions } from "./certificates.ts";
import { ClientCertificates } from "./client_certificates.ts";
import { serveClient } from "./client_connection.ts";
import type { Log, ProxyContext } from "./context.ts";
import { leadsTo } from "./loop.ts";
import { FiniteWork } from "./finite_work.ts";
import type { Mode } from "./modes/mod.ts";
import { type Place, placesOf } from "./places.ts";
import { MemoryBudget } from "../memory_budget.ts";
import { loadFlow } from "./recorded.ts";
import { Replays, whyNot } from "./replay.ts";
import { Running } from "./running.ts";
import { StallWatch } from "./stall_watch.ts";
import { stoppingError } from "./upstream_dialer.ts";
import { UpstreamPool } from "./upstream_pool.ts";

/** After the grace time, for the closing handshake of WebSockets. */
const LAST_WORDS_MS = 250;
/** Then, for what the end of each exchange sets off: a hook that never ends must not keep weir from it. */
const LAST_HOOKS_MS = 2_000;

/** Then, for a reload that is under way. */
const CLOSE_MS = 500;

/** One listener that is ready. */
export interface Listening {
  readonly mode: ModeSpec;
  readonly address: Address;
}

interface Listener {
  readonly listener: TcpListener;
  readonly mode: Mode;
  readonly listening: Listening;
  /** Gives back what the mode needed of it. */
  close: () => void;
}

/** What a proxy is made of. */
export interface ProxyServerInit {
  readonly options: OptionRegistry;
  readonly log: Log;
  /** Told in a sentence of what weir was started for and could not be done; by default the log is. */
  onFailure?(text: string): void;
  /** Called when an addon asks weir to end. */
  onShutdown?(): void;
  /** Where to listen, mode by mode, in place of what the modes say: addresses that another isolate has opened. */
  readonly addresses?: readonly Address[];
}

/** Life: `load` addons, set options, `start`, `stop`. */
export class ProxyServer {
  readonly #init: ProxyServerInit;
  readonly #addons: AddonManager;
  readonly #context: ProxyContext;
  readonly #pool: UpstreamPool;
  readonly #stalls: StallWatch;
  readonly #leaving = new AbortController();
  readonly #stopping = new AbortController();
  readonly #hurry = new AbortController();
  readonly #cut = new AbortController();
  readonly #listeners: Listener[] = [];
  readonly #clients = new Map<Conn, Promise<void>>();
  readonly #accepting: Promise<void>[] = [];
  readonly #replays = new Replays();
  readonly #work: FiniteWork;
  readonly #identities: ClientCertificates;
  #gate: Gate | null = null;
  #stopped: Promise<void> | null = null;
  #unsubscribe: () => void = () => {};

  constructor(init: ProxyServerInit) {
    this.#init = init;
    const { options: registry, log } = init;
    const options = registry.values;
    this.#work = new FiniteWork(init.onFailure ?? ((text) => log.error(text)), () => {
      if (!options.keepserving) init.onShutdown?.();
    });
    this.#identities = new ClientCertificates(options);
    const certificates = new Certificates(options, log, (...where) => this.#pool.preconnect(...where));
    const metrics: Metric[] = [], ownAddresses: Address[] = [];
    const ctx: Context = {
      options: forAddons(options),
      log,
      print: (text, to) => (to === "stderr" ? stderr : stdout).print(text),
      proxy: {
        version: VERSION,
        get addresses() {
          return addresses();
        },
        isPrimary: init.addresses === undefined,
        leaving: this.#leaving.signal,
        hurry: this.#hurry.signal,
        isHooked: (hook) => this.#context.hooks.hasCustom(hook),
        get modes() {
          return options.mode;
        },
        certificate: (format) => certificates.file(format),
        get heldBytes() {
          return held();
        },
        hookSeconds: () => this.#addons.dispatcher.measured(),
        metrics,
        addMetric: (metric) => void metrics.push(metric),
        addOwnAddress: (address) => void ownAddresses.push(address),
        guard: (gate) => void (this.#gate = gate),
        shutdown: () => init.onShutdown?.(),
        endsAfter: (work) => this.#work.add(work),
        load: (flow) => loadFlow(this.#context.hooks, log, flow),
        whyNoReplay: whyNot,
        replay: (flow, through) => this.#replays.run(this.#context, flow, through && stagesOf(through)),
      },
    };
    const held = () => this.#context.memory.used;
    const addresses = () => this.listening.map(({ address }) => address);
    this.#addons = new AddonManager(ctx, registry, weir);
    const hooks = this.#addons.dispatcher;
    const gate = () => this.#gate;
    this.#pool = new UpstreamPool({
      options,
      hooks,
      gate,
      trusted: () => certificates.trusted(),
      identityFor: (host) => this.#identities.for(host),
      isLoop: (local, remote) => [...addresses(), ...ownAddresses].some((own) => leadsTo(own, local, remote)),
    });
    this.#context = {
      options,
      hooks,
      log,
      get gate() {
        return gate();
      },
      pool: this.#pool,
      certificates,
      running: new Running(),
      // Each isolate counts for itself, so each has its share.
      memory: new MemoryBudget(() => options.memory_limit && options.memory_limit / options.workers),
      stopping: this.#stopping.signal,
      cut: this.#cut.signal,
    };
    this.#stalls = new StallWatch(this.#context.running, () => options.idle_timeout);
  }

  /** The listeners that are ready, in the order of `mode`. */
  get listening(): readonly Listening[] {
    return this.#listeners.map(({ listening }) => listening);
  }

  /** What an addon has put between all exchanges and the origins. */
  get gate(): Gate | null {
    return this.#gate;
  }

  /** Something that weir was started for could not be done. */
  get hasFailed(): boolean {
    return this.#work.hasFailed;
  }

  /** Loads addons; their options are known afterwards. @throws {WeirError} one line for the user. */
  load(sources: readonly AddonSource[]): Promise<void> {
    return this.#addons.load(sources);
  }

  /** Listens in every mode. @throws {WeirError} one line for the user, and nothing listens. */
  async start(): Promise<readonly Listening[]> {
    const { options, log } = this.#context;
    const places = options.server ? placesOf(this.#init.options) : [];
    checkTlsOptions(options);
    if (options.server) await this.#context.certificates.prepare();
    await this.#identities.prepare();
    // Among several isolates the first says it for all.
    if (options.server && !this.#init.addresses) await this.#context.certificates.warn();
    await this.#addons.configure(new Set(this.#init.options.names()));
    this.#context.memory.changed();
    this.#unsubscribe = this.#init.options.subscribe((changed) => {
      checkTlsOptions(options);
      this.#context.memory.changed();
      return this.#addons.configure(changed);
    });
    // Whoever stops it while an addon takes its time must not find it listening afterwards.
    if (this.#stopped) throw stoppingError();
    try {
      places.forEach((place, i) => this.#listen(place, this.#init.addresses?.[i]));
    } catch (error) {
      for (const { listener, close } of this.#listeners) {
        listener.close();
        close();
      }
      throw error;
    }
    for (const { listener, listening, mode } of this.#listeners) {
      this.#accepting.push(this.#accept(listener, mode));
      if (this.#init.addresses) continue;
      // The words at its end are the same in every mode: scripts wait for them.
      log.info(`${mode.title}HTTP proxy listening at ${hostPort(listening.address)}`);
    }
    await this.#addons.running();
    this.#work.begin();
    return this.listening;
  }

  /** Tells addons that weir is about to stop; it goes on serving until then. */
  leave(): void {
    this.#leaving.abort();
  }

  /**
   * Stops accepting, lets exchanges finish for `graceMs`, cuts what is left, runs `done` hooks; from when `hurry` resolves these
   * have no more than a few seconds. Idempotent.
   */
  stop(graceMs: number, hurry?: Promise<unknown>): Promise<void> {
    return this.#stopped ??= this.#stop(graceMs, hurry);
  }

  #listen({ spec, mode, place: wanted }: Place, address?: Address): void {
    const { workers } = this.#context.options;
    const place = address ?? wanted;
    // A shared port could be shared with another weir as well, which would get part of the clients without a word.
    if (workers > 1 && !address) listen(place).close();
    const listener = listen({ ...place, reusePort: workers > 1 });
    const opened: Listener = {
      listener,
      mode,
      close: () => {},
      listening: { mode: spec, address: listener.addr },
    };
    this.#listeners.push(opened);
    if (mode.open) opened.close = mode.open(listener);
  }

  async #accept(listener: TcpListener, mode: Mode): Promise<void> {
    for await (const conn of listener) {
      const served = serveClient(this.#context, conn, mode);
      this.#clients.set(conn, served);
      void served.finally(() => this.#clients.delete(conn));
    }
  }

  async #stop(graceMs: number, hurry?: Promise<unknown>): Promise<void> {
    this.leave();
    void hurry?.then(() => this.#hurry.abort());
    for (const { listener } of this.#listeners) listener.close();
    await Promise.all(this.#accepting);
    this.#stopping.abort();
    const { running, log } = this.#context;
    if (graceMs > 0 && running.count > 0) {
      log.info(`Waiting up to ${graceMs / 1000} s for ${running} (Ctrl-C again ends weir at once)`);
    }
    await settlesWithin(graceMs, this.#exchangesEnded());
    if (running.count > 0) log.info(`Cutting off ${running}`);
    const error = new WeirError("weir", "shutdown", "It was cut off, as weir is stopping.");
    this.#cut.abort(error);
    running.cut(error, { spare: "websockets" });
    this.#replays.cut(error);
    await settlesWithin(LAST_WORDS_MS, this.#exchangesEnded());
    running.cut(error, { spare: "none" });
    for (const conn of this.#clients.keys()) conn.reset();
    this.#pool.close();
    this.#stalls.close();
    await settlesWithin(LAST_HOOKS_MS, this.#exchangesEnded());
    this.#unsubscribe();
    for (const { close } of this.#listeners) close();
    await this.#addons.done(hurry);
    await this.#addons.close(CLOSE_MS);
  }

  async #exchangesEnded(): Promise<void> {
    await Promise.all([...this.#clients.values(), this.#replays.ended()]);
  }
}
