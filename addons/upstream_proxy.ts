/**
 * The option `upstream_proxy`: by which proxy each request goes on.
 *
 *     weir --upstream-proxy http://proxy.example:3128                all by this one
 *     weir --upstream-proxy '/~d \\.onion$/socks5://127.0.0.1:9050'    those that match
 *     weir --upstream-proxy '/~d intern/direct' --upstream-proxy env  these by none, others as http_proxy, no_proxy … say
 *
 * The first rule that matches decides; where none does, the listener's mode has its way. A tunnel is decided when its CONNECT comes,
 * what weir finds in it request by request.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type HttpFlow,
  type Loader,
  makeHttpFlow,
  type Message,
  parseProxyUrl,
  type TunnelData,
  withoutCredentials,
} from "weir";
import { type Place, ProxyEnvironment } from "./rules/proxy_environment.ts";
import { type Form, Spec } from "./rules/spec.ts";

const OPTION = "upstream_proxy";
const FORM: Form = {
  text: "[/filter/]url, with an http, https or socks5 URL, direct, or env",
  parts: 1,
  filter: "bare",
  takesRest: true,
  shown: withoutCredentials,
};

interface Rule {
  readonly spec: Spec;
  /** The address of the proxy; null: none. */
  readonly proxyFor: (place: Place) => string | null;
}

export default class UpstreamProxy implements Addon {
  readonly keepsFlows = false;
  #rules: readonly Rule[] = [];

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Send requests on by a proxy: [/filter/]URL with http://, https:// or socks5://, or direct, or env; the first that matches.",
      { metavar: "SPEC", group: "Rules" },
    );
  }

  configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (changed.has(OPTION)) this.#rules = options.get<readonly string[]>(OPTION).map(ruleOf);
  }

  readsBodies(message: Message, flow: HttpFlow): boolean {
    if (message !== flow.request) return false;
    return this.#rules.some(({ spec: { filter } }) =>
      filter.needs !== "request" && filter.decideFor(flow, message) === undefined
    );
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  http_connect(flow: HttpFlow) {
    this.#apply(flow, flow.serverConn);
  }

  /** What comes without CONNECT is decided as if it had come with it. */
  tunnel_start(tunnel: TunnelData) {
    const { clientConn, address: { hostname, port } } = tunnel;
    const request = { method: "CONNECT", scheme: "", host: hostname, port, path: "" };
    this.#apply(makeHttpFlow({ clientConn, request }), tunnel);
  }

  requestheaders(flow: HttpFlow) {
    if (flow.live) this.#apply(flow, flow.serverConn);
  }

  /** A filter may have waited for the body. */
  request(flow: HttpFlow) {
    if (!flow.live || this.#rules.every(({ spec }) => spec.filter.needs === "request")) return;
    this.#apply(flow, flow.serverConn);
  }

  #apply(flow: HttpFlow, way: { via: string | null }): void {
    for (const { spec, proxyFor } of this.#rules) {
      const verdict = spec.filter.decideFor(flow, flow.request);
      if (verdict === false) continue;
      if (verdict === true) way.via = proxyFor(flow.request);
      return;
    }
  }
}

function ruleOf(text: string): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const [{ text: proxy, at }] = spec.parts;
  try {
    if (proxy === "direct") return { spec, proxyFor: () => null };
    if (proxy === "env") {
      const environment = new ProxyEnvironment((name) => Deno.env.get(name));
      return { spec, proxyFor: (place) => environment.proxyFor(place) };
    }
    parseProxyUrl(proxy);
    return { spec, proxyFor: () => proxy };
  } catch (error) {
    if (error instanceof SyntaxError) spec.refuse(error.message, at, error);
    throw error;
  }
}
