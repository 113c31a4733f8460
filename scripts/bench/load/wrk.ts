/**
 * wrk, the cheapest way to ask for much; it knows nothing of proxies, so a script gives it absolute-form requests.
 * @module
 */
import { output } from "../process.ts";
import type { GetResult, GetSpec } from "./get.ts";
import { requestTarget } from "./target.ts";

const RESULT = /^RESULT (.*)$/m;

/** The task `get` of `get.ts`, without TLS and without idle connections. */
export async function wrk(spec: GetSpec, folder: string): Promise<GetResult> {
  const script = await Deno.makeTempFile({ dir: folder, suffix: ".lua" });
  await Deno.writeTextFile(
    script,
    `wrk.path = "${requestTarget(spec.target, spec.path)}"
wrk.headers["Host"] = "${spec.target.origin}"
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`,
  );
  const url = `http://127.0.0.1:${spec.target.via.port}/`;
  const text = await output("wrk", ["-t1", `-c${spec.connections}`, `-d${spec.seconds}s`, "-s", script, url]);
  const { errors, ...result } = JSON.parse(RESULT.exec(text)![1]) as GetResult & { errors: number };
  if (errors > result.requests / 100 || result.requests === 0) {
    throw new Error(`${errors} of ${result.requests} requests failed.`);
  }
  return result;
}
