/**
 * A policy in force: the gate between all exchanges and the origins.
 *
 * A request is decided before any hook has seen it and again behind all of them; the address that its host turned out to have is
 * decided right before it is sent. Values of secrets are put in then, and taken out of what comes back before any hook sees it.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { ClientConnection } from "../flow/connection.ts";
import type { HttpFlow, TcpFlow } from "../flow/flow.ts";
import type { AddonLog, Arrival, Departure, Gate, GatePlace, Reach } from "../hooks/mod.ts";
import { Headers, parseAuthority } from "../http/mod.ts";
import type { MessageCrossing } from "../websocket/mod.ts";
import type { AuditRecord, AuditSink } from "./audit.ts";
import { Case, type Judged } from "./case.ts";
import { departure } from "./departure.ts";
import type { Loaded } from "./loaded.ts";
import { refusalPage } from "./page.ts";
import { parseAddress, privateKind } from "./policy/address.ts";
import { parseHost } from "./policy/host.ts";
import { matchedPath } from "./policy/path.ts";
import type { Question } from "./policy/policy.ts";
import { messagesThrough } from "./secrets/messages.ts";
import { carriedBy, refusalOf } from "./secrets/request_head.ts";
import { SEED } from "./seed.ts";
import { Tally } from "./tally.ts";

/** What it works with. */
export interface EgressInit {
  readonly log: AddonLog;
  /** Certificates of origins are verified. */
  isVerified(): boolean;
  /** Nothing is denied, and what was seen becomes a policy. */
  readonly isLearning: boolean;
}

/** Why something is refused. */
interface Refusal {
  readonly status: number;
  readonly sentence: string;
}

/** weir answers what is for this name itself; nothing leaves. */
const OWN_NAME = "weir.internal";

export class Egress implements Gate {
  readonly tally: Tally = new Tally();
  readonly #init: EgressInit;
  #loaded: Loaded;
  #audit: AuditSink | null = null;
  #isAuditOptional = false;
  readonly #cases = new WeakMap<HttpFlow, Case>();
  /** Tunnels by their client and place: whoever relays them knows no more. */
  readonly #tunnels = new WeakMap<
    ClientConnection,
    Map<string, { readonly of: Case; readonly id: string }[]>
  >();

  constructor(loaded: Loaded, init: EgressInit) {
    this.#loaded = loaded;
    this.#init = init;
  }

  /** The policy that is in force. */
  get loaded(): Loaded {
    return this.#loaded;
  }

  /** Another version of the policy, for all requests from now on. */
  replace(loaded: Loaded): void {
    this.#loaded = loaded;
  }

  /** Where lines of the audit go; null for nowhere. With `isOptional` what cannot be written is done without. */
  auditTo(sink: AuditSink | null, isOptional: boolean): void {
    this.#audit?.close();
    this.#audit = sink;
    this.#isAuditOptional = isOptional;
  }

  admit(flow: HttpFlow, names: readonly string[]): Response | null {
    const found = new Case(this.#loaded);
    this.#cases.set(flow, found);
    if (flow.request.host === OWN_NAME) return null;
    return this.#answered(flow, found, this.#mixed(flow, names) ?? this.#judge(flow, found));
  }

  check(flow: HttpFlow): Response | null {
    const found = this.#caseOf(flow);
    // A placeholder that an addon has put into the head is found when it departs.
    if (isSame(found.judged, flow.request)) return null;
    return this.#answered(flow, found, this.#judge(flow, found));
  }

  refuse(flow: HttpFlow, error: WeirError): Response {
    return this.#refused(flow, this.#caseOf(flow), { status: error.statusCode, sentence: error.message });
  }

  connect(flow: HttpFlow): Response | "opaque" | null {
    const { host: name, port, headers } = flow.request;
    const found = new Case(this.#loaded);
    this.#cases.set(flow, found);
    const field = parseAuthority(headers.get("host") ?? "")?.host;
    const mixed = field === undefined ? null : this.#mixed(flow, [field]);
    const host = parseHost(name);
    if (mixed !== null || host === null) return this.#answered(flow, found, mixed ?? noHost(name));
    const verdict = found.loaded.policy.decideConnect(host, port);
    found.rule = verdict.rule;
    if (verdict.decision === "tunnel") return "opaque";
    if (verdict.decision === "allow" || verdict.needsAddress) return null;
    return this.#answered(flow, found, {
      status: 403,
      sentence: denial(`CONNECT ${where(name, port)}`, verdict.reason),
    });
  }

