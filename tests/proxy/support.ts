/**
 * Both ends of an exchange as fakes that write down what reaches them, so that an exchange is tested as a transcript.
 * @module
 */
import { assertEquals } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { Headers } from "../../src/http/headers.ts";
import type {
  IncomingExchange,
  OutgoingExchange,
  Repeatable,
  RequestHead,
  ResponseHead,
  UpstreamResponse,
} from "../../src/http/wire.ts";
import { type Addon, Dispatcher } from "../../src/hooks/mod.ts";
import type { Conn } from "../../src/net/conn.ts";
import type { OptionChanges } from "../../src/options/registry.ts";
import { runExchange } from "../../src/proxy/exchange.ts";
import { Running } from "../../src/proxy/running.ts";
import { Route } from "../../src/proxy/route.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import { MemoryBudget } from "../../src/memory_budget.ts";
import type { Lease } from "../../src/proxy/upstream_pool.ts";
import type { Body } from "../../src/streams/body.ts";
import { bytesBody } from "../../src/streams/bytes_body.ts";
import { addonHost, clientConn, serverConn } from "../support/addon_host.ts";
import { utf8, wholeText } from "../streams/support.ts";

/** A context whose pool gives what `acquire` says. */
export function proxyContext(
  acquire: ProxyContext["pool"]["acquire"],
  addons: readonly Addon[] = [],
  options: OptionChanges = {},
  given: Partial<ProxyContext> = {},
): { context: ProxyContext; lines: string[] } {
  const host = addonHost();
  const hooks = new Dispatcher(host.ctx);
  hooks.setAddons(addons.map((addon, i) => ({ name: `addon${i + 1}`, hooks: addon, builtin: false })));
  // Without listeners the values are there at once.
  void host.options.update(options);
  const unused = () => Promise.reject(new Error("This test has no such thing."));
  const values = host.options.values;
  const context: ProxyContext = {
    options: values,
    hooks,
    log: host.ctx.log,
    pool: { acquire, connect: unused, connectAhead: unused, release: () => {} },
    certificates: { prepare: unused, warn: unused, offerFor: unused },
    memory: new MemoryBudget(() => values.memory_limit),
    running: new Running(),
    stopping: new AbortController().signal,
    cut: new AbortController().signal,
    ...given,
  };
  return { context, lines: host.lines };
}

/** A head of a response. */
export function responseHead(statusCode: number, fields: [string, string][] = []): ResponseHead {
  return { statusCode, reason: "", httpVersion: "HTTP/1.1", headers: new Headers(fields) };
}

/** The client's leg. What is written to it goes into `log`: `> 200 body`, `> 100`, `abort killed`. */
export class FakeIncoming implements IncomingExchange {
  readonly head: RequestHead;
  readonly body: Body | null;
  aborted: WeirError | null = null;
  /** The connection that `takeOver` gives. */
  upgraded: Conn | null = null;
  readonly #log: string[];
  #gone: ((error: WeirError) => void) | null = null;
  readonly #cut = Promise.withResolvers<never>();

  constructor(
    log: string[],
    given: { method?: string; headers?: [string, string][]; body?: Body | null } = {},
  ) {
    this.#log = log;
    this.#cut.promise.catch(() => {});
    this.body = given.body ?? null;
    this.head = {
      method: given.method ?? "GET",
      form: "absolute",
      scheme: "http",
      host: "a.example",
      port: 80,
      path: "/",
      httpVersion: "HTTP/1.1",
      headers: new Headers(given.headers ?? [["Host", "a.example"]]),
    };
  }

  onGone(listener: (error: WeirError) => void): void {
    this.#gone = listener;
  }

  /** The client goes away. */
  leave(): void {
    this.#gone?.(new WeirError("client", "closed", "The client has gone."));
  }

  informational(head: ResponseHead): Promise<void> {
    this.#log.push(`> ${head.statusCode}`);
    return Promise.resolve();
  }

