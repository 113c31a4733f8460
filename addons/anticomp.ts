/**
 * The option `anticomp`: origins are asked to send bodies without a content coding (mitmproxy `addons/anticomp.py`).
 *
 *     weir --anticomp
 *
 * @module
 */
import type { Addon, AddonOptions, HttpFlow, Loader } from "weir";

export default class AntiComp implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #isOn = false;

  load(loader: Loader) {
    loader.addOption("anticomp", "bool", false, "Ask origins not to compress what they send.", {
      group: "Rules",
    });
  }

  configure(options: AddonOptions) {
    this.#isOn = options.get<boolean>("anticomp");
  }

  isOff(): boolean {
    return !this.#isOn;
  }

  request({ request }: HttpFlow) {
    request.headers.set("accept-encoding", "identity");
  }
}
