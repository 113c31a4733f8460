/**
 * Cookies as user agents keep them (RFC 6265 §5), the ports of a host apart. There is no list of public suffixes: as long as a domain
 * has a dot in it, its subdomains can share cookies.
 * @module
 */
import { isIP } from "node:net";
import { parseCookieDate } from "./date.ts";

/** A request that cookies come from, or go to. */
export interface CookieTarget {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  /** Only that host gets it, none below it. */
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  /** Milliseconds since the epoch. */
  readonly expires: number;
  /** Those that came first go first. */
  readonly order: number;
}

/** RFC 6265 §6.1 asks for 3000 of 4096 bytes. */
const MAX_COOKIES = 3000;
const MAX_BYTES = 8192;

/** What was set, until it expires or something newer takes its place. */
export class CookieJar {
  /** By port, domain, path and name, those that were set the longest ago first. */
  readonly #all = new Map<string, Cookie>();
  /** By port and domain, those of that place by their key in `#all`. */
  readonly #places = new Map<string, Map<string, Cookie>>();
  #order = 0;

  get size(): number {
    return this.#all.size;
  }

  /** Takes one `Set-Cookie` field over; one that must be ignored is. `now` in milliseconds since the epoch. */
  set(field: string, target: CookieTarget, now: number = Date.now()): void {
    if (field.length > MAX_BYTES) return;
    const cookie = parseSetCookie(field, target, now, ++this.#order);
    if (cookie === null) return;
    const place = `${target.port} ${cookie.domain}`;
    const key = `${place} ${cookie.path} ${cookie.name}`;
    const before = this.#all.get(key);
    if (before !== undefined) this.#remove(key, place);
    if (cookie.expires <= now) return;
    const kept = before === undefined ? cookie : { ...cookie, order: before.order };
    this.#all.set(key, kept);
    let there = this.#places.get(place);
    if (there === undefined) this.#places.set(place, there = new Map());
    there.set(key, kept);
    if (this.#all.size > MAX_COOKIES) {
      const [oldest, { domain }] = this.#all.entries().next().value!;
      this.#remove(oldest, `${oldest.split(" ", 1)[0]} ${domain}`);
    }
  }

  /** Names and values for a request, in the order in which they are sent. */
  get(target: CookieTarget, now: number = Date.now()): { name: string; value: string }[] {
    const host = target.host.toLowerCase(), found: Cookie[] = [];
    for (const domain of domainsOf(host)) {
      const place = `${target.port} ${domain}`;
      for (const [key, cookie] of this.#places.get(place) ?? []) {
        if (cookie.expires <= now) this.#remove(key, place);
        else if (
          (!cookie.hostOnly || domain === host) && (!cookie.secure || target.scheme === "https") &&
          pathMatches(pathOf(target), cookie.path)
        ) found.push(cookie);
      }
    }
    return found.sort((a, b) => b.path.length - a.path.length || a.order - b.order);
  }

  #remove(key: string, place: string): void {
    this.#all.delete(key);
    const there = this.#places.get(place)!;
    there.delete(key);
    if (there.size === 0) this.#places.delete(place);
  }
}

/** RFC 6265 §5.2, §5.3; null for what must be ignored. */
function parseSetCookie(field: string, target: CookieTarget, now: number, order: number): Cookie | null {
  const [pair, ...attributes] = field.split(";");
  const equals = pair.indexOf("=");
  const name = trim(pair.slice(0, Math.max(equals, 0)));
  if (name === "") return null;
  const host = target.host.toLowerCase();
  let domain = "", path = "", secure = false, maxAge: number | null = null, expires: number | null = null;
  for (const attribute of attributes) {
    const at = attribute.indexOf("=");
    const key = trim(at < 0 ? attribute : attribute.slice(0, at)).toLowerCase();
    const value = at < 0 ? "" : trim(attribute.slice(at + 1));
    if (key === "expires") expires = parseCookieDate(value) ?? expires;
    else if (key === "max-age") maxAge = /^-?\d+$/.test(value) ? Number(value) : maxAge;
    else if (key === "domain") domain = value === "" ? domain : value.replace(/^\./, "").toLowerCase();
    else if (key === "path") path = value;
    else if (key === "secure") secure = true;
  }
  const hostOnly = domain === "" || domain === host;
  if (!hostOnly && (!domain.includes(".") || !domainsOf(host).includes(domain))) return null;
  return {
    name,
    value: trim(pair.slice(equals + 1)),
    domain: hostOnly ? host : domain,
    hostOnly: domain === "",
    path: path.startsWith("/") ? path : defaultPath(pathOf(target)),
    secure,
    expires: maxAge !== null ? maxAge > 0 ? now + maxAge * 1000 : 0 : expires ?? Infinity,
    order,
  };
}

/** The host and the domains above it: all that domain-match it (§5.1.3). */
function domainsOf(host: string): string[] {
  if (isIP(host) !== 0) return [host];
  const labels = host.split(".");
  return labels.map((_, i) => labels.slice(i).join("."));
}

/** §5.1.4 */
function pathMatches(path: string, cookiePath: string): boolean {
  return path.startsWith(cookiePath) &&
    (path.length === cookiePath.length || cookiePath.endsWith("/") || path[cookiePath.length] === "/");
}

/** §5.1.4 */
function defaultPath(path: string): string {
  const end = path.lastIndexOf("/");
  return end > 0 ? path.slice(0, end) : "/";
}

function pathOf({ path }: CookieTarget): string {
  const bare = path.replace(/[?#].*$/s, "");
  return bare.startsWith("/") ? bare : "/";
}

/** Blanks and tabs alone (§5.2). */
function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
