/**
 * Egress: what a program may reach, and keys that it never holds.
 *
 *     policy/   the file with its lines, rules found by host, port and path, decisions
 *     secrets/  values, placeholders, substitution on the way out, scrubbing on the way back
 *     egress.ts the gate that the proxy asks; service.ts reads and follows the file; audit.ts, tally.ts write down what happened
 *
 * The addon `addons/egress.ts` puts it in front of the origins; `weir policy check` asks it from the command line.
 * @module
 */
export { PolicyError } from "./error.ts";
export { EgressService, type ServiceInit } from "./service.ts";
export { parseHost } from "./policy/host.ts";
export { matchedPath } from "./policy/path.ts";
export { parsePolicyFile, type PolicyFile } from "./policy/file.ts";
export { Policy, type Verdict } from "./policy/policy.ts";
