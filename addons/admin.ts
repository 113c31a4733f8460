/**
 * The option `admin_listen`: what watches weir asks there. `/metrics` (Prometheus), `/healthz` (the process), `/readyz` (it takes
 * connections, and will go on doing so).
 *
 * With `workers` each isolate counts for itself; the first one listens, and adds up what the others tell it.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Address,
  type ClientConnection,
  type Context,
  type HttpFlow,
  type Loader,
  OptionError,
  type ServerConnectionData,
} from "weir";
import { CONTENT_TYPE, merged, textOf } from "./admin/exposition.ts";
import { Numbers } from "./admin/numbers.ts";
import { parseListenAddress } from "./admin/listen_address.ts";
import { Team } from "./admin/team.ts";

export default class Admin implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #ctx: Context | null = null;
  #address: Address | null = null;
  #needsStore = false;
  #numbers: Numbers | null = null;
  #team: Team | null = null;
  #server: Deno.HttpServer<Deno.NetAddr> | null = null;

  isOff(): boolean {
    return this.#address === null;
  }

  load(loader: Loader) {
    loader.addOption(
      "admin_listen",
      "str",
      null,
      "Answer /metrics, /healthz and /readyz at this address, for what watches weir.",
      { metavar: "[HOST:]PORT", group: "Watching weir" },
    );
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    this.#ctx = ctx;
    // The addon store may not be there.
    this.#needsStore = options["flow_store_required"] === true && options["flow_store"] !== null;
    if (!changed.has("admin_listen")) return;
    const place = options.get<string | null>("admin_listen") || null;
    const address = place === null ? null : parseListenAddress(place);
    await this.#stop();
    this.#address = address;
    if (address !== null) this.#start(address, ctx);
  }

  client_connected(_client: ClientConnection) {
    this.#numbers?.opened("client");
  }

  client_disconnected(_client: ClientConnection) {
    this.#numbers?.closed("client");
  }

  server_connected(_data: ServerConnectionData) {
    this.#numbers?.opened("server");
  }

  server_disconnected(_data: ServerConnectionData) {
    this.#numbers?.closed("server");
  }

  requestheaders(flow: HttpFlow) {
    this.#numbers?.begun(flow);
  }

  complete(flow: HttpFlow) {
    this.#numbers?.ended(flow);
  }

  error(flow: HttpFlow) {
    this.#numbers?.ended(flow);
  }

  async done() {
    await this.#stop();
  }

  #start(address: Address, ctx: Context): void {
    const numbers = this.#numbers = new Numbers(ctx.proxy);
    this.#team = new Team(() => numbers.families(), (own) => ctx.proxy.addOwnAddress(own));
    if (!ctx.proxy.isPrimary) return;
    const { hostname, port } = address;
    try {
      this.#server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => this.#answer(request));
    } catch (error) {
      throw new OptionError(
        "admin_listen",
        `option admin_listen: cannot listen at ${hostname}:${port}: ${reasonOf(error)}`,
        error,
      );
    }
    const { addr } = this.#server;
    ctx.proxy.addOwnAddress(addr);
    this.#team.lead(addr);
    const shown = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
    ctx.log.info(`Metrics at http://${shown}:${addr.port}/metrics`);
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#team?.close();
    this.#team = null;
    this.#numbers?.close();
    this.#numbers = null;
    await server?.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Only GET and HEAD.\n", { status: 405, headers: { allow: "GET, HEAD" } });
    }
    switch (pathname) {
      case "/metrics": {
        const others = await this.#team!.ask();
        const text = textOf(merged([this.#numbers!.families(), ...others]));
        return new Response(text, { headers: { "content-type": CONTENT_TYPE } });
      }
      case "/healthz":
        return new Response("ok\n");
      case "/readyz": {
        const reason = this.#whyNotReady();
        return new Response(`${reason ?? "ok"}\n`, { status: reason === null ? 200 : 503 });
      }
      default:
        return new Response("There are /metrics, /healthz and /readyz.\n", { status: 404 });
    }
  }

  #whyNotReady(): string | null {
    const { leaving, addresses, metrics } = this.#ctx!.proxy;
    if (leaving.aborted) return "weir is stopping";
    if (addresses.length === 0) return "weir does not listen yet";
    const isAway = this.#needsStore &&
      metrics.some(({ name, read }) => name === "weir_store_is_away" && read() > 0);
    return isAway ? "the database of flow_store is away" : null;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
