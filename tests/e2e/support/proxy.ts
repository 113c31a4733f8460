/**
 * weir in the test's own process, so that leak checks cover it: `await using proxy = await startProxy(addon, options)`.
 * @module
 */
import type { Addon, HttpFlow, OptionValue } from "weir";
import { Proxy } from "weir/proxy";
import { originCa } from "./certs.ts";
import { Events } from "./within.ts";

/** One directory, so that the CA is made once per test file. */
let shared: Promise<string> | null = null;

/** The `confdir` of all proxies of this process; it also holds `origin-ca.pem`, which they trust. */
export function confdir(): Promise<string> {
  return shared ??= (async () => {
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
    await Deno.writeTextFile(`${dir}/origin-ca.pem`, await originCa());
    return dir;
  })();
}

/** A proxy on a free port, and its log. */
export class TestProxy implements AsyncDisposable {
  /** Log lines. */
  readonly log: Events;
  readonly #proxy: Proxy;

  constructor(proxy: Proxy, log: Events, readonly confdir: string) {
    this.#proxy = proxy;
    this.log = log;
  }

  get port(): number {
    return this.#proxy.addresses[0].port;
  }

  /** Of each mode's listener. */
  get ports(): number[] {
    return this.#proxy.addresses.map(({ port }) => port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** PEM of weir's CA. */
  ca(): Promise<string> {
    return Deno.readTextFile(`${this.confdir}/weir-ca-cert.pem`);
  }

  /** Resolves with the first log line (so far or to come) that matches. */
  async logged(pattern: RegExp): Promise<string> {
    const find = () => this.log.list.find((line) => pattern.test(line));
    await this.log.until(() => find() !== undefined, `a log line like ${pattern}`);
    return find()!;
  }

  stop(): Promise<void> {
    return this.#proxy.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
  }
}

/** Values of options, by name. */
export type Options = Record<string, OptionValue>;

/** Starts a proxy that trusts the tests' origins. */
export async function startProxy(
  addons: Addon | Addon[] = [],
  options: Options = {},
): Promise<TestProxy> {
  const dir = await confdir();
  const log = new Events();
  const proxy = await Proxy.start({
    listenPort: 0,
    confdir: dir,
    addons: Array.isArray(addons) ? addons : [addons],
    options: { ssl_verify_upstream_trusted_ca: `${dir}/origin-ca.pem`, ...options },
    log: {
      debug: (text) => log.push(`debug: ${text}`),
      info: (text) => log.push(`info: ${text}`),
      warn: (text) => log.push(`warn: ${text}`),
      error: (text) => log.push(`error: ${text}`),
    },
  });
  return new TestProxy(proxy, log, dir);
}

const HTTP_HOOKS = [
  "requestheaders",
  "request",
  "responseheaders",
  "response",
  "complete",
  "error",
] as const;
export type HttpHook = typeof HTTP_HOOKS[number];

/** An addon that writes the name of each HTTP hook to `events` and then runs the one in `then`. */
export function recorder(
  events: Events,
  then: Partial<Record<HttpHook, (flow: HttpFlow) => unknown>> = {},
): Addon {
  const addon: Addon = {};
  for (const hook of HTTP_HOOKS) {
    addon[hook] = (flow: HttpFlow) => {
      events.push(hook);
      return then[hook]?.(flow);
    };
  }
  return addon;
}

/** An addon that streams both ways. */
export const streamAll: Addon = {
  requestheaders: (flow) => void (flow.request.stream = true),
  responseheaders: (flow) => void (flow.response!.stream = true),
};
