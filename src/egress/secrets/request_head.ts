/**
 * Placeholders in the head of a request: which may become values, and the head with those in it.
 * @module
 */
import { Headers } from "../../http/mod.ts";
import type { Host } from "../policy/host.ts";
import type { Secret } from "./secret.ts";
import type { SecretPlace } from "../policy/file.ts";
import type { SecretUse } from "./counts.ts";

/** The parts of a head that can have placeholders. */
export interface HeadText {
  /** Path with query. */
  readonly path: string;
  readonly headers: Headers;
}

/** Where a request goes, and how safely. */
export interface Towards {
  readonly host: Host;
  readonly port: number;
  /** Over TLS, with a certificate that is verified. */
  readonly isSecure: boolean;
}

/** Fields whose credentials are Base64 (RFC 7617). */
const BASIC = /^basic +([A-Za-z0-9+/]+=*)\s*$/i;

/**
 * Why a head may not be sent as it is, as a sentence that names the secret; null when it may. A placeholder towards a host that
 * its secret is not for is a mistake in the policy, or a leak; towards its own, without TLS, the value would be readable.
 */
export function refusalOf(head: HeadText, towards: Towards, secrets: readonly Secret[]): string | null {
  for (const secret of carriedBy(head, secrets)) {
    if (!secret.hosts.has(towards.host, towards.port)) {
      return `the request carries the placeholder of ${secret.name}, which is not for ${towards.host.text} (hosts in line ${secret.line})`;
    }
    if (!towards.isSecure && !secret.plain && isPlaced(head, secret)) {
      return `${secret.name} is sent over TLS with a verified certificate only, and this connection has none ` +
        `(plain: true in line ${secret.line} would allow http)`;
    }
  }
  return null;
}

/** Secrets whose placeholders the head has, wherever. */
export function carriedBy(head: HeadText, secrets: readonly Secret[]): readonly Secret[] {
  if (secrets.length === 0) return secrets;
  const text = searched(head);
  return secrets.filter(({ placeholder }) => text.includes(placeholder));
}

/** All in which a placeholder may stand, one after another. */
function searched({ path, headers: { raw } }: HeadText): string {
  let text = decodedUnreserved(path);
  for (let i = 0; i < raw.length; i += 2) {
    text += `\n${raw[i + 1]}`;
    const plain = basicOf(raw[i + 1]);
    if (plain !== null) text += `\n${plain}`;
  }
  return text;
}

/** `user:password` of Basic credentials, one character for each byte; null for others. */
function basicOf(value: string): string | null {
  const first = value.charCodeAt(0);
  if (first !== 0x42 && first !== 0x62) return null;
  const match = BASIC.exec(value);
  if (match === null) return null;
  try {
    return atob(match[1]);
  } catch {
    return null;
  }
}

function isPlaced(head: HeadText, secret: Secret): boolean {
  return substituteHead(head, [secret], null) !== head;
}

/**
 * The head with values in the places that their secrets name: a new one, or the same where there is nothing to do. `use` counts
 * them, and those that stay. Where `mayPut` says no, all stay.
 */
export function substituteHead(
  head: HeadText,
  secrets: readonly Secret[],
  use: SecretUse | null,
  mayPut: (place: SecretPlace) => boolean = () => true,
): HeadText {
  let { path, headers } = head;
  for (const secret of secrets) {
    const places = secret.places.filter(mayPut);
    headers = substituteFields(headers, head.headers, secret, places, use);
    path = substitutePath(path, secret, places, use);
  }
  return path === head.path && headers === head.headers ? head : { path, headers };
}

function substituteFields(
  given: Headers,
  original: Headers,
  secret: Secret,
  places: readonly SecretPlace[],
  use: SecretUse | null,
): Headers {
  let headers = given;
  const value = bytesText(secret.reveal());
  for (let i = 0; i < headers.raw.length; i += 2) {
    const text = headers.raw[i + 1], plain = basicOf(text);
    if (!(plain ?? text).includes(secret.placeholder)) continue;
    const name = headers.raw[i].toLowerCase();
    if (!places.some((place) => place.kind === "header" && (place.name === null || place.name === name))) {
      use?.carried.add(secret.name);
      continue;
    }
    if (headers === original) headers = headers.clone();
    headers.raw[i + 1] = plain === null
      ? text.replaceAll(secret.placeholder, () => value)
      : `Basic ${btoa(plain.replaceAll(secret.placeholder, () => value))}`;
    use?.injected.add(secret.name);
  }
  return headers;
}

function substitutePath(
  target: string,
  secret: Secret,
  places: readonly SecretPlace[],
  use: SecretUse | null,
): string {
  const decoded = decodedUnreserved(target);
  if (!decoded.includes(secret.placeholder)) return target;
  const mark = decoded.indexOf("?");
  const path = mark < 0 ? decoded : decoded.slice(0, mark);
  const query = mark < 0 ? null : decoded.slice(mark + 1);
  const value = encodeURIComponent(secret.reveal());
  const put = (text: string, isMeant: boolean) => {
    if (!text.includes(secret.placeholder)) return text;
    if (!isMeant) {
      use?.carried.add(secret.name);
      return text;
    }
    use?.injected.add(secret.name);
    return text.replaceAll(secret.placeholder, () => value);
  };
  const newPath = put(path, places.some(({ kind }) => kind === "path"));
  const newQuery = query?.split("&").map((pair) => {
    const equals = pair.indexOf("=");
    const name = nameOf(equals < 0 ? pair : pair.slice(0, equals));
    const isMeant = equals >= 0 && places.some((place) => place.kind === "query" && place.name === name);
    return isMeant ? pair.slice(0, equals + 1) + put(pair.slice(equals + 1), true) : put(pair, false);
  }).join("&");
  const changed = newQuery === undefined ? newPath : `${newPath}?${newQuery}`;
  // Nothing is written anew where nothing was put in.
  return changed === decoded ? target : changed;
}

function nameOf(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** Placeholders are visible ASCII: escapes of it are undone, but for those that mean something in a path or a query. */
function decodedUnreserved(path: string): string {
  if (!path.includes("%")) return path;
  return path.replace(/%([2-7][0-9a-f])/gi, (escape, hex) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape;
  });
}

/** UTF-8 bytes as fields have them: one character for each. */
export function bytesText(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}
