/**
 * `Sec-WebSocket-Extensions` (RFC 6455 §9.1) and what permessage-deflate says in it (RFC 7692 §7.1).
 *
 * weir passes the client's offer on, less what it does not know, and the server's answer back: so both legs of a
 * connection agree on the same parameters.
 * @module
 */
import { WeirError } from "../errors.ts";
import { isToken } from "../http/mod.ts";
import { shown } from "../shown.ts";

/** One element of the header: a name, and parameters with a value or null. */
export interface Extension {
  readonly name: string;
  readonly params: readonly (readonly [string, string | null])[];
}

/** What was agreed for permessage-deflate (RFC 7692 §7.1). */
export interface DeflateParams {
  /** The server's compressor starts anew with every message. */
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  /** Size of the server's LZ77 window as a power of two, 8 to 15. */
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;

/** Takes the header apart; null when it is not by the grammar. */
export function parseExtensions(value: string): Extension[] | null {
  const extensions: Extension[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(value);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const eat = (char: string): boolean => {
    match(SPACE);
    if (value[at] !== char) return false;
    at++;
    match(SPACE);
    return true;
  };
  while (eat(","));
  while (at < value.length) {
    match(SPACE);
    const name = match(TOKEN);
    if (name === null) return null;
    const params: [string, string | null][] = [];
    while (eat(";")) {
      const param = match(TOKEN);
      if (param === null) return null;
      params.push([param[0].toLowerCase(), null]);
      if (!eat("=")) continue;
      const plain = match(TOKEN);
      const text = plain?.[0] ?? match(QUOTED)?.[1].replace(/\\(.)/g, "$1");
      // A quoted value must be a token once its quotes are off.
      if (text === undefined || !isToken(text)) return null;
      params[params.length - 1][1] = text;
    }
    extensions.push({ name: name[0].toLowerCase(), params });
    match(SPACE);
    if (at < value.length && !eat(",")) return null;
    while (eat(","));
  }
  return extensions;
}

/** The header's text again. */
export function formatExtensions(extensions: readonly Extension[]): string {
  return extensions.map(({ name, params }) =>
    [name, ...params.map(([param, text]) => text === null ? param : `${param}=${text}`)].join("; ")
  ).join(", ");
}

/** What one offer or answer says; null where it says nothing, true for a `client_max_window_bits` without value. */
interface Stated {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits: number | null;
  clientMaxWindowBits: number | true | null;
}

/** RFC 7692 §7.1.2.1: 8 to 15, no leading zeros. */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/** Reads permessage-deflate's parameters; null when one is unknown, repeated or has a wrong value (RFC 7692 §7.1). */
function readDeflate({ params }: Extension): Stated | null {
  const stated: Stated = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: null,
    clientMaxWindowBits: null,
  };
  const seen = new Set<string>();
  for (const [name, text] of params) {
    if (seen.has(name)) return null;
    seen.add(name);
    const bits = text !== null && WINDOW_BITS.test(text) ? Number(text) : null;
    if (name === "server_no_context_takeover" && text === null) stated.serverNoContextTakeover = true;
    else if (name === "client_no_context_takeover" && text === null) stated.clientNoContextTakeover = true;
    else if (name === "server_max_window_bits" && bits !== null) stated.serverMaxWindowBits = bits;
    else if (name === "client_max_window_bits" && bits !== null) stated.clientMaxWindowBits = bits;
    else if (name === "client_max_window_bits" && text === null) stated.clientMaxWindowBits = true;
    else return null;
  }
  return stated;
}

const DEFLATE = "permessage-deflate";

/** The client's offer with only what weir knows: valid offers of permessage-deflate. Null: send no such header. */
export function filterOffer(value: string | null): string | null {
  const known = offersIn(value).map(({ extension }) => extension);
  return known.length === 0 ? null : formatExtensions(known);
}

function offersIn(value: string | null): { extension: Extension; stated: Stated }[] {
  const offers = [];
  for (const extension of (value === null ? null : parseExtensions(value)) ?? []) {
    const stated = extension.name === DEFLATE ? readDeflate(extension) : null;
    if (stated !== null) offers.push({ extension, stated });
  }
  return offers;
}

/**
 * What the server's answer agrees on; null for no extension.
 * @throws {WeirError} when it answers something that was not in `offer`, the header as it was sent to the server.
 */
export function parseAgreed(value: string | null, offer: string | null): DeflateParams | null {
  if (value === null) return null;
  const answers = parseExtensions(value);
  const refuse = (why: string) =>
    new WeirError(
      "server",
      "protocol",
      `The server's Sec-WebSocket-Extensions ${shown(value)} ${why}.`,
    );
  if (answers === null) throw refuse("is malformed");
  if (answers.length === 0) return null;
  const answer = answers.length === 1 && answers[0].name === DEFLATE ? readDeflate(answers[0]) : null;
  if (answer === null || answer.clientMaxWindowBits === true) throw refuse("is not a valid answer");
  if (!offersIn(offer).some(({ stated }) => accepts(stated, answer))) throw refuse("was not offered");
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover,
    clientNoContextTakeover: answer.clientNoContextTakeover,
    serverMaxWindowBits: answer.serverMaxWindowBits ?? 15,
    clientMaxWindowBits: answer.clientMaxWindowBits ?? 15,
  };
}

/** True when `answer` is one that `offer` allows (RFC 7692 §7.1.1 and §7.1.2). */
function accepts(offer: Stated, answer: Stated): boolean {
  if (offer.serverNoContextTakeover && !answer.serverNoContextTakeover) return false;
  if (
    offer.serverMaxWindowBits !== null &&
    (answer.serverMaxWindowBits === null || answer.serverMaxWindowBits > offer.serverMaxWindowBits)
  ) return false;
  if (answer.clientMaxWindowBits === null || offer.clientMaxWindowBits === true) return true;
  return offer.clientMaxWindowBits !== null && answer.clientMaxWindowBits !== true &&
    answer.clientMaxWindowBits <= offer.clientMaxWindowBits;
}
