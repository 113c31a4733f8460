/**
 * Where the proxy is, for people and programs; and what somebody who has just started weir for the first time is told.
 * @module
 */
import { hostPort } from "../net/mod.ts";
import type { Listening } from "../proxy/mod.ts";

/** Addresses to listen at that are none to connect to, and what to use in their place. */
const ANY: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The URL of the first listener that clients can be told as their proxy; null when there are others only. */
export function proxyUrlOf(listening: readonly Listening[]): string | null {
  const isProxy = ({ mode: { mode } }: Listening) => mode.kind === "regular" || mode.kind === "upstream";
  const address = listening.find(isProxy)?.address;
  if (address === undefined) return null;
  return `http://${hostPort({ ...address, hostname: ANY[address.hostname] ?? address.hostname })}`;
}

/** True when there is a CA, weir's or mitmproxy's. */
export async function hasAuthority(confdir: string): Promise<boolean> {
  const isThere = (name: string) => Deno.stat(`${confdir}/${name}`).then(() => true, () => false);
  return await isThere("weir-ca.pem") || await isThere("mitmproxy-ca.pem");
}

/** What to say of the CA that was just made. */
export function welcome(confdir: string, proxyUrl: string | null): string {
  const file = `${confdir}/weir-ca-cert.pem`;
  const made = `A certificate authority was made, for this machine alone: ${file}`;
  if (proxyUrl === null) return made;
  return [
    made,
    "Try it:",
    `    curl -x ${proxyUrl} --cacert ${quoted(file)} https://example.com/`,
    "How to install it: http://weir.internal/, through the proxy.",
  ].join("\n");
}

/** As a POSIX shell reads it back. */
function quoted(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