  async respond(head: ResponseHead, body: Body | null): Promise<void> {
    if (this.aborted) throw this.aborted;
    const text = body === null ? Promise.resolve("") : wholeText(body);
    this.#log.push(`> ${head.statusCode} ${(await Promise.race([text, this.#cut.promise])).trim()}`.trim());
  }

  takeOver(): Conn {
    return this.upgraded!;
  }

  passOn(): boolean {
    return false;
  }

  abort(error: WeirError): void {
    if (this.aborted) return;
    this.aborted = error;
    this.body?.cancel(error);
    this.#cut.reject(error);
    this.#log.push(`abort ${error.code}`);
  }
}

/** What a fake origin does with one request: answers, or fails. Its body is read before. */
export type Origin = (
  text: string,
  head: RequestHead,
  interim: (head: ResponseHead) => Promise<void> | void,
) => UpstreamResponse | Promise<UpstreamResponse>;

/** The origin's leg. Requests go into the log as `< GET / body`, what becomes of its place as `release` or `discard`. */
export class FakeOutgoing implements OutgoingExchange {
  readonly sent: Promise<void> = Promise.resolve();
  aborted: WeirError | null = null;
  readonly #log: string[];
  readonly #origin: Origin;
  readonly #repeatable: Repeatable;
  readonly #cut = Promise.withResolvers<never>();

  constructor(log: string[], origin: Origin, repeatable: Repeatable) {
    this.#log = log;
    this.#origin = origin;
    this.#repeatable = repeatable;
    this.#cut.promise.catch(() => {});
  }

  async send(
    head: RequestHead,
    body: Body | null,
    onInformational: (head: ResponseHead) => Promise<void> | void,
  ): Promise<UpstreamResponse> {
    if (this.aborted) this.#log.push("sent after its abort");
    const text = body === null ? "" : await Promise.race([wholeText(body), this.#cut.promise]);
    this.#log.push(`< ${head.method} ${head.path} ${text}`.trim());
    const answer = Promise.resolve(this.#origin(text, head, onInformational));
    return await Promise.race([answer, this.#cut.promise]);
  }

  repeatable(): Repeatable {
    return this.#repeatable;
  }

  abort(error: WeirError): void {
    if (this.aborted) return;
    this.aborted = error;
    this.#cut.reject(error);
    this.#log.push(`upstream abort ${error.code}`);
  }
}

/** A place on a connection, for {@linkcode proxyContext}. */
export function lease(
  log: string[],
  origin: Origin,
  repeatable: Repeatable = "none",
): Lease & { exchange: FakeOutgoing } {
  let returned = false;
  const giveBack = (how: string) => {
    if (!returned) log.push(how);
    returned = true;
  };
  return {
    exchange: new FakeOutgoing(log, origin, repeatable),
    serverConn,
    release: () => giveBack("release"),
    discard: () => giveBack("discard"),
  };
}

/** The hooks of an exchange, each of which goes into the log. */
export function recorder(log: string[]): Addon {
  const addon: Addon = {};
  for (
    const name of ["requestheaders", "request", "responseheaders", "response", "complete", "error"] as const
  ) {
    addon[name] = () => void log.push(name);
  }
  return addon;
}

/** Where requests go that say it themselves. */
export const route = new Route(clientConn, null);

/** What an origin answers. */
export function answer(text: string, statusCode = 200): UpstreamResponse {
  const body = text === "" ? null : bytesBody(utf8(text));
  return { head: responseHead(statusCode), body, upgraded: null };
}

export const ok: Origin = () => answer("hello");

export interface Given {
  request?: ConstructorParameters<typeof FakeIncoming>[1];
  origin?: Origin;
  addons?: readonly Addon[];
  options?: OptionChanges;
}

/** Runs one exchange; gives its transcript. */
export async function transcript(given: Given = {}): Promise<string[]> {
  const log: string[] = [];
  const place = () => lease(log, given.origin ?? ok);
  const { context } = proxyContext(place, [recorder(log), ...given.addons ?? []], given.options);
  await runExchange(context, new FakeIncoming(log, given.request), route);
  assertEquals(context.memory.used, 0);
  return log;
}
