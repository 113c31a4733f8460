/**
 * The options `egress_policy`, `egress_learn`, `audit_log` and `audit_optional`: what a program may reach, with keys that it never
 * holds.
 *
 *     weir --set egress_policy=egress.yaml --set audit_log=audit.jsonl
 *     weir exec --policy egress.yaml -- ./agent
 *
 * The policy stands as a gate (`ctx.proxy.guard`) in front of all origins: it decides before any addon and again behind all of
 * them, whatever they change. Here are its options, its file, and the ends of flows for the audit.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type HttpFlow,
  type Loader,
  OptionError,
  type TcpFlow,
} from "weir";
import { EgressService, PolicyError } from "../src/egress/mod.ts";

const GROUP = { group: "Egress" };
const OPTIONS = ["egress_policy", "egress_learn", "audit_log", "audit_optional"];
/** What `egress_policy` says for the file of that name in `confdir`. */
const DEFAULT = "default";

export default class Egress implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  readonly failClosed = true;
  #service: EgressService | null = null;
  #isRunning = false;

  isOff(): boolean {
    return this.#service === null;
  }

  load(loader: Loader) {
    const file = { ...GROUP, metavar: "FILE" };
    loader.addOption(
      "egress_policy",
      "str",
      null,
      "Let through what this policy allows, and nothing else; `default`: egress.yaml in confdir.",
      file,
    );
    loader.addOption(
      "egress_learn",
      "str",
      null,
      "Deny nothing, and write what was seen as a policy to this file.",
      file,
    );
    loader.addOption(
      "audit_log",
      "str",
      null,
      "Write what is decided of each request to this file; - for stdout.",
      file,
    );
    loader.addOption(
      "audit_optional",
      "bool",
      false,
      "Let requests through that the audit has no room for; else they are refused.",
      GROUP,
    );
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    if (!OPTIONS.some((name) => changed.has(name))) return;
    const policy = options.get<string | null>("egress_policy");
    const learn = options.get<string | null>("egress_learn");
    const before = this.#service;
    this.#service = policy === null && learn === null ? null : await this.#start(policy, learn, options, ctx);
    ctx.proxy.guard(this.#service?.gate ?? null);
    await before?.close();
    if (this.#isRunning) this.#service?.watch();
  }

  running() {
    this.#isRunning = true;
    this.#service?.watch();
  }

  complete(flow: HttpFlow) {
    this.#service?.gate.ended(flow);
  }

  error(flow: HttpFlow) {
    this.#service?.gate.ended(flow);
  }

  http_connect_error(flow: HttpFlow) {
    this.#service?.gate.ended(flow);
  }

  tcp_end(flow: TcpFlow) {
    this.#service?.gate.tunnelEnded(flow);
  }

  tcp_error(flow: TcpFlow) {
    this.#service?.gate.tunnelEnded(flow);
  }

  async done() {
    await this.#service?.close();
  }

  async #start(
    policy: string | null,
    learn: string | null,
    options: AddonOptions,
    { log, print, proxy }: Context,
  ) {
    try {
      return await EgressService.start({
        policy: policy === DEFAULT ? `${options.confdir}/egress.yaml` : policy,
        learn: proxy.isPrimary ? learn : null,
        audit: options.get<string | null>("audit_log"),
        isAuditOptional: options.get<boolean>("audit_optional"),
        log,
        print,
        isVerified: () => !options.ssl_insecure,
      });
    } catch (error) {
      if (error instanceof PolicyError) throw new OptionError("egress_policy", error.message, error);
      throw error;
    }
  }
}
