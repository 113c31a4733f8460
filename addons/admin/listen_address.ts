/**
 * Where to listen, as people write it.
 * @module
 */
import { type Address, OptionError } from "weir";

/** `9464`, `127.0.0.1:9464`, `[::1]:9464`; without a host it is 127.0.0.1. @throws {OptionError} that says what is wrong. */
export function parseListenAddress(text: string): Address {
  const match = /^(?:(\[[0-9a-f:.]+\]|[^\s:[\]/?#@]+):|:)?(\d{1,5})$/i.exec(text);
  const port = Number(match?.[2] ?? Infinity);
  if (match === null || port > 65_535) {
    throw new OptionError(
      "admin_listen",
      `option admin_listen: ${JSON.stringify(text)} is not [host:]port, as in 127.0.0.1:9464`,
    );
  }
  return { hostname: match[1]?.replace(/^\[|\]$/g, "") ?? "127.0.0.1", port };
}
