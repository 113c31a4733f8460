/**
 * A gate: what stands between all exchanges and the origins. It has the first word about a request, before any hook, and the
 * last, behind all of them; it says which addresses may be connected to; and what crosses goes through it, so that hooks and
 * whatever they keep see the client's side of it alone.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { ClientConnection } from "../flow/connection.ts";
import type { HttpFlow } from "../flow/flow.ts";
import type { Headers } from "../http/mod.ts";
import type { MessageCrossing } from "../websocket/mod.ts";

/** A request as it leaves. */
export interface Departure {
  /** Path with query. */
  readonly path: string;
  /** Not those that hooks hold, where they are others. */
  readonly headers: Headers;
  /** Asked where there is a body. */
  body(): DepartingBody;
}

/** What becomes of a request's body as it leaves. */
export interface DepartingBody {
  /** What it goes through behind everything else. */
  readonly stages: readonly TransformStream<Uint8Array, Uint8Array>[];
  /** The length stays what it is. */
  readonly keepsLength: boolean;
}

/** The head of a response, interim ones included, as it comes in. */
export interface Arrival {
  /** Reason phrase. */
  readonly reason: string;
  /** Not those of the wire, where they are others. */
  readonly headers: Headers;
}

/** What a connection is about. */
export interface GatePlace {
  /** A name or an address, without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Which of a host's addresses may be connected to. */
export interface Reach {
  /** Those that may, in their order. */
  readonly addresses: readonly string[];
  /** Why the others may not, as a sentence. */
  readonly reason: string;
}

/** Decides what may leave, and changes what crosses. What it throws cuts what it was asked about. */
export interface Gate {
  /**
   * Before any hook: the answer that refuses the request, or null. `names` are the hosts by which it was addressed: of the
   * CONNECT, of the client's TLS, of the request.
   */
  admit(flow: HttpFlow, names: readonly string[]): Response | null;
  /** Behind all hooks, right before a connection is sought: the same, for what they have made of it. */
  check(flow: HttpFlow): Response | null;
  /** The answer to a request that was refused later than that: by `reach`, `use`, or a stage (code "policy"). */
  refuse(flow: HttpFlow, error: WeirError): Response;
  /** A CONNECT: the answer that refuses it; "opaque" has its bytes passed on unseen; null lets requests be looked for in it. */
  connect(flow: HttpFlow): Response | "opaque" | null;
  /** Whether anything may go there at all: else no origin is asked for its certificate either. */
  opens(place: GatePlace): boolean;
  /**
   * Why no raw bytes may go there, as a sentence; null when they may: asked before a connection is made, and again when it is
   * open, with the address that it was made to (null: a further proxy has made it), or refused.
   */
  raw(
    client: ClientConnection,
    place: GatePlace,
    address: string | null,
    outcome?: { readonly isOpen?: boolean; readonly error?: WeirError },
  ): string | null;
  /** Which of the addresses that a host was found to have may be connected to. */
  reach(place: GatePlace, addresses: readonly string[]): Reach;
  /**
   * Why a request may not be sent over a connection to this address (null: a further proxy has made it), as a sentence; null when
   * it may.
   */
  use(flow: HttpFlow, address: string | null): string | null;
  /** The request as it is sent. `isSecure`: over TLS with a certificate that was verified. */
  depart(
    flow: HttpFlow,
    head: { readonly path: string; readonly headers: Headers },
    isSecure: boolean,
  ): Departure;
  /** A head that came back, as it is let in. */
  arrive(flow: HttpFlow, head: Arrival): Arrival;
  /** Stages of a response's body, in front of everything else; `headers` as they came. */
  body(flow: HttpFlow, headers: Headers): readonly TransformStream<Uint8Array, Uint8Array>[];
  /** Trailers of a response, name, value, name, value, …, as they are let in. */
  trailers(flow: HttpFlow, fields: string[]): string[];
  /** What the messages of a WebSocket go through; null for nothing. */
  messages(flow: HttpFlow): MessageCrossing | null;
  /** The environment of a command that weir starts, made from `given`. */
  environment(given: Readonly<Record<string, string>>): Record<string, string>;
  /** What there is to say at the end, in lines; empty for nothing. */
  summary(): string;
}
