/**
 * The option `stream_large_bodies`: bodies that are longer than a size are passed on as they arrive, not buffered.
 *
 * A body that declares its length is streamed from the start; of one that does not, what was read by then goes out at once.
 *
 *     weir --set stream_large_bodies=3m
 *
 * @module
 */
import type { Addon, AddonOptions, HttpFlow, Loader } from "weir";

export default class StreamLargeBodies implements Addon {
  /** In bytes; null buffers whatever its length. */
  #limit: number | null = null;

  load(loader: Loader) {
    loader.addOption(
      "stream_large_bodies",
      "size",
      null,
      "Stream bodies larger than this size (1024, 3m): hooks then see no content. 0 streams everything.",
    );
  }

  configure(options: AddonOptions) {
    this.#limit = options.get<number | null>("stream_large_bodies");
  }

  requestheaders(flow: HttpFlow) {
    flow.request.streamOver = this.#limit;
  }

  responseheaders(flow: HttpFlow) {
    if (flow.response) flow.response.streamOver = this.#limit;
  }
}
