/**
 * A page of headless Chromium, driven through its DevTools protocol.
 * @module
 */
import { START, within } from "./within.ts";

/** An answer of the protocol. */
interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Runs JavaScript in a page; close it with `await using`. */
export class DevToolsPage implements AsyncDisposable {
  readonly #chromium: Deno.ChildProcess;
  readonly #profile: string;
  readonly #draining: Promise<unknown>;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #session: string | undefined;
  #id = 0;

  private constructor(
    chromium: Deno.ChildProcess,
    profile: string,
    draining: Promise<unknown>,
    socket: WebSocket,
  ) {
    this.#chromium = chromium;
    this.#profile = profile;
    this.#draining = draining;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const answer: Answer = JSON.parse(data);
      if (answer.id === undefined) return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    };
  }

  /** Opens `url`. */
  static async open(url: string): Promise<DevToolsPage> {
    const profile = await Deno.makeTempDir({ prefix: "weir-devtools-" });
    const chromium = new Deno.Command("chromium", {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--remote-debugging-port=0",
        "--remote-allow-origins=*",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const lines = chromium.stderr.pipeThrough(new TextDecoderStream()).getReader();
    const address = async () => {
      for (let text = "";;) {
        const { value, done } = await lines.read();
        if (done) throw new Error(`Chromium ended: ${text}`);
        text += value;
        const match = /DevTools listening on (ws:\S+)/.exec(text);
        if (match !== null) return match[1];
      }
    };
    const socket = new WebSocket(await within(START, address(), "Chromium's address"));
    const draining = (async () => {
      while (!(await lines.read()).done);
    })();
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const page = new DevToolsPage(chromium, profile, draining, socket);
    const { targetId } = await page.#call("Target.createTarget", { url });
    const { sessionId } = await page.#call("Target.attachToTarget", { targetId, flatten: true });
    page.#session = sessionId as string;
    return page;
  }

  /** What an expression, or the promise that it gives, comes to; anything that JSON has. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer.exceptionDetails !== undefined) throw new Error(JSON.stringify(answer.exceptionDetails));
    return (answer.result as { value?: unknown }).value;
  }

  #call(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = ++this.#id;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve)).then(
      ({ result, error }) => {
        if (result === undefined) throw new Error(`${method}: ${error?.message}`);
        return result;
      },
    );
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return within(START, answered, method);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
    this.#chromium.kill("SIGTERM");
    await this.#chromium.status;
    await this.#draining;
    // Its helper processes write a little longer.
    for (let tries = 0;; tries++) {
      try {
        return await Deno.remove(this.#profile, { recursive: true });
      } catch (error) {
        if (tries === 600) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}
