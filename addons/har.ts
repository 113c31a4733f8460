/**
 * The option `hardump`: HTTP flows in a HAR 1.2, which browsers' developer tools import (mitmproxy `savehar`).
 *
 *     weir --set hardump=flows.har      whole, valid JSON after every flow
 *     weir --set hardump=flows.zhar     packed
 *     weir -nr flows.mitm --set hardump=-
 *
 * The option `save_stream_filter` holds here, too.
 * @module
 */
import { dirname } from "node:path";
import {
  type Addon,
  type AddonOptions,
  type Context,
  type Filter,
  type HarWrite,
  type HarWriter,
  type HttpFlow,
  type Loader,
  OptionError,
  PlainHarWriter,
  TemporaryDirectory,
  ZlibHarWriter,
} from "weir";
import { expandHome } from "./flows/paths.ts";
import { writeToStdout } from "./flows/stdout.ts";
import { filterOf } from "./rules/spec.ts";

export default class Har implements Addon {
  readonly keepsFlows = false;
  /** Gigabytes may have to go to stdout. */
  readonly doneMs = 600_000;
  #name: string | null = null;
  #filter: Filter | null = null;
  #writer: HarWriter = new PlainHarWriter();
  /** Null when nothing is written, or no longer. */
  #file: Deno.FsFile | null = null;
  #last: HarWrite | null = null;
  /** What standard output gets at the end lies there until then. */
  #temporary: TemporaryDirectory | null = null;

  readsBodies(): boolean {
    return this.#file !== null;
  }

  isOff(): boolean {
    return this.#file === null;
  }

  load(loader: Loader) {
    loader.addOption(
      "hardump",
      "str",
      null,
      "Save HTTP flows as a HAR: FILE.har, FILE.zhar (packed), or - for standard output, at the end.",
      { metavar: "FILE", group: "Flows" },
    );
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>, ctx: Context) {
    const filter = "save_stream_filter" in options ? options.get<string | null>("save_stream_filter") : null;
    this.#filter = filter ? filterOf("save_stream_filter", filter) : null;
    if (!changed.has("hardump")) return;
    await this.#close(ctx);
    this.#name = options.get<string | null>("hardump") || null;
    if (this.#name !== null && options.workers > 1) {
      throw new Error(
        "a HAR has one writer, and workers is more than 1: save with -w, and then -nr FILE --set hardump=FILE",
      );
    }
    if (this.#name !== null) await this.#open(this.#name);
  }

  complete(flow: HttpFlow, ctx: Context) {
    this.#add(flow, ctx);
  }

  error(flow: HttpFlow, ctx: Context) {
    this.#add(flow, ctx);
  }

  async done(ctx: Context) {
    await this.#close(ctx);
  }

  #add(flow: HttpFlow, ctx: Context): void {
    if (this.#file === null || this.#filter !== null && !this.#filter(flow)) return;
    try {
      this.#write(this.#writer.add(flow));
    } catch (error) {
      this.#file.close();
      this.#file = null;
      ctx.log.error(`Flows are not written to ${this.#name} any more: ${textOf(error)}`);
    }
  }

  async #open(name: string): Promise<void> {
    this.#writer = name.endsWith(".zhar") ? new ZlibHarWriter() : new PlainHarWriter();
    const path = name === "-"
      ? `${(this.#temporary = new TemporaryDirectory("har")).path}/flows.har`
      : expandHome(name);
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
      this.#file = await Deno.open(path, { write: true, create: true, truncate: true });
      this.#last = null;
      this.#write(this.#writer.begin());
    } catch (error) {
      throw new OptionError("hardump", `option hardump: ${name}: ${textOf(error)}`, error);
    }
  }

  /** @throws what the disk says; the file is then as it was before. */
  #write(next: HarWrite): void {
    const last = this.#last;
    try {
      this.#writeAt(next);
      this.#last = next;
    } catch (error) {
      // What was overwritten is the end of what was written last.
      const end = last === null ? new Uint8Array() : last.bytes.subarray(next.at - last.at);
      this.#file!.truncateSync(next.at);
      this.#writeAt({ at: next.at, bytes: end });
      throw error;
    }
  }

  #writeAt({ at, bytes }: HarWrite): void {
    const file = this.#file!;
    file.seekSync(at, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  }

  async #close({ proxy }: Context): Promise<void> {
    this.#file?.close();
    this.#file = null;
    const temporary = this.#temporary;
    if (temporary === null) return;
    this.#temporary = null;
    try {
      const file = await Deno.open(`${temporary.path}/flows.har`);
      for await (const bytes of file.readable) await writeToStdout(bytes, proxy.hurry);
    } finally {
      temporary.remove();
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
