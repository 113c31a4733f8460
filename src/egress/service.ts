/**
 * The policy of a running weir: read at start, again when its file changes, written where one is learned.
 * @module
 */
import { messageOf } from "../errors.ts";
import { type AddonLog, FileWatcher, traitsOf } from "../hooks/mod.ts";
import { expandHome } from "../options/mod.ts";
import { AuditFile, AuditPrinter } from "./audit.ts";
import { Egress } from "./egress.ts";
import { type Loaded, loadedFrom, loadPolicy } from "./loaded.ts";
import { placeholderId } from "./seed.ts";

/** What the options say. */
export interface ServiceInit {
  /** Path of the policy; null where one is only learned. */
  readonly policy: string | null;
  /** Where what was seen is written as a policy; null for nowhere. */
  readonly learn: string | null;
  readonly audit: string | null;
  readonly isAuditOptional: boolean;
  readonly log: AddonLog;
  print(text: string): unknown;
  isVerified(): boolean;
}

/** Lets everything pass, to see it. */
const OPEN: Loaded = loadedFrom({
  path: "",
  mode: "enforce",
  default: "allow",
  private: "allow",
  rules: [],
  secrets: [],
  add: [],
}, []);

const SECRETS = { env: (name: string) => Deno.env.get(name), id: placeholderId };

export class EgressService {
  readonly gate: Egress;
  readonly #init: ServiceInit;
  readonly #watcher: FileWatcher;
  /** What the policy's file was when it was read first. */
  readonly #traits: string;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(init: ServiceInit, loaded: Loaded, traits: string) {
    this.#init = init;
    this.#traits = traits;
    this.gate = new Egress(loaded, {
      log: init.log,
      isVerified: () => init.isVerified(),
      isLearning: init.learn !== null,
    });
    if (init.audit !== null) {
      const sink = init.audit === "-"
        ? new AuditPrinter((text) => init.print(text))
        : new AuditFile(expandHome(init.audit));
      this.gate.auditTo(sink, init.isAuditOptional);
    }
    this.#watcher = new FileWatcher(() =>
      void (this.#reloading = this.#reloading.then(() => this.#reload()))
    );
  }

  /** Reads the policy and the values of its secrets. @throws {PolicyError} */
  static async start(init: ServiceInit): Promise<EgressService> {
    if (init.policy === null) return new EgressService(init, OPEN, "");
    const path = expandHome(init.policy), traits = await traitsOf(path);
    return new EgressService(init, await loadPolicy(path, SECRETS), traits);
  }

  /** From now on the policy follows its file. */
  watch(): void {
    if (this.#init.policy === null) return;
    const path = expandHome(this.#init.policy);
    this.#watcher.watch([path], new Map([[path, this.#traits]]));
  }

  /** Stops looking at files, and writes what was learned. */
  async close(): Promise<void> {
    await this.#watcher.close();
    await this.#reloading;
    const { learn, log } = this.#init;
    if (learn !== null) {
      try {
        await Deno.writeTextFile(expandHome(learn), this.gate.tally.rules());
      } catch (error) {
        log.error(`The policy that was learned cannot be written to ${learn}: ${messageOf(error)}`);
      }
    }
    this.gate.auditTo(null, false);
  }

  async #reload(): Promise<void> {
    const { policy, log } = this.#init;
    try {
      this.gate.replace(await loadPolicy(expandHome(policy!), SECRETS));
      log.info(`${policy}: the policy was read again.`);
    } catch (error) {
      log.warn(`${messageOf(error)} The policy stays what it was.`);
    }
  }
}
