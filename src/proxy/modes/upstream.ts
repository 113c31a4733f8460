/**
 * `upstream:http(s)|socks5://[user:password@]host[:port]`: as regular, but all goes on by another proxy.
 * @module
 */
import {
  type Options,
  parseCredentials,
  type ProxyAddress,
  proxyUrl,
  type UpstreamMode,
} from "../../options/mod.ts";
import type { Mode } from "./mode.ts";
import { regular } from "./regular.ts";

/** The mode for a listener; `spec` is how it was written. */
export function upstream(spec: string, { proxy }: UpstreamMode, options: Options): Mode {
  return {
    ...regular(spec),
    title: `Upstream by ${proxyUrl(proxy)}: `,
    get via() {
      return withAuth(proxy, options);
    },
  };
}

/** The proxy with the user of the option `upstream_auth`, where its address has none. */
export function withAuth(proxy: ProxyAddress, { upstream_auth }: Options): ProxyAddress {
  if (proxy.credentials !== null || upstream_auth === null) return proxy;
  return { ...proxy, credentials: parseCredentials(upstream_auth) };
}
