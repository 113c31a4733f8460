/**
 * Options: a typed table of weir's own, a registry that addons add to, and the file that sets them.
 *
 * This floor knows texts and values; flags and help are `src/cli/`.
 * @module
 */
export { type CertSpec, parseCertSpec } from "./cert_spec.ts";
export { applyAll, applyKnown, readConfigFile } from "./config_file.ts";
export { type DnsOverride, parseDnsOverride } from "./dns_override.ts";
export { OptionError } from "./error.ts";
export { type History, parseHistory } from "./history.ts";
export { type ModeSpec, parseMode, type ReverseMode, type UpstreamMode } from "./mode.ts";
export {
  type Credentials,
  parseCredentials,
  parseProxyUrl,
  type ProxyAddress,
  proxyUrl,
  withoutCredentials,
} from "./proxy_url.ts";
export { hint, levenshtein, nearest } from "./nearest.ts";
export { OptionRegistry, type Options } from "./registry.ts";
export { parseSize } from "./size.ts";
export { type CoreValues, LOG_LEVELS, type OptionDefinition, OPTIONS } from "./table.ts";
export { type TlsVersions, tlsVersions } from "./tls_version.ts";
export { whyNotHere } from "./unknown.ts";
export { expandHome, type OptionType, type OptionValue } from "./values.ts";
