/**
 * The addons of a running weir: built-in ones and scripts, from `load` to `done`, and again when a script's files change
 * (mitmproxy `addons/script.py`).
 *
 * A life is told in this order: `load` (everything is imported, options get registered), `configure`, `running`,
 * `done`, `close`.
 * @module
 */
import { resolve } from "node:path";
import { WeirError } from "../errors.ts";
import { OptionError, type OptionRegistry } from "../options/mod.ts";
import type { Addon, AddonExport, AddonModule, Context, Loader } from "./addon.ts";
import { describeHookError, describeLoadError, filesIn } from "./describe.ts";
import { Dispatcher, type LoadedAddon } from "./dispatch.ts";
import { addonsOf, nearMisses, nearTraits, traitsOf } from "./exports.ts";
import {
  filesOf,
  forgetExcept,
  hashOf,
  importModule,
  keepLockFile,
  nextGeneration,
  type WeirModule,
} from "./modules.ts";
import { catchStrayErrors } from "./stray_errors.ts";
import { settlesWithin } from "../timing.ts";
import { FileWatcher } from "./watch.ts";

/** Where addons come from: a file, or something that is already in memory. */
export type AddonSource =
  | { readonly script: string }
  | {
    readonly name: string;
    readonly addon: AddonModule | AddonExport;
    /** True for what ships with weir. */
    readonly builtin: boolean;
  };

/** What `done` hooks have in all, in ms, when weir is to end soon. */
const DONE_MS = 2_000;
const NEVER = new Promise<never>(() => {});
/** What each `done` hook has at least, in ms, also when others have used up the time. */
const LAST_MOMENT_MS = 100;

/** One source with what is loaded from it. */
interface Slot {
  readonly name: string;
  /** Absolute path of a script; null for what was in memory. */
  readonly path: string | null;
  readonly builtin: boolean;
  addons: readonly LoadedAddon[];
  generation: number;
  options: Set<string>;
  /** Files to look at for changes, with their hashes when they were loaded. */
  files: Map<string, string | null>;
}

/** Loads addons and keeps them. One at a time; `close` it when done. */
export class AddonManager {
  readonly dispatcher: Dispatcher;
  readonly #ctx: Context;
  readonly #options: OptionRegistry;
  readonly #weir: WeirModule;
  readonly #slots: Slot[] = [];
  readonly #watcher: FileWatcher;
  readonly #ignoreStrayErrors: () => void;
  #isRunning = false;
  #closed = false;
  /** The reload that is going on; the next one waits for it. */
  #reloading: Promise<void> = Promise.resolve();

