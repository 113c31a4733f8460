/** The part of npm's `ws` that the tests use. */
import type { ClientRequest, Server } from "node:http";
import type { Duplex } from "node:stream";

export interface DeflateOptions {
  serverNoContextTakeover?: boolean;
  clientNoContextTakeover?: boolean;
  serverMaxWindowBits?: number;
  clientMaxWindowBits?: number;
  threshold?: number;
}

export class WebSocket {
  constructor(
    url: string,
    protocols?: string | string[],
    options?: {
      perMessageDeflate?: boolean | DeflateOptions;
      createConnection?: () => Duplex;
      finishRequest?: (request: ClientRequest) => void;
    },
  );
  readonly extensions: string;
  readonly protocol: string;
  readonly readyState: number;
  on(event: "open", listener: () => void): this;
  on(event: "message", listener: (data: Uint8Array, isBinary: boolean) => void): this;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: "ping" | "pong", listener: (data: Uint8Array) => void): this;
  send(
    data: Uint8Array | string,
    options?: { binary?: boolean; fin?: boolean; compress?: boolean },
    done?: () => void,
  ): void;
  ping(data?: string): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

export class WebSocketServer {
  constructor(options: {
    port?: number;
    host?: string;
    server?: Server;
    perMessageDeflate?: boolean | DeflateOptions;
    maxPayload?: number;
  });
  on(event: "connection", listener: (socket: WebSocket) => void): this;
  on(event: "listening", listener: () => void): this;
  address(): { port: number };
  readonly clients: Set<WebSocket>;
  close(done?: () => void): void;
  readonly _server: Server;
}
