/**
 * What is known of one request under a policy, from the first word about it to its end.
 * @module
 */
import type { HttpFlow } from "../flow/flow.ts";
import type { ClientConnection } from "../flow/connection.ts";
import { hostPort } from "../net/mod.ts";
import type { AuditRecord } from "./audit.ts";
import type { Rule } from "./policy/rule.ts";
import { SecretUse } from "./secrets/counts.ts";
import type { Loaded } from "./loaded.ts";

/** The parts of a request that decide. */
export interface Judged {
  readonly method: string;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** A request, or a tunnel, and what was decided of it. */
export class Case {
  readonly loaded: Loaded;
  readonly use: SecretUse = new SecretUse();
  readonly #begun = performance.now();
  /** What was judged last: it is judged again when it is another one. */
  judged: Judged | null = null;
  rule: Rule | null = null;
  decision: AuditRecord["decision"] = "allow";
  /** The line that says what was decided is written. */
  isDecided = false;
  /** What would have been denied, in the mode `warn`. */
  warned: string | null = null;

  constructor(loaded: Loaded) {
    this.loaded = loaded;
  }

  /** A line of the audit about a request. */
  of(flow: HttpFlow, event: AuditRecord["event"]): AuditRecord {
    const { request, response, error } = flow;
    const isOut = this.decision !== "deny";
    return {
      ...this.#line(event, flow.id, flow.clientConn),
      host: request.host,
      port: request.port,
      method: request.method,
      path: request.path.replace(/\?.*$/s, ""),
      protocol: request.httpVersion,
      status: event === "ended" ? response?.statusCode ?? null : null,
      bytesOut: event === "ended" && isOut ? request.size : 0,
      bytesIn: event === "ended" && isOut ? response?.size ?? 0 : 0,
      error: error?.message ?? null,
    };
  }

  /** A line of the audit about raw bytes. */
  ofTunnel(
    client: ClientConnection,
    place: { readonly host: string; readonly port: number },
    end: { readonly bytesOut: number; readonly bytesIn: number; readonly error: string | null } | null,
    id: string,
  ): AuditRecord {
    return {
      ...this.#line(end === null ? "decided" : "ended", id, client),
      host: place.host,
      port: place.port,
      method: "CONNECT",
      path: "",
      protocol: "tcp",
      status: null,
      bytesOut: end?.bytesOut ?? 0,
      bytesIn: end?.bytesIn ?? 0,
      error: end?.error ?? null,
    };
  }

  #line(event: AuditRecord["event"], flow: string, client: ClientConnection) {
    const { injected, scrubbed, carried } = this.use;
    return {
      event,
      time: new Date().toISOString(),
      flow,
      client: hostPort(client.address),
      decision: this.decision,
      rule: this.rule?.line ?? null,
      injected: injected.toJSON(),
      scrubbed: scrubbed.toJSON(),
      carried: carried.toJSON(),
      ms: event === "decided" ? 0 : Math.round((performance.now() - this.#begun) * 1000) / 1000,
    };
  }
}
