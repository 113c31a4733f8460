/**
 * Child processes of the bench: started, awaited until they listen, and stopped by their own pid.
 * @module
 */

/** What is kept of what a child prints, for messages when it fails. */
const TAIL_CHARACTERS = 2000;
/** A cold start of the slowest peer on a busy machine. */
const LISTEN_MS = 30_000;
/** Short beside any start-up time that is measured. */
const LISTEN_POLL_MS = 2;
/** After that a child that was asked to end is killed. */
const STOP_MS = 3000;

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

const running = new Set<Child>();

/** A process that runs until it is stopped. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #tail = "";
  #exited = false;

  constructor(readonly command: string, args: readonly string[], options: ChildOptions = {}) {
    this.#process = new Deno.Command(command, {
      args: [...args],
      cwd: options.cwd,
      env: options.env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    running.add(this);
    this.#reading = Promise.all([this.#read(this.#process.stdout), this.#read(this.#process.stderr)]);
    this.#process.status.then(() => {
      this.#exited = true;
      running.delete(this);
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves when something accepts connections on `port`, to the milliseconds that it took. */
  async listening(port: number): Promise<number> {
    const start = performance.now();
    while (!await accepts(port)) {
      if (this.#exited) throw new Error(`${this.command} exited: ${await this.output()}`);
      if (performance.now() - start > LISTEN_MS) {
        throw new Error(`${this.command} did not listen on port ${port} within ${LISTEN_MS / 1000} s.`);
      }
      await delay(LISTEN_POLL_MS);
    }
    return performance.now() - start;
  }

  /** Resolves when the child has printed something that matches. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#tail);
      if (match !== null) return match;
      if (this.#exited) throw new Error(`${this.command} exited: ${await this.output()}`);
      await delay(LISTEN_POLL_MS);
    }
  }

  /** The last that an exited child printed. */
  async output(): Promise<string> {
    await this.#reading;
    return this.#tail.trim();
  }

  kill(signal: Deno.Signal): void {
    if (!this.#exited) this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), STOP_MS);
    await this.#process.status;
    clearTimeout(timer);
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      this.#tail = (this.#tail + decoder.decode(bytes, { stream: true })).slice(-TAIL_CHARACTERS);
    }
  }
}

/** Kills whatever has not been stopped: for when the bench itself is interrupted. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** Runs a program to its end and resolves to its stdout. */
export async function output(
  command: string,
  args: readonly string[],
  options: ChildOptions & { readonly timeoutSeconds?: number } = {},
): Promise<string> {
  const { timeoutSeconds } = options;
  const limit = timeoutSeconds === undefined ? undefined : AbortSignal.timeout(timeoutSeconds * 1000);
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: options.cwd,
    env: options.env,
    stdin: "null",
    signal: limit,
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  if (limit?.aborted) throw new Error(`It was not finished within ${timeoutSeconds} s.`);
  throw new Error(`${command} failed: ${text.decode(stderr).slice(-TAIL_CHARACTERS).trim()}`);
}

/** Whether there is such a program in `PATH`. */
export async function installed(program: string): Promise<boolean> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const found = await Deno.stat(`${folder}/${program}`).then((info) => info.isFile, () => false);
    if (found) return true;
  }
  return false;
}

/** A port that nobody has just now, for programs that do not tell which one they got. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