  opens({ host: name, port }: GatePlace): boolean {
    const loaded = this.#loaded, host = parseHost(name);
    if (host === null || !this.#isEnforced(loaded)) return host !== null;
    const { decision, needsAddress } = loaded.policy.decideConnect(host, port);
    return decision !== "deny" || needsAddress;
  }

  raw(
    client: ClientConnection,
    place: GatePlace,
    address: string | null,
    { isOpen = false, error }: { readonly isOpen?: boolean; readonly error?: WeirError } = {},
  ): string | null {
    const loaded = this.#loaded, host = parseHost(place.host), { port } = place;
    if (host === null) return noHost(place.host).sentence;
    const number = address === null ? null : parseAddress(address);
    const verdict = number === null
      ? loaded.policy.decideTunnel(host, port)
      : loaded.policy.decideTunnelAddress(host, port, number);
    const isDenied = verdict.decision !== "tunnel" && (isOpen || !verdict.needsAddress);
    if (isDenied && this.#isEnforced(loaded) && error === undefined) {
      return denial(`Raw bytes to ${where(host.text, port)}`, verdict.reason);
    }
    if (!isOpen && error === undefined) return null;
    const found = new Case(loaded);
    found.rule = verdict.rule;
    found.decision = error !== undefined ? "deny" : isDenied ? "warn" : "tunnel";
    this.#tunnelDecided(
      client,
      { host: host.text, port },
      found,
      number !== null && privateKind(number) !== null,
    );
    return null;
  }

  reach(place: GatePlace, addresses: readonly string[]): Reach {
    const loaded = this.#loaded, host = parseHost(place.host);
    if (host === null) return { addresses: [], reason: noHost(place.host).sentence };
    if (!this.#isEnforced(loaded)) return { addresses, reason: "" };
    const reached = addresses.filter((address) => {
      const number = parseAddress(address);
      return number !== null && loaded.policy.mayReach(host, place.port, number);
    });
    const first = addresses.find((address) => !reached.includes(address));
    const number = first === undefined ? null : parseAddress(first);
    const kind = number === null ? null : privateKind(number);
    const what = kind === null
      ? "which a rule denies"
      : `a ${kind} address (private: deny), and no rule names it`;
    return {
      addresses: reached,
      reason: denial(where(host.text, place.port), `it leads to ${first}, ${what}`),
    };
  }

  use(flow: HttpFlow, address: string | null): string | null {
    const found = this.#caseOf(flow);
    const question = questionOf(flow), number = address === null ? null : parseAddress(address);
    if (question === null) return null;
    const { policy } = found.loaded;
    if (number !== null && isSame(found.judged, flow.request) && policy.isIndifferent(number)) return null;
    const verdict = number === null ? policy.decide(question) : policy.decideAddress(question, number);
    if (
      this.#init.isLearning && number !== null && question.host.address === null &&
      privateKind(number) !== null
    ) {
      this.tally.seePrivate(question.host.text, question.port);
    }
    found.rule = verdict.rule;
    if (verdict.decision !== "deny") return null;
    const sentence = denial(described(flow), verdict.reason);
    if (this.#isEnforced(found.loaded)) return sentence;
    this.#warn(found, sentence);
    return null;
  }

  depart(
    flow: HttpFlow,
    head: { readonly path: string; readonly headers: Headers },
    isSecure: boolean,
  ): Departure {
    const found = this.#caseOf(flow);
    const { request } = flow;
    const host = parseHost(request.host);
    const towards = { host: host ?? { text: request.host, address: null }, port: request.port, isSecure };
    const { loaded } = found;
    const carried = carriedBy(head, loaded.secrets);
    const refusal = carried.length === 0 ? null : refusalOf(head, towards, carried);
    if (refusal !== null && this.#isEnforced(loaded)) {
      throw new WeirError("weir", "policy", denial(described(flow), refusal), { statusCode: 403 });
    }
    const leaving = departure(head, towards, carried, loaded, found);
    if (!found.isDecided) { for (const name of found.use.injected.names()) this.tally.use(name); }
    this.#decided(flow, found);
    return leaving;
  }

  arrive(flow: HttpFlow, head: Arrival): Arrival {
    const { loaded: { scrubber }, use: { scrubbed } } = this.#caseOf(flow);
    if (scrubber.isIdle) return head;
    const { reason, headers } = head;
    const raw = scrubber.fields(headers.raw, scrubbed);
    return {
      reason: reason.length < 8 ? reason : scrubber.line(reason, scrubbed),
      headers: raw === headers.raw ? headers : Headers.fromRaw(raw),
    };
  }

  body(flow: HttpFlow, headers: Headers): readonly TransformStream<Uint8Array, Uint8Array>[] {
    const { loaded: { scrubber }, use: { scrubbed } } = this.#caseOf(flow);
    if (scrubber.isIdle) return [];
    return scrubber.body(headers, scrubbed, flow.request.path.includes(":streamGenerateContent"));
  }

  trailers(flow: HttpFlow, fields: string[]): string[] {
    const { loaded: { scrubber }, use: { scrubbed } } = this.#caseOf(flow);
    return scrubber.isIdle ? fields : scrubber.fields(fields, scrubbed);
  }

  messages(flow: HttpFlow): MessageCrossing | null {
    const { loaded: { secrets, scrubber }, use } = this.#caseOf(flow);
    const host = parseHost(flow.request.host);
    if (secrets.length === 0 || host === null) return null;
    const isSecure = flow.serverConn?.tls != null && this.#init.isVerified();
    const meant = secrets.filter((secret) =>
      secret.places.some(({ kind }) => kind === "websocket") && (isSecure || secret.plain) &&
      secret.hosts.has(host, flow.request.port)
    );
    return messagesThrough(meant, secrets, scrubber, use);
  }

  environment(given: Readonly<Record<string, string>>): Record<string, string> {
    const { file, secrets } = this.#loaded;
    const env: Record<string, string> = { ...given };
    for (const { from } of file.secrets) if (from.kind === "env") delete env[from.name];
    // A value may be in others as well, as in an address of a database.
    for (const [name, text] of Object.entries(env)) {
      env[name] = secrets.reduce(
        (text, secret) => text.replaceAll(secret.reveal(), () => secret.placeholder),
        text,
      );
    }
    for (const { name, placeholder } of secrets) env[name] = placeholder;
    delete env[SEED];
    return env;
  }

  summary(): string {
    return this.tally.summary();
  }

  /** A request has ended, well or badly. */
  ended(flow: HttpFlow): void {
    const found = this.#cases.get(flow);
    if (found === undefined || flow.request.method === "CONNECT" && found.decision !== "deny") return;
    if (!found.isDecided) {
      if (flow.request.host === OWN_NAME) return;
      try {
        this.#decided(flow, found);
      } catch {
        // Nothing was sent that would need it.
      }
    }
    this.#write(() => found.of(flow, "ended"));
  }

  /** Raw bytes have ended. */
  tunnelEnded(flow: TcpFlow): void {
    const { address } = flow.serverConn!;
    const place = { host: parseHost(address.hostname)?.text ?? address.hostname, port: address.port };
    const tunnel = this.#tunnels.get(flow.clientConn)?.get(where(place.host, place.port))?.shift();
    if (tunnel === undefined) return;
    const end = {
      bytesOut: flow.bytesFromClient,
      bytesIn: flow.bytesFromServer,
      error: flow.error?.message ?? null,
    };
    this.#write(() => tunnel.of.ofTunnel(flow.clientConn, place, end, tunnel.id));
  }

  #caseOf(flow: HttpFlow): Case {
    let found = this.#cases.get(flow);
    if (found === undefined) this.#cases.set(flow, found = new Case(this.#loaded));
    return found;
  }

  #isEnforced({ file }: Loaded): boolean {
    return file.mode === "enforce" && !this.#init.isLearning;
  }

