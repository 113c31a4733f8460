/**
 * The option `stream_content_types`: bodies of these media types may never end, so they are passed on as they arrive.
 *
 *     weir --set stream_content_types=text/event-stream,video/*
 *
 * @module
 */
import type { Addon, AddonOptions, HttpFlow, Loader, Message } from "weir";

const DEFAULT = [
  "text/event-stream",
  "application/grpc*",
  "application/connect+*",
  "application/x-ndjson",
  "multipart/x-mixed-replace",
];

export default class StreamContentTypes implements Addon {
  #exact = new Set<string>();
  #prefixes: string[] = [];

  load(loader: Loader) {
    loader.addOption(
      "stream_content_types",
      "list",
      DEFAULT,
      "Media types of bodies to stream, as a list or separated by commas; a * at the end stands for anything.",
    );
  }

  configure(options: AddonOptions) {
    const patterns = options.get<readonly string[]>("stream_content_types")
      .flatMap((value) => value.split(","))
      .map((pattern) => pattern.trim().toLowerCase())
      .filter((pattern) => pattern !== "");
    this.#exact = new Set(patterns.filter((pattern) => !pattern.endsWith("*")));
    this.#prefixes = patterns.filter((pattern) => pattern.endsWith("*")).map((pattern) =>
      pattern.slice(0, -1)
    );
  }

  requestheaders(flow: HttpFlow) {
    flow.request.streamEndless = this.#matches(flow.request);
  }

  responseheaders(flow: HttpFlow) {
    if (flow.response) flow.response.streamEndless = this.#matches(flow.response);
  }

  /** Parameters (`; charset=utf-8`) do not count (RFC 9110 §8.3.1). */
  #matches(message: Message): boolean {
    const type = message.headers.get("content-type")?.split(";", 1)[0].replace(/^[ \t]+|[ \t]+$/g, "")
      .toLowerCase();
    return type !== undefined &&
      (this.#exact.has(type) || this.#prefixes.some((prefix) => type.startsWith(prefix)));
  }
}
