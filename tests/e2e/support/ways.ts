/**
 * The same exchange over HTTP/1.1 and HTTP/2, with bodies buffered and streamed: what rules do must not depend on that.
 * @module
 */
import type { Addon } from "weir";
import type { IncomingExchange } from "../../../src/http/wire.ts";
import { type Body, bytesBody } from "../../../src/streams/mod.ts";
import { type Options, startProxy, type TestProxy } from "./proxy.ts";
import { response, type Version, VersionClient, VersionOrigin, VERSIONS } from "./versions.ts";
import { bytesOf, textOf } from "./wire.ts";

/** What an origin was sent. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
}

/** What a client was sent. */
export interface Answer {
  readonly status: number;
  readonly fields: readonly (readonly [string, string])[];
  readonly text: string;
  readonly isCut: boolean;
}

/** What an origin answers: 200 with this body by default. Characters of text are bytes. */
export interface Reply {
  readonly status?: number;
  readonly fields?: [string, string][];
  readonly body?: string;
}

/** One of the ways, with a proxy, an origin and a client. */
export interface Way {
  readonly version: Version;
  readonly isStreamed: boolean;
  readonly proxy: TestProxy;
  readonly origin: VersionOrigin;
  readonly received: Received[];
  send(
    method?: string,
    path?: string,
    init?: { fields?: [string, string][]; body?: string },
  ): Promise<Answer>;
}

/** What is to be tried. */
export interface WayInit {
  readonly options?: Options | ((origin: VersionOrigin) => Options);
  readonly addons?: Addon[];
  reply?(request: Received): Reply;
}

/** Registers a test for each way. */
export function inAllWays(name: string, init: WayInit, run: (way: Way) => Promise<void>): void {
  for (const version of VERSIONS) {
    for (const isStreamed of [false, true]) {
      Deno.test(`${name} (${version}, ${isStreamed ? "streamed" : "buffered"})`, () =>
        inOneWay(version, isStreamed, init, run));
    }
  }
}

/** The same for one of them. */
export async function inOneWay(
  version: Version,
  isStreamed: boolean,
  { options = {}, addons = [], reply = () => ({}) }: WayInit,
  run: (way: Way) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  await using origin = new VersionOrigin(version, async (incoming: IncomingExchange) => {
    const { method, path, headers } = incoming.head;
    const { text: body } = await readAll(incoming.body);
    const request = { method, path, fields: [...headers], body };
    received.push(request);
    const { status = 200, fields = [], body: text = "" } = reply(request);
    const body2 = text === "" ? null : bytesBody(bytesOf(text), null);
    await incoming.respond(response(status, fields), body2);
  });
  const given = typeof options === "function" ? options(origin) : options;
  const streaming: Options = isStreamed ? { stream_large_bodies: 0 } : {};
  await using proxy = await startProxy(addons, { ...streaming, ...given });
  await using client = await VersionClient.connect(version, proxy, origin);
  await run({
    version,
    isStreamed,
    proxy,
    origin,
    received,
    async send(method = "GET", path = "/", { fields = [], body } = {}) {
      const sent = await client.send(method, path, {
        fields,
        body: body === undefined ? null : bytesBody(bytesOf(body), null),
      });
      const { text, isCut } = await readAll(sent.body);
      return { status: sent.head.statusCode, fields: [...sent.head.headers], text, isCut };
    },
  });
}

async function readAll(body: Body | null): Promise<{ text: string; isCut: boolean }> {
  let text = "";
  try {
    for (let piece; body !== null && (piece = body.take()) !== null;) {
      if (piece === undefined) await body.fill();
      else text += textOf(piece);
    }
    return { text, isCut: false };
  } catch {
    return { text, isCut: true };
  }
}

/** The values of a field, in order. */
export function valuesOf(fields: readonly (readonly [string, string])[], name: string): string[] {
  return fields.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}
