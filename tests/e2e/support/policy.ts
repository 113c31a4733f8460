/**
 * Policies for tests: a file that is there as long as the test, and proxies behind it.
 * @module
 */
import type { Addon } from "weir";
import { type Options, startProxy, type TestProxy } from "./proxy.ts";

/** A proxy behind a policy, and what it has written down. */
export interface PolicedProxy extends AsyncDisposable {
  readonly proxy: TestProxy;
  readonly port: number;
  /** Path of the policy. */
  readonly path: string;
  /** Lines of the audit so far. */
  audit(): Record<string, unknown>[];
}

/** Starts a proxy behind the policy with this text; `env` are variables that it reads. */
export async function policed(
  policy: string,
  { addon = [], options = {}, env = {} }: {
    addon?: Addon | Addon[];
    options?: Options;
    env?: Record<string, string>;
  } = {},
): Promise<PolicedProxy> {
  const dir = await Deno.makeTempDir({ prefix: "weir-policy-" });
  const path = `${dir}/egress.yaml`, log = `${dir}/audit.jsonl`;
  await Deno.writeTextFile(path, policy);
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  const remove = async () => {
    for (const name of Object.keys(env)) Deno.env.delete(name);
    await Deno.remove(dir, { recursive: true });
  };
  let proxy: TestProxy;
  try {
    proxy = await startProxy(addon, { egress_policy: path, audit_log: log, ...options });
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    proxy,
    port: proxy.port,
    path,
    audit: () =>
      Deno.readTextFileSync(log).split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await remove();
    },
  };
}
