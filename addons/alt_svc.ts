/**
 * The option `alt_svc`: what origins say of other ways to them (RFC 7838) does not lead clients around weir.
 *
 *     weir                                      entries for HTTP/3, which browsers would change to, are taken out
 *     weir --set alt_svc=keep                   they are left alone
 *     weir -m reverse:https://origin.example    ports become the listener's, as in mitmproxy (keep_alt_svc_header=true: they stay)
 *
 * @module
 */
import type { Addon, AddonOptions, HttpFlow, Loader } from "weir";

export default class AltSvc implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #isKept = false;
  #isKeptInReverse = false;

  load(loader: Loader) {
    loader.addOption(
      "alt_svc",
      "str",
      "strip",
      "What becomes of Alt-Svc fields: strip takes out what leads clients to HTTP/3, and so around weir.",
      { choices: ["strip", "keep"], group: "Rules" },
    );
    loader.addOption(
      "keep_alt_svc_header",
      "bool",
      false,
      "In reverse mode: leave the ports in Alt-Svc fields as they are, in place of the listener's.",
      { group: "Rules" },
    );
  }

  configure(options: AddonOptions) {
    this.#isKept = options.get<string>("alt_svc") === "keep";
    this.#isKeptInReverse = options.get<boolean>("keep_alt_svc_header");
  }

  isOff(): boolean {
    return this.#isKept;
  }

  responseheaders({ live, clientConn, response }: HttpFlow) {
    if (!live || response === null) return;
    const values = response.headers.getAll("alt-svc");
    if (values.length === 0) return;
    const isReverse = clientConn.mode.startsWith("reverse:");
    if (isReverse && this.#isKeptInReverse) return;
    const edited = isReverse
      ? values.map((value) => value.replace(/:\d+/g, `:${clientConn.localAddress.port}`))
      : values.map(withoutHttp3).filter((value) => value !== "");
    if (edited.join() === values.join()) return;
    if (edited.length === 0) response.headers.delete("alt-svc");
    else response.headers.set("alt-svc", edited.join(", "));
  }
}

/** `h3`, its drafts, and what was there before it. */
const HTTP3 = /^(?:h3|hq|quic)(?:[-%]|$)/i;

/** The list without entries for HTTP/3; commas in quotes part nothing. */
function withoutHttp3(value: string): string {
  const entries = value.match(/(?:"(?:\\.|[^"\\])*"|[^",])+/g) ?? [];
  const kept = entries.filter((entry) => !HTTP3.test(entry.split("=", 1)[0].trim()));
  return kept.length === entries.length ? value : kept.map((entry) => entry.trim()).join(", ");
}
