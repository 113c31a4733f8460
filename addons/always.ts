/**
 * Options of mitmproxy that turn off what weir always does: `rawtcp`, `validate_inbound_headers`,
 * `normalize_outbound_headers`. Turned off, they have no effect, and weir says so when it starts.
 * @module
 */
import type { Addon, Context, Loader } from "weir";

/** By option, what weir does in spite of it, and what comes near to it. */
const ALWAYS: Readonly<Record<string, string>> = {
  rawtcp: "what is no protocol that weir knows always passes as raw bytes",
  validate_inbound_headers:
    "malformed messages are always refused, as they could be read in two ways; lenient=true accepts more of origins",
  normalize_outbound_headers:
    "on HTTP/2 the names of fields are always in lower case (RFC 9113 §8.2.1), and on HTTP/1 as they were sent",
};

export default class Always implements Addon {
  load(loader: Loader) {
    for (const [name, what] of Object.entries(ALWAYS)) {
      loader.addOption(name, "bool", true, `No effect when it is off: ${what}.`);
    }
  }

  running({ options, log, proxy }: Context) {
    if (!proxy.isPrimary) return;
    for (const [name, what] of Object.entries(ALWAYS)) {
      if (!options.get<boolean>(name)) log.warn(`option ${name}=false has no effect: ${what}.`);
    }
  }
}
