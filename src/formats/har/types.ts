/**
 * HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as far as weir writes it. What begins with `_` is not of the standard:
 * names that Chromium and mitmproxy use, and weir's own.
 * @module
 */

/** A name and a value: of a field, a parameter, a trailer. */
export interface HarPair {
  name: string;
  value: string;
}

/** A cookie; of a request it has only name and value. */
export interface HarCookie extends HarPair {
  path?: string;
  domain?: string;
  /** ISO 8601. */
  expires?: string;
  httpOnly?: boolean;
  secure?: boolean;
  sameSite?: string;
}

/** A request. */
export interface HarRequest {
  method: string;
  url: string;
  /** "HTTP/1.1", "HTTP/2.0", … */
  httpVersion: string;
  cookies: HarCookie[];
  headers: HarPair[];
  queryString: HarPair[];
  /** Left out where there is no body, or it was not kept. */
  postData?: { mimeType: string; text: string; params?: HarPair[]; _encoding?: "base64" };
  /** Bytes of the head on the wire; -1 for HTTP/2. */
  headersSize: number;
  /** Bytes of the body on the wire; -1 where nobody counted them. */
  bodySize: number;
  _trailers?: HarPair[];
  /** False: there was a body, and it was not kept. */
  _kept?: false;
  /** Milliseconds since the epoch. */
  _timestampStart?: number;
  _timestampEnd?: number;
}

/** What a response carried. */
export interface HarContent {
  /** Bytes with codings off; of a body that was not kept, those that came. */
  size: number;
  /** Bytes that codings saved. */
  compression?: number;
  mimeType: string;
  /** Left out where the body was not kept. */
  text?: string;
  encoding?: "base64";
  _kept?: false;
}

/** A response; status 0: there was none. */
export interface HarResponse {
  status: number;
  statusText: string;
  httpVersion: string;
  cookies: HarCookie[];
  headers: HarPair[];
  content: HarContent;
  redirectURL: string;
  headersSize: number;
  bodySize: number;
  _transferSize?: number;
  _trailers?: HarPair[];
  /** How the flow failed. */
  _error?: string;
  /** Milliseconds since the epoch. */
  _errorTimestamp?: number;
  _timestampStart?: number;
  _timestampEnd?: number;
}

/** Milliseconds; -1 for what is not known or did not happen. `connect` includes `ssl`. */
export interface HarTimings {
  blocked: number;
  dns: number;
  connect: number;
  ssl: number;
  send: number;
  wait: number;
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
  data: string;
  _dropped?: true;
  _injected?: true;
}

/** A server-sent event, as Chromium writes them. */
export interface HarEventSourceMessage {
  /** Seconds since the epoch. */
  time: number;
  eventName: string;
  eventId: string;
  data: string;
}

/** An exchange. */
export interface HarEntry {
  /** ISO 8601. */
  startedDateTime: string;
  /** Milliseconds in all. */
  time: number;
  request: HarRequest;
  response: HarResponse;
  cache: Record<string, never>;
  timings: HarTimings;
  serverIPAddress?: string;
  connection?: string;
  comment?: string;
  _resourceType: string;
  _webSocketMessages?: HarWebSocketMessage[];
  _webSocketClose?: {
    byClient: boolean | null;
    code: number | null;
    reason: string | null;
    time: number | null;
  };
  _eventSourceMessages?: HarEventSourceMessage[];
  /** How the response's body came: milliseconds since its first byte, bytes by then. */
  _timeline?: [number, number][];
  _requestTimeline?: [number, number][];
}

/** The whole of it. */
export interface Har {
  log: {
    version: "1.2";
    creator: { name: string; version: string; comment: string };
    pages: never[];
    entries: HarEntry[];
  };
}
