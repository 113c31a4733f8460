/**
 * What suites are run against: weir as a reverse proxy in this process, and a program that talks to it.
 * @module
 */
import { Proxy } from "../../src/embed/mod.ts";

/** Runs `use` with the port of a weir that leads to `origin`, and a directory for what is written. */
export async function withWeir<T>(
  origin: string,
  use: (port: number, dir: string) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "weir-conformance-" });
  const quiet = () => {};
  try {
    await using proxy = await Proxy.start({
      listenPort: 0,
      confdir: dir,
      options: { mode: [`reverse:${origin}`] },
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    return await use(proxy.addresses[0].port, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Runs a program to its end, whatever its exit status. */
export async function run(program: string, args: string[], cwd: string): Promise<string> {
  const command = new Deno.Command(program, { args, cwd, stdin: "null", stdout: "piped", stderr: "piped" });
  const { stdout, stderr } = await command.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
