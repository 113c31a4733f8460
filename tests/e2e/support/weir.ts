/**
 * The real program in a process of its own, for what is about the program: start-up, log, signals, memory, reload.
 * @module
 */
import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams";
import { Events, START, within } from "./within.ts";

const ROOT = new URL("../../../", import.meta.url);

export interface WeirOptions {
  args?: string[];
  /** TypeScript of one addon, given with `-s`. */
  addon?: string;
  /** Files to write beside it, by name; a name with `.ts` is not loaded unless an addon imports it. */
  files?: Record<string, string>;
  /** Text of `config.yaml`. */
  config?: string;
  env?: Record<string, string>;
  /** What becomes of its stdout: read (the default), left alone so that the pipe fills up, or closed at once. */
  reader?: "reads" | "sleeps" | "leaves";
  /** The port that `args` name, when the log is too quiet to tell. */
  quietPort?: number;
}

/** A running `deno run -A main.ts -p 0 …` with its own temporary confdir. */
export class Weir implements AsyncDisposable {
  port = 0;
  /** Lines so far. */
  readonly stdout = new Events();
  readonly stderr = new Events();
  readonly #child: Deno.ChildProcess;
  readonly #piping: Promise<unknown>;
  #exited = false;

  private constructor(
    child: Deno.ChildProcess,
    readonly dir: string,
    reader: NonNullable<WeirOptions["reader"]>,
  ) {
    this.#child = child;
    const reading = reader === "reads"
      ? pipe(child.stdout, this.stdout)
      : reader === "leaves"
      ? child.stdout.cancel()
      : child.status.then(() => child.stdout.cancel());
    this.#piping = Promise.all([reading, pipe(child.stderr, this.stderr)]);
    child.status.then(() => this.#exited = true);
  }

  /** Starts it and waits until it listens. */
  static async start(options: WeirOptions = {}): Promise<Weir> {
    const weir = await Weir.spawn(options);
    try {
      if (options.quietPort !== undefined) {
        await within(START, accepts(weir.port = options.quietPort), "weir to listen");
        return weir;
      }
      const listening = /proxy listening at (?:http:\/\/)?127\.0\.0\.1:(\d+)/i;
      const ready = weir.#child.status.then(({ code }) => {
        throw new Error(`weir exited with ${code}: ${weir.stderr.list.join("\n")}`);
      });
      const [, port] = await within(
        START,
        Promise.race([weir.waitForLog(listening), ready]),
        "weir to listen",
      );
      weir.port = Number(port);
      return weir;
    } catch (error) {
      await weir[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts it and does not wait. */
  static async spawn(options: WeirOptions = {}): Promise<Weir> {
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    const args = ["run", "-A", new URL("main.ts", ROOT).pathname, "-p", "0", "--set", `confdir=${dir}/conf`];
    await Deno.mkdir(`${dir}/conf`);
    if (options.config !== undefined) await Deno.writeTextFile(`${dir}/conf/config.yaml`, options.config);
    for (const [name, text] of Object.entries(options.files ?? {})) {
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    if (options.addon !== undefined) {
      await Deno.writeTextFile(`${dir}/addon.ts`, options.addon);
      args.push("-s", `${dir}/addon.ts`);
    }
    args.push(...(options.args ?? []).map((arg) => arg.replaceAll("$DIR", dir)));
    const child = new Deno.Command(Deno.execPath(), {
      args,
      cwd: dir,
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Weir(child, dir, options.reader ?? "reads");
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get caFile(): string {
    return `${this.dir}/conf/weir-ca-cert.pem`;
  }

  /** The match in the first line of the log (so far or to come) that matches. */
  waitForLog(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(this.stderr, pattern);
  }

  /** The same for what is printed to stdout. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(this.stdout, pattern);
  }

  /** Resident memory in bytes (Linux). */
  async rss(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }

  /** Milliseconds of processor time that it has taken so far, in all its threads. */
  async cpuMs(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.#child.pid}/stat`);
    // User and system time, in ticks of 10 ms (proc(5)); the name before may have blanks.
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
    return (user + system) * 10;
  }

  /** The most bytes of resident memory that it has grown by while `work` was done. */
  async growthDuring(work: Promise<unknown>): Promise<number> {
    const before = await this.rss();
    let most = 0, isDone = false;
    const watching = (async () => {
      while (!isDone) {
        most = Math.max(most, await this.rss() - before);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      await work;
    } finally {
      isDone = true;
      await watching;
    }
    return most;
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit status. */
  async exit(): Promise<number> {
    const { code } = await within(START, this.#child.status, "weir to exit");
    await this.#piping;
    return code;
  }

  /** SIGINT, and exit status 0. */
  async stop(): Promise<void> {
    this.signal("SIGINT");
    assertEquals(await this.exit(), 0, this.stderr.list.join("\n"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exited) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It ended on its own just now.
      }
    }
    await this.#child.status;
    await this.#piping;
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Starts the program and waits until it listens. */
export function startWeir(options?: WeirOptions): Promise<Weir> {
  return Weir.start(options);
}

/** Runs the program to its end. */
export async function runWeir(
  options: WeirOptions,
): Promise<{ code: number; stdout: string; stderr: string; lines: string[] }> {
  await using weir = await Weir.spawn(options);
  const code = await weir.exit();
  return {
    code,
    stdout: weir.stdout.list.join("\n"),
    stderr: weir.stderr.list.join("\n"),
    lines: weir.stderr.list,
  };
}

/** Resolves when something accepts connections on `port`. */
async function accepts(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function pipe(stream: ReadableStream<Uint8Array>, events: Events): Promise<void> {
  const lines = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new TextLineStream());
  for await (const line of lines) events.push(line);
}

async function waitFor(events: Events, pattern: RegExp): Promise<RegExpExecArray> {
  let match: RegExpExecArray | null = null;
  const find = () => {
    for (const line of events.list) if ((match = pattern.exec(line)) !== null) return true;
    return false;
  };
  await events.until(find, `a line like ${pattern}`);
  return match!;
}
