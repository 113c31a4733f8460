/**
 * The option `auto_ignore`: clients that pin certificates refuse weir's. After so many TLS handshakes that a client has refused
 * for one name within a minute, its connections to that name pass through untouched (mitmproxy's example
 * `contrib/tls_passthrough.py`).
 *
 *     weir --auto-ignore 2
 *
 * A client is its IP address: apps on one phone share what they have taught. It is forgotten when weir ends.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type ClientHelloData,
  type Context,
  escapeControl,
  type Loader,
  OptionError,
  type TlsFailedData,
} from "weir";

/** Refusals that are further apart have nothing to do with each other. */
const WITHIN_MS = 60_000;
/** Pairs of client and name that are remembered, of those that pass and of those that may come to: the oldest go first. */
const MAX_PAIRS = 1024;
/** More refusals within a minute are no matter of pinning. */
const MAX_COUNT = 100;

export default class AutoIgnore implements Addon {
  #count: number | null = null;
  /** When each pair was refused, in milliseconds; no more times than count. */
  readonly #refusals = new Map<string, number[]>();
  readonly #ignored = new Set<string>();

  load(loader: Loader) {
    loader.addOption(
      "auto_ignore",
      "int",
      null,
      "Pass a client's connections to a host through once it has refused so many certificates for it within a minute.",
      { metavar: "COUNT" },
    );
  }

  configure(options: AddonOptions) {
    const count = options.get<number | null>("auto_ignore");
    if (count !== null && (count < 1 || count > MAX_COUNT)) {
      throw new OptionError(
        "auto_ignore",
        `option auto_ignore: ${count} is not a number of handshakes (expected 1 to ${MAX_COUNT})`,
      );
    }
    this.#count = count;
  }

  isOff(): boolean {
    return this.#count === null;
  }

  tls_clienthello(data: ClientHelloData) {
    if (this.#ignored.size > 0 && this.#ignored.has(pairOf(data))) data.ignore = true;
  }

  tls_failed_client(data: TlsFailedData, { log }: Context) {
    const count = this.#count;
    // What leads to weir itself cannot pass.
    if (count === null || !data.isRefusal || data.serverAddress === null) return;
    const pair = pairOf(data), now = performance.now();
    if (this.#ignored.has(pair)) return;
    const recent = (this.#refusals.get(pair) ?? []).filter((time) => now - time < WITHIN_MS);
    recent.push(now);
    this.#refusals.delete(pair);
    if (recent.length < count) {
      this.#refusals.set(pair, recent);
      dropOldest(this.#refusals);
      return;
    }
    this.#ignored.add(pair);
    dropOldest(this.#ignored);
    const { hostname } = data.clientConn.address;
    const times = count === 1 ? "once" : `${count} times within a minute`;
    log.warn(
      `${hostname} has refused the certificate for ${escapeControl(nameOf(data))} ${times}: ` +
        "its connections there pass through untouched from now on (auto_ignore).",
    );
  }
}

/** The name that the client asked for; without one, where it goes. */
function nameOf({ sni, serverAddress }: ClientHelloData | TlsFailedData): string {
  return (sni ?? serverAddress?.hostname ?? "").toLowerCase();
}

function pairOf(data: ClientHelloData | TlsFailedData): string {
  return `${data.clientConn.address.hostname} ${nameOf(data)}`;
}

function dropOldest(kept: Map<string, unknown> | Set<string>): void {
  if (kept.size > MAX_PAIRS) kept.delete(kept.keys().next().value!);
}
