/**
 * A PostgreSQL server of Debian's packages in a temporary directory.
 * @module
 */
import { freePort } from "./free_port.ts";
import { START, within } from "./within.ts";

/** Where Debian puts its programs: not on PATH. */
function binaries(): string | null {
  const root = "/usr/lib/postgresql";
  try {
    for (const { name } of Deno.readDirSync(root)) return `${root}/${name}/bin`;
  } catch {
    // Not installed.
  }
  return null;
}

/** True when there is one; else says which test is left out for it. */
export function hasPostgres(test: string): boolean {
  if (binaries() !== null) return true;
  console.warn(`Skipped, as PostgreSQL is not installed: ${test}`);
  return false;
}

/** A command that root may not run. */
function command(program: string, args: string[], options: Deno.CommandOptions = {}): Deno.Command {
  const all = { ...options, env: { LC_ALL: "C.UTF-8", ...options.env } };
  const path = `${binaries()}/${program}`;
  if (Deno.uid() !== 0) return new Deno.Command(path, { args, ...all });
  return new Deno.Command("setpriv", {
    args: ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...args],
    ...all,
  });
}

export class Postgres implements AsyncDisposable {
  #child: Deno.ChildProcess | null = null;
  private constructor(readonly dir: string, readonly port: number) {}

  static async start(): Promise<Postgres> {
    const dir = await Deno.makeTempDir({ prefix: "weir-postgres-" });
    await Deno.writeTextFile(`${dir}/password`, "s3cret-password\n");
    if (Deno.uid() === 0) await new Deno.Command("chown", { args: ["-R", "postgres:", dir] }).output();
    const { success, stderr } = await command("initdb", [
      "-D",
      `${dir}/data`,
      "-U",
      "weir",
      "-A",
      "scram-sha-256",
      `--pwfile=${dir}/password`,
      "--no-sync",
      "-E",
      "UTF8",
    ], { cwd: dir }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const server = new Postgres(dir, freePort());
    await server.resume();
    return server;
  }

  /** `user`'s part may be replaced: `weir:wrong`. */
  url(user = "weir:s3cret-password"): string {
    return `postgres://${user}@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts it, and waits until it takes connections. */
  async resume(): Promise<void> {
    const child = command("postgres", [
      "-D",
      `${this.dir}/data`,
      "-p",
      String(this.port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      `unix_socket_directories=${this.dir}`,
      "-c",
      "fsync=off",
    ], { cwd: this.dir, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    this.#child = child;
    const ready = async () => {
      for (;;) {
        const { success } = await command("pg_isready", ["-q", "-h", "127.0.0.1", "-p", String(this.port)])
          .output();
        if (success) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await within(START, ready(), "PostgreSQL to be ready");
  }

  /** Ends it at once: connections are closed. */
  async pause(): Promise<void> {
    this.#child?.kill("SIGINT");
    await this.#child?.status;
    this.#child = null;
  }

  /** Rows of a query, fields joined by `|`. */
  async query(sql: string): Promise<string[]> {
    const { success, stdout, stderr } = await new Deno.Command("psql", {
      args: ["-XAtq", "-c", sql, this.url()],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).split("\n").slice(0, -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause();
    await Deno.remove(this.dir, { recursive: true });
  }
}
