/**
 * Messages of SOCKS5, one after another, from a connection.
 * @module
 */
import { type Side, WeirError } from "../errors.ts";
import type { FirstBytes } from "../net/mod.ts";
import type { Parsed } from "./messages.ts";

/** A peer's message cannot be understood. */
export class SocksError extends WeirError {
  /** What to reply with, where the peer waits for a reply (RFC 1928 §6). */
  readonly reply: number | null;

  constructor(side: Side, message: string, reply: number | null) {
    super(side, "protocol", message);
    this.reply = reply;
  }
}

/**
 * The next message that the peer sends; what follows it stays. `peer` is what error messages call the peer.
 * @throws {WeirError} when it sends something else, or its end.
 */
export async function nextMessage<T>(
  first: FirstBytes,
  parse: (bytes: Uint8Array) => Parsed<T>,
  side: Side,
  peer: string,
): Promise<T> {
  const parsed = await first.until((bytes) => {
    const result = parse(bytes);
    return result.kind === "more" ? undefined : result;
  });
  if (parsed === null) {
    throw new WeirError(side, "closed", `${peer} closed the connection in the middle of SOCKS5.`);
  }
  if (parsed.kind === "no") {
    throw new SocksError(side, `${peer} does not speak SOCKS5: ${parsed.reason}.`, parsed.reply ?? null);
  }
  first.drop(parsed.length);
  return parsed.message;
}
