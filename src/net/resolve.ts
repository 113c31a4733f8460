/**
 * Names to addresses, as the system has them: hosts file, search domains, DNS (getaddrinfo).
 * @module
 */
import { isIP } from "node:net";
import { lookup } from "node:dns/promises";
import { messageOf, type Side, WeirError } from "../errors.ts";

/** The commonest answers, in the words that tools have for them. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "name or service not known",
  EAI_AGAIN: "temporary failure in name resolution",
};

/**
 * The IP addresses of a host, best first (RFC 6724); an address is its own.
 * @throws {WeirError} "dns"; `side` is whose name it is.
 */
export async function resolve(hostname: string, side: Side): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  try {
    const found = await lookup(hostname, { all: true, verbatim: true });
    if (found.length > 0) return found.map(({ address }) => address);
    throw new Error("it has no address");
  } catch (thrown) {
    const code: unknown = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
    const reason = REASONS[String(code)] ?? messageOf(thrown);
    throw new WeirError(side, "dns", `The name ${hostname} cannot be resolved: ${reason}.`, {
      cause: thrown,
    });
  }
}
