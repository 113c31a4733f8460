/**
 * The option `upstream_auth` in reverse mode: each request says who asks (mitmproxy `upstream_auth`; RFC 7617). In upstream mode
 * it is for the proxy, which weir itself sees to.
 * @module
 */
import { type Addon, type AddonOptions, type HttpFlow } from "weir";

export default class UpstreamAuth implements Addon {
  readonly readsBodies = false;
  readonly keepsFlows = false;
  #authorization: string | null = null;

  configure(options: AddonOptions) {
    const auth = options.get<string | null>("upstream_auth");
    this.#authorization = auth === null ? null : `Basic ${new TextEncoder().encode(auth).toBase64()}`;
  }

  isOff(): boolean {
    return this.#authorization === null;
  }

  requestheaders(flow: HttpFlow) {
    if (this.#authorization === null || !flow.live || !flow.clientConn.mode.startsWith("reverse:")) return;
    flow.request.headers.set("Authorization", this.#authorization);
  }
}