  /** `weir` is what scripts find under that name. */
  constructor(ctx: Context, options: OptionRegistry, weir: WeirModule) {
    this.#ctx = ctx;
    this.#weir = weir;
    this.#options = options;
    this.dispatcher = new Dispatcher(ctx);
    this.#ignoreStrayErrors = catchStrayErrors({
      log: (text) => ctx.log.error(text),
      scripts: () => this.#slots.filter((slot) => slot.path !== null).map((slot) => slot.name),
    });
    this.#watcher = new FileWatcher(
      () => void (this.#reloading = this.#reloading.then(() => this.#reloadChanged())),
    );
  }

  /**
   * Imports all addons, in order, and runs their `load` hooks.
   * @throws {WeirError} one line that names file and line, when a script is missing, broken or throws.
   */
  async load(sources: readonly AddonSource[]): Promise<void> {
    // Scripts that are loaded together share the instances of the files that they import.
    const generation = nextGeneration();
    for (const source of sources) {
      const slot: Slot = {
        name: "script" in source ? source.script : source.name,
        path: "script" in source ? resolve(source.script) : null,
        builtin: "script" in source ? false : source.builtin,
        addons: [],
        generation,
        options: new Set(),
        files: new Map(),
      };
      const addons = "script" in source
        ? await this.#import(slot, generation)
        : loadedFrom(slot, isModule(source.addon) ? source.addon : { default: source.addon });
      this.#adopt(slot, addons, generation);
      this.#slots.push(slot);
      await this.#registerOptions(slot);
    }
    this.#publish();
  }

  /**
   * Runs the `configure` hooks: at start with all names, later with those that changed.
   * @throws {WeirError} one line with what an addon threw: it refuses the values.
   */
  async configure(changed: ReadonlySet<string>): Promise<void> {
    for (const slot of this.#slots) await this.#configureSlot(slot, changed);
    // Those that are off now, or are not any more, are known from here on.
    this.#publish();
  }

  /** Runs the `running` hooks and begins to watch the files of scripts. */
  async running(): Promise<void> {
    this.#isRunning = true;
    for (const slot of this.#slots) await this.#life(slot, "running");
    this.#watch();
  }

  /**
   * Runs the `done` hooks. From when `hurry` resolves they have a few seconds all together, or as long as an addon says that its
   * own may take: one whose hook takes longer is named in the log and left behind, and those after it still have a moment for
   * theirs.
   */
  async done(hurry: Promise<unknown> = NEVER): Promise<void> {
    this.#isRunning = false;
    let hurriedAt = Infinity;
    void hurry.then(() => hurriedAt = performance.now());
    const settles = async (work: Promise<void>, ms: number) => {
      const ended = work.then(() => true, () => true);
      if (await Promise.race([ended, hurry.then(() => false)])) return true;
      return await settlesWithin(Math.max(LAST_MOMENT_MS, hurriedAt + ms - performance.now()), ended);
    };
    if (!await settles(this.#reloading, DONE_MS)) {
      this.#ctx.log.warn(
        "An addon that is being loaded again has not come to an end; weir does not wait for it.",
      );
    }
    for (const slot of this.#slots) {
      const ms = Math.max(DONE_MS, ...slot.addons.map(({ traits }) => traits?.doneMs ?? 0));
      if (await settles(this.#life(slot, "done"), ms)) continue;
      const seconds = ms / 1000;
      this.#ctx.log.warn(
        `Addon ${slot.name}: done has not ended within ${seconds} s; weir goes on without it.`,
      );
    }
  }

  /** Stops watching; a reload that is under way has `ms` milliseconds to end. */
  async close(ms: number = Infinity): Promise<void> {
    this.#closed = true;
    this.#ignoreStrayErrors();
    await this.#watcher.close();
    await settlesWithin(ms, this.#reloading);
    keepLockFile();
  }

  async #import(slot: Slot, generation: number): Promise<LoadedAddon[]> {
    const path = slot.path!;
    if (hashOf(path) === null) throw new WeirError("weir", "addon", `No such script: ${slot.name}`);
    try {
      const module = await importModule(path, generation, this.#weir);
      const addons = loadedFrom(slot, module);
      // Not before: a script that is missing or broken is told in one line.
      this.#ctx.log.info(`Loading script ${slot.name}`);
      for (const addon of new Set([module as Addon, ...addons.map(({ hooks }) => hooks)])) {
        for (const [name, hook] of nearMisses(addon)) {
          this.#ctx.log.warn(`Addon ${slot.name}: ${name} is no hook; did you mean ${hook}?`);
        }
        for (const [name, trait] of nearTraits(addon)) {
          this.#ctx.log.warn(`Addon ${slot.name}: ${name} means nothing; did you mean ${trait}?`);
        }
      }
      return addons;
    } catch (error) {
      throw new WeirError("weir", "addon", describeLoadError(slot.name, error), { cause: error });
    }
  }

  #adopt(slot: Slot, addons: readonly LoadedAddon[], generation: number): void {
    slot.addons = addons;
    slot.generation = generation;
    if (slot.path !== null) slot.files = filesOf(slot.path, generation);
  }

  #publish(): void {
    this.dispatcher.setAddons(this.#slots.flatMap((slot) => slot.addons));
    forgetExcept(new Set(this.#slots.map((slot) => slot.generation)));
  }

  /** Runs `load`; options of an earlier generation that are not registered again go away. */
  async #registerOptions(slot: Slot): Promise<void> {
    const before = slot.options;
    const now = slot.options = new Set<string>();
    const loader: Loader = {
      addOption: (name, type, defaultValue, help, extras) => {
        this.#options.addOption(name, type, defaultValue, help, { ...extras, owner: slot.name });
        now.add(name);
      },
    };
    try {
      for (const { hooks } of slot.addons) {
        await this.#guard(slot, "load", () => hooks.load?.(loader, this.#ctx));
      }
    } finally {
      for (const name of before) if (!now.has(name)) this.#options.removeOption(name);
    }
  }

  async #configureSlot(slot: Slot, changed: ReadonlySet<string>): Promise<void> {
    for (const { hooks } of slot.addons) {
      await this.#guard(slot, "configure", () => hooks.configure?.(this.#ctx.options, changed, this.#ctx));
    }
  }

  /** Runs `running` or `done`, whose errors are logged and change nothing. */
  async #life(slot: Slot, hook: "running" | "done"): Promise<void> {
    for (const { hooks } of slot.addons) {
      await this.#logged(this.#guard(slot, hook, () => hooks[hook]?.(this.#ctx, this.#ctx)));
    }
  }

  async #guard(slot: Slot, hook: string, run: () => unknown): Promise<void> {
    try {
      await run();
    } catch (error) {
      // A value that is refused is the user's mistake, not the addon's.
      const isRefusal = hook === "configure" && error instanceof OptionError;
      const text = isRefusal ? error.message : describeHookError(slot.name, hook, error);
      throw new WeirError("weir", "addon", text, { cause: error });
    }
  }

  async #logged(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#ctx.log.error((error as WeirError).message);
    }
  }

  #watch(): void {
    if (!this.#closed) this.#watcher.watch(this.#slots.flatMap((slot) => [...slot.files.keys()]));
  }

  async #reloadChanged(): Promise<void> {
    const changed = this.#slots.filter((slot) => slot.path !== null && this.#refreshed(slot));
    if (changed.length === 0) return;
    const generation = nextGeneration();
    for (const slot of changed) {
      if (this.#closed || !this.#isRunning) return;
      await this.#logged(this.#reload(slot, generation));
    }
    this.#watch();
  }

  /** The files of a slot with what they are now, when any differs from what was loaded. */
  #refreshed(slot: Slot): boolean {
    // Files that an addon imports later, by import(), have come to be known since.
    for (const [file, hash] of filesOf(slot.path!, slot.generation)) {
      if (!slot.files.has(file)) slot.files.set(file, hash);
    }
    return hasChanged(slot);
  }

  async #reload(slot: Slot, generation: number): Promise<void> {
    const before = [...slot.files.keys()].map((file): [string, string | null] => [file, hashOf(file)]);
    let addons: LoadedAddon[];
    try {
      addons = await this.#import(slot, generation);
    } catch (error) {
      // The old one stays. It is tried again when anything changes that the old or the new one was made of.
      const named = filesIn((error as WeirError).cause).map((
        file,
      ): [string, string | null] => [file, hashOf(file)]);
      slot.files = new Map([...named, ...before, ...filesOf(slot.path!, generation)]);
      throw error;
    }
    await this.#life(slot, "done");
    this.#adopt(slot, addons, generation);
    // Events still go to the old one, so that none meets an addon that has not read its options.
    await this.#logged(this.#registerOptions(slot));
    await this.#logged(this.#configureSlot(slot, new Set(this.#options.names())));
    this.#publish();
    await this.#life(slot, "running");
  }
}

/** The addons of a module. @throws {WeirError} for exports that are none. */
function loadedFrom({ name, builtin }: Slot, module: AddonModule): LoadedAddon[] {
  return addonsOf(module).map((hooks) => ({ name, hooks, builtin, traits: traitsOf(hooks, module) }));
}

/** True for what has a default export or hooks of its own; false for a class and an array, which stand for themselves. */
function isModule(addon: AddonModule | AddonExport): addon is AddonModule {
  return typeof addon === "object" && !Array.isArray(addon);
}

function hasChanged(slot: Slot): boolean {
  return [...slot.files].some(([file, hash]) => hashOf(file) !== hash);
}
