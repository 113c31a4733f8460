/**
 * The option `anticache`: requests lose what may be answered with 304 Not Modified (mitmproxy `addons/anticache.py`).
 *
 *     weir --anticache
 *
 * @module
 */
import type { Addon, AddonOptions, HttpFlow, Loader } from "weir";

export default class AntiCache implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #isOn = false;

  load(loader: Loader) {
    loader.addOption(
      "anticache",
      "bool",
      false,
      "Ask for whole answers, whatever clients have in their caches.",
      {
        group: "Rules",
      },
    );
  }

  configure(options: AddonOptions) {
    this.#isOn = options.get<boolean>("anticache");
  }

  isOff(): boolean {
    return !this.#isOn;
  }

  request({ request }: HttpFlow) {
    request.headers.delete("if-modified-since");
    request.headers.delete("if-none-match");
  }
}
