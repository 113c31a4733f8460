/**
 * mitmdump as a proxy that saves what it sees, and as a reader of flow files (CI installs it).
 * @module
 */
import { freePort } from "./free_port.ts";
import { Events, START, within } from "./within.ts";

/** True when it is installed. */
export async function hasMitmdump(): Promise<boolean> {
  try {
    return (await new Deno.Command("mitmdump", { args: ["--version"], stdout: "null", stderr: "null" })
      .output()).success;
  } catch {
    return false;
  }
}

/** What `mitmdump -nr FILE --flow-detail 3` prints. */
export async function mitmdumpShows(file: string, dir: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("mitmdump", {
    args: ["--set", `confdir=${dir}/mitm`, "--flow-detail", "3", "-nr", file],
    env: { LC_ALL: "C.UTF-8" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  // It ends with 0 also when the file is broken.
  if (code !== 0 || text(stderr) !== "") throw new Error(`mitmdump -nr ${file}: ${text(stderr)}`);
  return text(stdout);
}

/** A running mitmdump; the flows are in `file` once it was stopped. */
export class Mitmdump implements AsyncDisposable {
  readonly file: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines = new Events();
  readonly #piping: Promise<unknown>;

  private constructor(readonly port: number, readonly dir: string, args: readonly string[]) {
    this.file = `${dir}/mitmdump.mitm`;
    this.#child = new Deno.Command("mitmdump", {
      args: [
        "--listen-host",
        "127.0.0.1",
        "-p",
        `${port}`,
        "--set",
        `confdir=${dir}/mitm`,
        "-k",
        "-w",
        this.file,
        ...args,
      ],
      env: { LC_ALL: "C.UTF-8", PYTHONUNBUFFERED: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#piping = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** Starts it and waits until it listens; `args` may say $DIR for its directory, which has the `files`. */
  static async start(args: readonly string[] = [], files: Record<string, string> = {}): Promise<Mitmdump> {
    const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${dir}/${name}`, text);
    const proxy = new Mitmdump(freePort(), dir, args.map((arg) => arg.replaceAll("$DIR", dir)));
    try {
      await within(START, proxy.prints(/listening at/), "mitmdump to listen");
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** PEM of its CA. */
  ca(): Promise<string> {
    return Deno.readTextFile(`${this.dir}/mitm/mitmproxy-ca-cert.pem`);
  }

  /** Resolves with the match when it has printed a line like that. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    const find = () => this.#lines.list.map((line) => pattern.exec(line)).find((match) => match !== null);
    await this.#lines.until(() => find() !== undefined, `a line like ${pattern}`);
    return find()!;
  }

  async stop(): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#piping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.dir, { recursive: true });
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#lines.push(line);
    }
  }
}