  /** More than one name for one request: what is in front of the origin would go by one, and the origin by another. */
  #mixed(flow: HttpFlow, names: readonly string[]): Refusal | null {
    const own = parseHost(flow.request.host)?.text;
    const other = names.find((name) => parseHost(name)?.text !== own);
    if (other === undefined) return null;
    const sentence =
      `${described(flow)} is refused: it is for ${flow.request.host} and names ${other} as well; ` +
      "CONNECT, TLS and Host must name one host.";
    return { status: 421, sentence };
  }

  /** What the policy says of a request before its host is looked up. */
  #judge(flow: HttpFlow, found: Case): Refusal | null {
    const { request } = flow, { policy, secrets } = found.loaded;
    const host = parseHost(request.host);
    if (host === null) return noHost(request.host);
    const path = pathOf(request.path);
    if (path === null) {
      const sentence =
        `${described(flow)} is refused: its path has %2f, %5c, a backslash, encoded dots, or dots with //, ` +
        "which servers read in more than one way.";
      return { status: 400, sentence };
    }
    const verdict = policy.decide({ host, port: request.port, method: request.method, path });
    found.rule = verdict.rule;
    if (verdict.decision === "deny" && !verdict.needsAddress) {
      return { status: 403, sentence: denial(described(flow), verdict.reason) };
    }
    const isSecure = request.scheme === "https" && this.#init.isVerified();
    const leak = refusalOf(request, { host, port: request.port, isSecure }, secrets);
    if (leak !== null) return { status: 403, sentence: denial(described(flow), leak) };
    const most = verdict.rule?.uploads ?? null;
    const length = most === null ? null : request.headers.get("content-length");
    if (most !== null && length !== null && Number(length) > most) {
      return { status: 413, sentence: tooLarge(flow, most, verdict.rule!.line) };
    }
    const { method, scheme, port } = request;
    if (verdict.decision === "allow") {
      found.judged = { method, scheme, host: request.host, port, path: request.path };
    }
    return null;
  }

  #answered(flow: HttpFlow, found: Case, refusal: Refusal | null): Response | null {
    if (refusal === null) return null;
    if (this.#isEnforced(found.loaded)) return this.#refused(flow, found, refusal);
    this.#warn(found, refusal.sentence);
    return null;
  }

  #warn(found: Case, sentence: string): void {
    found.judged = null;
    if (found.warned === sentence) return;
    found.warned = sentence;
    found.decision = "warn";
    if (!this.#init.isLearning) this.#init.log.warn(`${sentence} It passes (mode: warn).`);
  }

  #refused(flow: HttpFlow, found: Case, { status, sentence }: Refusal): Response {
    found.decision = "deny";
    this.#init.log.info(sentence);
    try {
      this.#decided(flow, found);
    } catch (error) {
      return refusalPage(503, error instanceof Error ? error.message : String(error));
    }
    return refusalPage(status, sentence);
  }

  /** Writes the line that says what was decided, once. @throws {WeirError} 503 when it cannot be written. */
  #decided(flow: HttpFlow, found: Case): void {
    if (found.isDecided) return;
    const { host: name, port, method } = flow.request;
    const host = parseHost(name)?.text ?? name;
    this.#count(host, port, method === "CONNECT" ? null : method, found);
    found.isDecided = true;
    this.#write(() => found.of(flow, "decided"), true);
  }

  #count(host: string, port: number, method: string | null, { decision }: Case): void {
    if (decision === "deny") this.tally.denied++;
    else if (decision === "warn" && !this.#init.isLearning) this.tally.warned++;
    else this.tally.allowed++;
    if (decision === "deny" || decision === "warn") this.tally.deny(host, port, method);
    if (this.#init.isLearning) this.tally.see(host, port, method);
  }

  #tunnelDecided(client: ClientConnection, place: GatePlace, found: Case, isPrivate: boolean): void {
    const id = crypto.randomUUID();
    this.#count(place.host, place.port, null, found);
    if (isPrivate && this.#init.isLearning && parseHost(place.host)?.address === null) {
      this.tally.seePrivate(place.host, place.port);
    }
    const record = found.ofTunnel(client, place, null, id);
    const isOpen = found.decision !== "deny";
    this.#write(() => record, isOpen);
    if (!isOpen) return this.#write(() => ({ ...record, event: "ended" }));
    let places = this.#tunnels.get(client);
    if (places === undefined) this.#tunnels.set(client, places = new Map());
    const key = where(place.host, place.port);
    places.set(key, [...places.get(key) ?? [], { of: found, id }]);
  }

  /** @throws {WeirError} 503 when it cannot be written, if that matters. */
  #write(record: () => AuditRecord, mustBe = false): void {
    if (this.#audit === null) return;
    try {
      this.#audit.write(record());
    } catch (error) {
      if (mustBe && !this.#isAuditOptional) throw error;
      this.#init.log.warn(error instanceof Error ? error.message : String(error));
    }
  }
}

