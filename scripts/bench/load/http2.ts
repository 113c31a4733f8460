/**
 * HTTP/2 by curl and h2load, both from Debian.
 * @module
 */
import { output } from "../process.ts";
import { openShim } from "./connect_shim.ts";
import type { Target } from "./target.ts";
import type { TransferResult } from "./transfer.ts";

/** Downloads `path` with `curl --http2`. */
export async function curlHttp2(target: Target, path: string, size: number): Promise<TransferResult> {
  const proxy = target.via.kind === "proxy"
    ? ["-x", `http://127.0.0.1:${target.via.port}`]
    : ["--connect-to", `::127.0.0.1:${target.via.port}`];
  const format = "%{http_version} %{size_download} %{time_total} %{http_code}";
  const text = await output("curl", [
    ...["-s", "-S", "-k", "--http2", "--max-time", "120", "-o", "/dev/null", "-w", format],
    ...proxy,
    `https://${target.origin}${path}`,
  ]);
  const [version, bytes, seconds, status] = text.split(" ").map(Number);
  if (version !== 2) throw new Error(`The client got HTTP/${version}, not HTTP/2.`);
  if (status !== 200 || bytes !== size) throw new Error(`${bytes} of ${size} bytes, status ${status}.`);
  return { bytes, seconds };
}

/** `h2load -c 4 -m 16` for some seconds. */
export async function h2load(
  target: Target,
  path: string,
  seconds: number,
): Promise<{ requests: number; seconds: number }> {
  using shim = openShim(target);
  const text = await output("h2load", [
    ...["-c", "4", "-m", "16", "-D", String(seconds), `--connect-to=127.0.0.1:${shim.port}`],
    `https://${target.origin}${path}`,
  ]);
  if (!/Application protocol: h2/.test(text)) throw new Error("The client did not get HTTP/2.");
  const succeeded = Number(/(\d+) succeeded/.exec(text)?.[1]);
  const good = Number(/status codes: (\d+) 2xx/.exec(text)?.[1]);
  if (!(good > 0) || good < succeeded) throw new Error(`${good} of ${succeeded} answers were 2xx.`);
  return { requests: good, seconds };
}
