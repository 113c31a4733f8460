/**
 * Egress: what a program may reach, and keys that it never holds. The policy file, its decisions, secrets, the audit.
 *
 * The addon `addons/egress.ts` puts it in front of the origins; `weir policy check` asks it from the command line.
 * @module
 */
export { PolicyError } from "./error.ts";
export { type AddressNumber, formatAddress, parseAddress, privateKind } from "./policy/address.ts";
export { type Host, parseHost } from "./policy/host.ts";
export { matchedPath } from "./policy/path.ts";
export { parsePolicyFile, type PolicyFile } from "./policy/file.ts";
export { Policy, type Question, type Verdict } from "./policy/policy.ts";
