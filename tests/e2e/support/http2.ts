/**
 * HTTP/2 on both sides of the proxy, frame by frame: what a client and an origin sent and saw, as lines of text.
 *
 * ```ts
 * await using server = await http2Origin((peer, id) => peer.headers(id, [":status", "200"], Flag.END_STREAM));
 * await using client = await Http2Client.connect(proxy, server);
 * await client.peer.request(1, get(server));
 * await client.peer.line(); // "HEADERS 1 :status=200 +END"
 * ```
 * @module
 */
import { PREFACE } from "../../../src/http2/frames.ts";
import { Flag, type Frame, type FrameConn, FramePeer, FrameType, uint32 } from "../../http2/support.ts";
import { Client } from "./client.ts";
import { Origin, type OriginOptions } from "./origin.ts";
import { Events } from "./within.ts";
import { Cut, type Wire } from "./wire.ts";

export { Flag, FrameType, uint32 };

/** Frames over a socket. */
export class WirePeer extends FramePeer<FrameConn> {
  constructor(readonly wire: Wire) {
    super({ write: (bytes) => wire.send(bytes), readExactly: (count) => wire.readExactly(count) });
  }
}

/** Plays the origin for one request, from its head on. */
export type StreamScript = (peer: WirePeer, streamId: number, request: string) => Promise<unknown> | unknown;

/** An origin that speaks HTTP/2; what it was sent is in `seen`, PING and WINDOW_UPDATE aside. */
export class Http2Origin implements AsyncDisposable {
  readonly seen = new Events();
  readonly peers: WirePeer[] = [];

  private constructor(readonly origin: Origin) {}

  static async listen(
    script: StreamScript,
    options: OriginOptions & { settings?: [number, number][] } = {},
  ): Promise<Http2Origin> {
    const serve = async (wire: Wire) => {
      const peer = new WirePeer(wire);
      self.peers.push(peer);
      await wire.readExactly(PREFACE.length);
      await peer.start("server", options.settings);
      for (let frame; (frame = await nextFrame(peer)) !== null;) {
        if (frame.type === FrameType.SETTINGS && frame.flags !== Flag.ACK) {
          await peer.send(FrameType.SETTINGS, Flag.ACK, 0);
        }
        if (isSilent(frame)) continue;
        const line = peer.describe(frame);
        self.seen.push(line);
        if (frame.type === FrameType.HEADERS && line.includes(":method=")) {
          await script(peer, frame.streamId, line);
        }
      }
    };
    const origin = await Origin.listen(serve, { tls: true, alpn: ["h2"], ...options });
    const self = new Http2Origin(origin);
    return self;
  }

  get authority(): string {
    return this.origin.authority;
  }

  get connections(): number {
    return this.origin.connections;
  }

  url(path = "/"): string {
    return this.origin.url(path);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.origin[Symbol.asyncDispose]();
  }
}

export function http2Origin(
  script: StreamScript,
  options?: OriginOptions & { settings?: [number, number][] },
): Promise<Http2Origin> {
  return Http2Origin.listen(script, options);
}

/** A proxy, and whom clients trust behind it. */
export interface TrustedProxy {
  readonly port: number;
  /** PEM of its CA. */
  ca(): Promise<string>;
}

/** A client that speaks HTTP/2 through the proxy. */
export class Http2Client implements AsyncDisposable {
  readonly peer: WirePeer;
  private constructor(readonly wire: Client) {
    this.peer = new WirePeer(wire);
  }

  /** Through CONNECT and TLS. */
  static async connect(
    proxy: TrustedProxy,
    { authority }: { authority: string },
    settings?: [number, number][],
  ): Promise<Http2Client> {
    const client = await Client.connect(proxy);
    try {
      await client.tunnel(authority);
      const { alpnProtocol } = await client.startTls(authority.split(":")[0], await proxy.ca(), ["h2"]);
      if (alpnProtocol !== "h2") throw new Error(`weir chose ${alpnProtocol}.`);
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
    return await Http2Client.#start(client, settings);
  }

  /** With prior knowledge, on the listener's own connection. */
  static async cleartext(proxy: TrustedProxy, settings?: [number, number][]): Promise<Http2Client> {
    return await Http2Client.#start(await Client.connect(proxy), settings);
  }

  static async #start(wire: Client, settings?: [number, number][]): Promise<Http2Client> {
    const client = new Http2Client(wire);
    await client.peer.start("client", settings);
    return client;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.wire[Symbol.asyncDispose]();
  }
}

/** The fields of a request to `origin`. */
export function requestTo(
  { authority, scheme = "https" }: { authority: string; scheme?: string },
  method = "GET",
  path = "/",
  ...fields: string[]
): string[] {
  return [":method", method, ":scheme", scheme, ":authority", authority, ":path", path, ...fields];
}

/** Null at the connection's end. */
async function nextFrame(peer: WirePeer): Promise<Frame | null> {
  try {
    return await peer.read();
  } catch (error) {
    if (error instanceof Cut) return null;
    throw error;
  }
}

function isSilent({ type }: Frame): boolean {
  return type === FrameType.SETTINGS || type === FrameType.PING || type === FrameType.WINDOW_UPDATE;
}
