/**
 * HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as far as weir writes it. What begins with `_` is not of the standard:
 * names that Chromium and mitmproxy use, and weir's own.
 * @module
 */

/** A name and a value: of a field, a parameter, a trailer. */
export interface HarPair {
  /** As it is on the wire. */
  name: string;
  /** Decoded where its place is decoded (cookies are not). */
  value: string;
}

/** A cookie; of a request it has only name and value. */
export interface HarCookie extends HarPair {
  /** The attribute Path. */
  path?: string;
  /** The attribute Domain. */
  domain?: string;
  /** ISO 8601. */
  expires?: string;
  /** The attribute HttpOnly. */
  httpOnly?: boolean;
  /** The attribute Secure. */
  secure?: boolean;
  /** The attribute SameSite. */
  sameSite?: string;
}

/** A request. */
export interface HarRequest {
  /** The method. */
  method: string;
  /** The absolute URL. */
  url: string;
  /** "HTTP/1.1", "HTTP/2.0", … */
  httpVersion: string;
  /** What the Cookie fields say. */
  cookies: HarCookie[];
  /** The fields, in their order. */
  headers: HarPair[];
  /** The URL's query, taken apart. */
  queryString: HarPair[];
  /** Left out where there is no body, or it was not kept. */
  postData?: { mimeType: string; text: string; params?: HarPair[]; _encoding?: "base64" };
  /** Bytes of the head on the wire; -1 for HTTP/2. */
  headersSize: number;
  /** Bytes of the body on the wire; -1 where nobody counted them. */
  bodySize: number;
  /** The trailer fields. */
  _trailers?: HarPair[];
  /** False: there was a body, and it was not kept. */
  _kept?: false;
  /** Milliseconds since the epoch. */
  _timestampStart?: number;
  /** Milliseconds since the epoch. */
  _timestampEnd?: number;
}

/** What a response carried. */
export interface HarContent {
  /** Bytes with codings off; of a body that was not kept, those that came. */
  size: number;
  /** Bytes that codings saved. */
  compression?: number;
  /** The Content-Type. */
  mimeType: string;
  /** Left out where the body was not kept. */
  text?: string;
  /** How `text` holds what is no text. */
  encoding?: "base64";
  /** False: there was a body, and it was not kept. */
  _kept?: false;
}

/** A response; status 0: there was none. */
export interface HarResponse {
  /** The status code. */
  status: number;
  /** The reason phrase. */
  statusText: string;
  /** "HTTP/1.1", "HTTP/2.0", … */
  httpVersion: string;
  /** What the Set-Cookie fields say. */
  cookies: HarCookie[];
  /** The fields, in their order. */
  headers: HarPair[];
  /** The body. */
  content: HarContent;
  /** The Location, where there is one. */
  redirectURL: string;
  /** Bytes of the head on the wire; -1 for HTTP/2. */
  headersSize: number;
  /** Bytes of the body on the wire; -1 where nobody counted them. */
  bodySize: number;
  /** Bytes of head and body together, as Chromium writes them. */
  _transferSize?: number;
  /** The trailer fields. */
  _trailers?: HarPair[];
  /** How the flow failed. */
  _error?: string;
  /** Milliseconds since the epoch. */
  _errorTimestamp?: number;
  /** Milliseconds since the epoch. */
  _timestampStart?: number;
  /** Milliseconds since the epoch. */
  _timestampEnd?: number;
}

/** Milliseconds; -1 for what is not known or did not happen. `connect` includes `ssl`. */
export interface HarTimings {
  /** Waiting for a connection. */
  blocked: number;
  /** Looking the name up. */
  dns: number;
  /** Connecting, TLS included. */
  connect: number;
  /** The TLS handshake. */
  ssl: number;
  /** Sending the request. */
  send: number;
  /** Until the response's first byte. */
  wait: number;
  /** From there to its last. */
  receive: number;
}

/** A WebSocket message, as Chromium writes them. */
export interface HarWebSocketMessage {
  /** By the client, or to it. */
  type: "send" | "receive";
  /** Seconds since the epoch. */
  time: number;
  /** 1: text; 2: bytes, in base64. */
  opcode: number;
  /** Text, or bytes in base64. */
  data: string;
  /** An addon kept it back. */
  _dropped?: true;
  /** An addon sent it. */
  _injected?: true;
}

/** A server-sent event, as Chromium writes them. */
export interface HarEventSourceMessage {
  /** Seconds since the epoch. */
  time: number;
  /** The field `event`; "message" without one. */
  eventName: string;
  /** The field `id`. */
  eventId: string;
  /** The fields `data`. */
  data: string;
}

/** An exchange. */
export interface HarEntry {
  /** ISO 8601. */
  startedDateTime: string;
  /** Milliseconds in all. */
  time: number;
  /** What was asked. */
  request: HarRequest;
  /** What was answered. */
  response: HarResponse;
  /** Always empty: weir has no cache. */
  cache: Record<string, never>;
  /** Where the time went. */
  timings: HarTimings;
  /** Of the origin, where weir connected to it. */
  serverIPAddress?: string;
  /** Which connection to the origin it was. */
  connection?: string;
  /** The flow's comment. */
  comment?: string;
  /** As Chromium calls it: "fetch", "websocket", … */
  _resourceType: string;
  /** The messages of a WebSocket that were kept. */
  _webSocketMessages?: HarWebSocketMessage[];
  /** How a WebSocket ended; time in seconds since the epoch. */
  _webSocketClose?: {
    byClient: boolean | null;
    code: number | null;
    reason: string | null;
    time: number | null;
  };
  /** The events of an event stream that was kept. */
  _eventSourceMessages?: HarEventSourceMessage[];
  /** How the response's body came: milliseconds since its first byte, bytes by then. */
  _timeline?: [number, number][];
  /** The same of the request's body. */
  _requestTimeline?: [number, number][];
}

/** The whole of it. */
export interface Har {
  /** The only member. */
  log: {
    version: "1.2";
    creator: { name: string; version: string; comment: string };
    pages: never[];
    entries: HarEntry[];
  };
}
