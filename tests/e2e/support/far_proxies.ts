/**
 * Proxies that weir goes on by in tests: other programs (CI installs them), and a SOCKS5 server made of weir's codec.
 * @module
 */
import { dial, listen, relay } from "../../../src/net/mod.ts";
import { socksAccept } from "../../../src/socks/mod.ts";
import { freePort } from "./free_port.ts";
import { START } from "./within.ts";

/** A proxy, and how weir's option `mode` writes it. */
export interface FarProxy extends AsyncDisposable {
  readonly url: string;
}

/** Ports that these programs take are free when they are chosen, and may be gone a moment later. */
const TRIES = 5;

/** squid, which passes everything on and keeps nothing. */
export function squid(): Promise<FarProxy> {
  return program("squid", (dir, port) => ({
    config: `http_port 127.0.0.1:${port}
http_access allow all
cache deny all
access_log none
cache_log ${dir}/cache.log
pid_filename none
coredump_dir ${dir}
dns_nameservers 127.0.0.1
shutdown_lifetime 0 seconds
forwarded_for delete
via off
pinger_enable off
`,
    args: ["-N", "-f", `${dir}/config`],
  }));
}

/** tinyproxy. */
export function tinyproxy(): Promise<FarProxy> {
  return program("tinyproxy", (dir, port) => ({
    config:
      `Port ${port}\nListen 127.0.0.1\nTimeout 60\nLogFile "${dir}/log"\nMaxClients 100\nDisableViaHeader Yes\n`,
    args: ["-d", "-c", `${dir}/config`],
  }));
}

async function program(
  name: string,
  given: (dir: string, port: number) => { config: string; args: string[] },
): Promise<FarProxy> {
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  for (let tries = 1;; tries++) {
    const port = freePort();
    const { config, args } = given(dir, port);
    await Deno.writeTextFile(`${dir}/config`, config);
    // It may run as another user when it is started by root.
    await new Deno.Command("chmod", { args: ["-R", "a+rwX", dir] }).output();
    const child = spawn(name, args);
    if (await listens(child, port)) {
      return {
        url: `http://127.0.0.1:${port}`,
        async [Symbol.asyncDispose]() {
          child.kill("SIGKILL");
          await child.status;
          await Deno.remove(dir, { recursive: true });
        },
      };
    }
    if (tries === TRIES) throw new Error(`${name} did not start; see ${dir}`);
  }
}

function spawn(name: string, args: string[]): Deno.ChildProcess {
  for (const command of [name, `/usr/sbin/${name}`]) {
    try {
      return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`These tests need ${name}: apt-get install ${name}.`);
}

/** False when it ended instead. */
async function listens(child: Deno.ChildProcess, port: number): Promise<boolean> {
  let ended = false;
  child.status.then(() => ended = true);
  for (const late = performance.now() + START; !ended && performance.now() < late;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return false;
}

/** What a {@linkcode SocksProxy} was asked for: `host:port`, with `user:password@` before it where there was a login. */
export class SocksProxy implements FarProxy {
  readonly asked: string[] = [];
  readonly #listener = listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #accepting: Promise<void>;

  /** With a `login` nobody else gets in; all names lead to this machine. */
  constructor(readonly login: { username: string; password: string } | null = null) {
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get url(): string {
    return `socks5://127.0.0.1:${this.port}`;
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      const serve = async () => {
        let who = "";
        const { login } = this;
        const { target, accept, refuse } = await socksAccept(
          conn,
          login && (({ username, password }) => {
            who = `${username}:${password}@`;
            return Promise.resolve(username === login.username && password === login.password);
          }),
        );
        this.asked.push(`${who}${target.hostname}:${target.port}`);
        try {
          const server = await dial("127.0.0.1", target.port, { side: "server" });
          const client = await accept(server.localAddr);
          await relay(client, server, { signal: this.#stop.signal });
          server.close();
        } catch (error) {
          await refuse(error);
        }
      };
      const served = serve().catch(() => {}).finally(() => {
        conn.close();
        this.#serving.delete(served);
      });
      this.#serving.add(served);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    this.#stop.abort(new Error("the test is over"));
    await Promise.all(this.#serving);
  }
}
