/**
 * What happened in all, for the summary at the end, and for a policy that is written from what was seen.
 * @module
 */

/** Places that are remembered: a program that asks for more has something else in mind. */
const MAX_PLACES = 10_000;
/** Denied places that the summary names. */
const SHOWN = 5;

/** Somewhere requests went, or would have. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly isTunnel: boolean;
  /** Its name has turned out to be a private address. */
  isPrivate: boolean;
  readonly methods: Set<string>;
  count: number;
}

/** Counts of one run. */
export class Tally {
  allowed = 0;
  denied = 0;
  warned = 0;
  readonly #denied = new Map<string, Place>();
  readonly #seen = new Map<string, Place>();
  readonly #secrets = new Map<string, number>();

  /** A request, or a tunnel (without a method), was denied, or would have been. */
  deny(host: string, port: number, method: string | null): void {
    note(this.#denied, host, port, method);
  }

  /** The same of every one that there was. */
  see(host: string, port: number, method: string | null): void {
    note(this.#seen, host, port, method);
  }

  /** A name that was seen has a private address. */
  seePrivate(host: string, port: number): void {
    for (const isTunnel of [false, true]) {
      const place = this.#seen.get(`${host} ${port} ${isTunnel}`);
      if (place !== undefined) place.isPrivate = true;
    }
  }

  /** A secret's value was put into a request. */
  use(name: string): void {
    this.#secrets.set(name, (this.#secrets.get(name) ?? 0) + 1);
  }

  /** Lines for people; empty when nothing happened. */
  summary(): string {
    if (this.allowed + this.denied + this.warned === 0) return "";
    const warned = this.warned === 0 ? "" : `, ${this.warned} let pass that would be denied (mode: warn)`;
    const lines = [`weir: egress: ${this.allowed} requests allowed, ${this.denied} denied${warned}`];
    const denied = [...this.#denied.values()].sort((a, b) => b.count - a.count);
    for (const place of denied.slice(0, SHOWN)) {
      lines.push(
        `  ${place.count} × ${where(place)}${
          [...place.methods].map((method) => ` ${method}`).join("")
        }; this would allow it:  - ${line(place)}`,
      );
    }
    if (denied.length > SHOWN) lines.push(`  and ${denied.length - SHOWN} other places`);
    if (this.#secrets.size > 0) {
      lines.push(
        `  secrets used: ${[...this.#secrets].map(([name, count]) => `${name} (${count})`).join(", ")}`,
      );
    }
    return `${lines.join("\n")}\n`;
  }

  /** The rules of the smallest policy that would have allowed what was seen, as YAML. */
  rules(): string {
    // By what stands behind their hosts.
    const byRest = new Map<string, Place[]>();
    for (const place of [...this.#seen.values()].sort((a, b) => where(a) < where(b) ? -1 : 1)) {
      const methods = place.isTunnel ? "" : `    methods: [${[...place.methods].sort().join(", ")}]\n`;
      const key = `${methods}${place.isPrivate ? "    private: true\n" : ""}`;
      byRest.set(key, [...byRest.get(key) ?? [], place]);
    }
    let text = "default: deny\nrules:";
    if (byRest.size === 0) return `${text} []\n`;
    text += "\n";
    for (const [rest, places] of byRest) {
      const names = namesOf(places);
      const list = names.length === 1 ? quoted(names[0]) : `[${names.map(quoted).join(", ")}]`;
      text += `  - ${places[0].isTunnel ? "tunnel" : "allow"}: ${list}\n${rest}`;
    }
    return text;
  }
}

function note(places: Map<string, Place>, host: string, port: number, method: string | null): void {
  const key = `${host} ${port} ${method === null}`;
  let place = places.get(key);
  if (place === undefined) {
    if (places.size >= MAX_PLACES) return;
    places.set(
      key,
      place = { host, port, isTunnel: method === null, isPrivate: false, methods: new Set(), count: 0 },
    );
  }
  place.count++;
  if (method !== null && place.methods.size < 32) place.methods.add(method);
}

/** Hosts as rules have them; one at both of the usual ports needs no port. */
function namesOf(places: readonly Place[]): string[] {
  const ports = new Map<string, number[]>();
  for (const { host, port } of places) ports.set(host, [...ports.get(host) ?? [], port]);
  return [...ports].flatMap(([host, found]) => {
    const isUsual = found.includes(80) && found.includes(443);
    const rest = isUsual ? found.filter((port) => port !== 80 && port !== 443) : found;
    return [...isUsual ? [host] : [], ...rest.map((port) => where({ host, port }))];
  });
}

function where({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function line(place: Place): string {
  return `${place.isTunnel ? "tunnel" : "allow"}: ${quoted(where(place))}`;
}

/** YAML takes brackets in front for a list. */
function quoted(text: string): string {
  return /^[a-z0-9]/i.test(text) ? text : JSON.stringify(text);
}