/** True when it was judged as it is, and let pass. */
function isSame(judged: Judged | null, { method, scheme, host, port, path }: Judged): boolean {
  return judged !== null && judged.method === method && judged.scheme === scheme && judged.host === host &&
    judged.port === port && judged.path === path;
}

/** A request as the policy sees it; null where it cannot. */
function questionOf({ request }: HttpFlow): Question | null {
  const host = parseHost(request.host), path = pathOf(request.path);
  if (host === null) return null;
  return { host, port: request.port, method: request.method, path: path ?? "/" };
}

function pathOf(target: string): string | null {
  return target === "*" ? "/" : matchedPath(target);
}

function noHost(text: string): Refusal {
  return {
    status: 403,
    sentence: `${JSON.stringify(text)} is no host that a rule could name: it is denied.`,
  };
}

function described({ request: { method, host, port, path } }: HttpFlow): string {
  const place = where(host, port);
  return method === "CONNECT" ? `CONNECT ${place}` : `${method} ${place}${path.replace(/\?.*$/s, "")}`;
}

function denial(what: string, reason: string): string {
  return `${what} is denied: ${reason}.`;
}

function where(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function tooLarge(flow: HttpFlow, most: number, line: number): string {
  return denial(described(flow), `its body has more than ${most} bytes (uploads in line ${line})`);
}
