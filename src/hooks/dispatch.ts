/**
 * Calls the hooks of addons: one after another, in the order of the addons, and never lets one break a flow.
 *
 * A hook that nobody has costs one property read. Lists are replaced, never changed, so that a hook that is
 * running while addons are loaded again ends with the list it began with.
 * @module
 */
import type { ClientConnection } from "../flow/connection.ts";
import { HttpFlow, TcpFlow } from "../flow/flow.ts";
import { internals } from "../internals.ts";
import type { Message } from "../flow/message.ts";
import { PlannedTunnel } from "../flow/planned_connection.ts";
import { snapshot } from "../flow/snapshot.ts";
import { isThenable } from "../streams/mod.ts";
import type { Addon, AddonTraits, Context } from "./addon.ts";
import { describeHookError } from "./describe.ts";
import {
  type ClientHelloData,
  EVENT_HOOK_NAMES,
  type EventHookName,
  type EventHooks,
  type ServerConnectionData,
  type Socks5AuthData,
} from "./names.ts";

/** One object with hooks, with the name of the addon it came from. */
export interface LoadedAddon {
  /** What the log calls it: the file as given with `-s`, or the name of a built-in. */
  readonly name: string;
  readonly hooks: Addon;
  /**
   * True for what ships with weir: its hooks are trusted not to throw half-way, so flows are not copied for
   * them.
   */
  readonly builtin: boolean;
  /** What it says of itself; what `hooks` says where this is left out. */
  readonly traits?: AddonTraits;
}

/** The hooks in which addons find the whole body of a response, and of a request. */
const RESPONSE_HOOKS: readonly EventHookName[] = ["response", "complete", "error"];
const REQUEST_HOOKS: readonly EventHookName[] = ["request", ...RESPONSE_HOOKS];
/** The hooks that are given raw connections. */
const TCP_HOOKS = EVENT_HOOK_NAMES.filter((hook) => hook.startsWith("tcp_"));

type Handler = (arg: unknown, ctx: Context) => unknown;

interface Entry {
  readonly addon: LoadedAddon;
  readonly handler: Handler;
}

/** The handlers of all addons, and the one way to call them. */
export class Dispatcher {
  readonly #ctx: Context;
  #lists: { [Hook in EventHookName]?: readonly Entry[] } = {};
  /** Hooks that addons have which do not ship with weir. */
  #custom: ReadonlySet<EventHookName> = new Set();
  #keepsTcp = false;
  /** Addons that may look at bodies, in the order in which their hooks run. */
  #readers: readonly LoadedAddon[] = [];
  #all: readonly LoadedAddon[] = [];
  /** Seconds by addon, once somebody wants to know. */
  #seconds: Map<string, number> | null = null;

  constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Seconds that the hooks of each addon have taken since this was called first. */
  measured(): ReadonlyMap<string, number> {
    if (this.#seconds === null) {
      this.#seconds = new Map();
      this.setAddons(this.#all);
    }
    return this.#seconds;
  }

  /** Replaces all addons, but for those that are off; the order is the order in which their hooks run. */
  setAddons(all: readonly LoadedAddon[]): void {
    this.#all = all;
    const addons = all.filter((addon) => traitsOf(addon).isOff?.() !== true);
    const lists: { [Hook in EventHookName]?: Entry[] } = {};
    for (const addon of addons) {
      for (const hook of EVENT_HOOK_NAMES) {
        const handler = addon.hooks[hook];
        if (typeof handler === "function") {
          const bound = handler.bind(addon.hooks) as Handler;
          (lists[hook] ??= []).push({
            addon,
            handler: this.#seconds === null ? bound : timed(bound, addon.name, this.#seconds),
          });
        }
      }
    }
    this.#lists = lists;
    this.#custom = new Set(
      EVENT_HOOK_NAMES.filter((hook) => lists[hook]?.some(({ addon }) => !addon.builtin)),
    );
    this.#keepsTcp = TCP_HOOKS.some((hook) =>
      lists[hook]?.some(({ addon }) => traitsOf(addon).keepsFlows !== false)
    );
    this.#readers = addons.filter((addon) =>
      traitsOf(addon).readsBodies ?? REQUEST_HOOKS.some((hook) => typeof addon.hooks[hook] === "function")
    );
  }

  /** True when an addon sees raw connections that may look at their messages later than in its hooks. */
  get keepsTcp(): boolean {
    return this.#keepsTcp;
  }

  /** True when an addon looks at the body of this message: asked when its head is known. */
  readsBody(message: Message, flow: HttpFlow): boolean {
    return this.#readers.some((addon) => {
      const { readsBodies } = traitsOf(addon);
      if (typeof readsBodies === "function") return this.#asked(addon, readsBodies, message, flow);
      const hooks = message === flow.request ? REQUEST_HOOKS : RESPONSE_HOOKS;
      return readsBodies ?? hooks.some((hook) => typeof addon.hooks[hook] === "function");
    });
  }

  #asked(
    addon: LoadedAddon,
    readsBodies: (message: Message, flow: HttpFlow) => boolean,
    message: Message,
    flow: HttpFlow,
  ): boolean {
    try {
      return readsBodies(message, flow);
    } catch (thrown) {
      this.#ctx.log.error(`${describeHookError(addon.name, "readsBodies", thrown)}; the body is buffered`);
      return true;
    }
  }

  /** True when any addon has that hook. */
  has(hook: EventHookName): boolean {
    return this.#lists[hook] !== undefined;
  }

  /** True when an addon of the user's has that hook: one that does not ship with weir. */
  hasCustom(hook: EventHookName): boolean {
    return this.#custom.has(hook);
  }

  /**
   * Runs a hook of all addons. Returns undefined when that is already done: nobody has the hook, or all ran
   * without returning a promise. Neither throws nor rejects: what an addon throws is logged, and what it
   * changed is put back.
   * `prepare` is called before each addon's hook, for what may have changed while the one before it took its time.
   */
  trigger<Hook extends EventHookName>(
    hook: Hook,
    arg: EventHooks[Hook],
    prepare?: () => void,
  ): Promise<void> | undefined {
    const list = this.#lists[hook];
    if (list === undefined) return undefined;
    for (let i = 0; i < list.length; i++) {
      prepare?.();
      const pending = this.#call(hook, list[i], arg);
      if (pending) return this.#continue(hook, list, i + 1, arg, pending, prepare);
    }
    return undefined;
  }

  async #continue(
    hook: EventHookName,
    list: readonly Entry[],
    next: number,
    arg: unknown,
    pending: Promise<void>,
    prepare?: () => void,
  ): Promise<void> {
    await pending;
    for (let i = next; i < list.length; i++) {
      prepare?.();
      await this.#call(hook, list[i], arg);
    }
  }

  #call(hook: EventHookName, { addon, handler }: Entry, arg: unknown): Promise<void> | undefined {
    const flow = arg instanceof HttpFlow || arg instanceof TcpFlow ? arg[internals] : null;
    const restore = addon.builtin ? null : remember(arg);
    if (flow) flow.addon = addon.name;
    let result: unknown;
    try {
      result = handler(arg, this.#ctx);
    } catch (thrown) {
      if (flow) flow.addon = null;
      this.#failed(hook, addon, thrown, restore, arg);
      return undefined;
    }
    if (!isThenable(result)) {
      if (flow) flow.addon = null;
      return undefined;
    }
    return Promise.resolve(result).then(
      () => {
        if (flow) flow.addon = null;
      },
      (thrown: unknown) => {
        if (flow) flow.addon = null;
        this.#failed(hook, addon, thrown, restore, arg);
      },
    );
  }

  #failed(
    hook: EventHookName,
    addon: LoadedAddon,
    thrown: unknown,
    restore: (() => void) | null,
    arg: unknown,
  ): void {
    restore?.();
    const isCut = traitsOf(addon).failClosed === true && cut(hook, arg, addon);
    const end = isCut ? "the flow is cut, as the addon is to fail closed" : "the flow goes on without it";
    this.#ctx.log.error(`${describeHookError(addon.name, hook, thrown)}; ${end}`);
  }
}

/** A handler whose time is added up, until what it returns has settled. */
function timed(handler: Handler, name: string, seconds: Map<string, number>): Handler {
  const add = (start: number) =>
    void seconds.set(name, (seconds.get(name) ?? 0) + (performance.now() - start) / 1000);
  return (arg, ctx) => {
    const start = performance.now();
    let isPending = false;
    try {
      const result = handler(arg, ctx);
      isPending = isThenable(result);
      return isPending ? Promise.resolve(result).finally(() => add(start)) : result;
    } finally {
      if (!isPending) add(start);
    }
  };
}

function traitsOf(addon: LoadedAddon): AddonTraits {
  return addon.traits ?? addon.hooks;
}

/** Ends what a hook was given, where it has an end. */
function cut(hook: EventHookName, arg: unknown, { name }: LoadedAddon): boolean {
  if (arg instanceof HttpFlow || arg instanceof TcpFlow) {
    if (!arg.live) return false;
    arg.kill();
    return true;
  }
  const reason = `The addon ${name} has failed, and is to fail closed.`;
  if (hook === "server_connect") (arg as ServerConnectionData).error ??= reason;
  else if (hook === "client_connected") (arg as ClientConnection).error ??= reason;
  else if (hook === "tls_clienthello") (arg as ClientHelloData).clientConn.error ??= reason;
  else if (hook === "socks5_auth") (arg as Socks5AuthData).valid = false;
  else return false;
  return true;
}

/** What puts a hook's argument back as it was; null when addons cannot change it. */
function remember(arg: unknown): (() => void) | null {
  if (arg instanceof HttpFlow || arg instanceof TcpFlow) return snapshot(arg);
  if (typeof arg !== "object" || arg === null) return null;
  // tls_clienthello, socks5_auth, server_connect and tunnel_start: one field each that is for addons to set.
  if ("ignore" in arg) {
    const { ignore } = arg;
    return () => void (arg.ignore = ignore);
  }
  if ("valid" in arg) {
    const { valid } = arg;
    return () => void (arg.valid = valid);
  }
  if (arg instanceof PlannedTunnel) return arg.remember();
  if ("error" in arg) {
    const { error } = arg;
    return () => void (arg.error = error);
  }
  return null;
}
