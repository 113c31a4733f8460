/**
 * What is known of options that weir has not.
 * @module
 */

/** Why an option of mitmproxy's is not here: a clause; null for a name that is none. The list is loaded when it is asked for. */
export async function whyNotHere(name: string): Promise<string | null> {
  return (await import("./mitmproxy.ts")).whyNotHere(name);
}
