/**
 * How well-known keys begin, so that a placeholder passes for one: some clients check it before they send anything.
 * @module
 */

/** Longer ones before those that they begin with. */
const PREFIXES = [
  "sk-ant-api03-",
  "sk-ant-oat01-",
  "sk-ant-",
  "sk-proj-",
  "sk-svcacct-",
  "sk-or-v1-",
  "sk-",
  "sk_live_",
  "sk_test_",
  "rk_live_",
  "rk_test_",
  "pk_live_",
  "pk_test_",
  "whsec_",
  "github_pat_",
  "ghp_",
  "gho_",
  "ghu_",
  "ghs_",
  "ghr_",
  "glpat-",
  "gldt-",
  "npm_",
  "pypi-",
  "rubygems_",
  "dckr_pat_",
  "xoxb-",
  "xoxp-",
  "xoxa-",
  "xapp-",
  "hf_",
  "gsk_",
  "r8_",
  "xai-",
  "pplx-",
  "tvly-",
  "AIza",
  "AKIA",
  "ASIA",
  "dop_v1_",
  "shpat_",
  "lin_api_",
  "ntn_",
  "SG.",
  "fly_",
  "key-",
];

/** The prefix that a value is known by; empty when it has none. */
export function knownPrefix(value: string): string {
  return PREFIXES.find((prefix) => value.startsWith(prefix) && value.length > prefix.length) ?? "";
}
