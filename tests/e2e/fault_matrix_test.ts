/**
 * The fault matrix: clients and origins of both HTTP versions, cut after every byte by FIN and by RST, with bodies that are
 * buffered, streamed and hooked; flows that are killed and hooks that throw, at every hook.
 *
 * Whatever is cut, a body is exact or visibly cut, every flow ends once, by `complete` or by `error`, and nothing is left open.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Addon, HttpFlow } from "weir";
import {
  BODY,
  Changes,
  Client2,
  connection2,
  type Cut,
  exchange1,
  FaultOrigin,
  type Framing,
  request1,
  type Seen,
  sendPart,
  type Version,
} from "./support/faults.ts";
import { startProxy, type TestProxy } from "./support/proxy.ts";
import { bytesOf } from "./support/wire.ts";
import { SOON, within } from "./support/within.ts";

const CUTS: readonly Cut[] = ["fin", "reset"];
const VERSIONS: readonly Version[] = ["h1", "h2"];

/** How bodies pass, and what becomes of them. */
type Mode = "buffered" | "streamed" | "hooked";
const MODES: readonly Mode[] = ["buffered", "streamed", "hooked"];

function through(mode: Mode, body: string): string {
  return mode === "hooked" ? body.toUpperCase() : body;
}

function modeAddon(mode: Mode): Addon {
  const upper = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) yield new TextDecoder().decode(chunk).toUpperCase();
  };
  const stream = mode === "buffered" ? false : mode === "streamed" ? true : upper;
  return {
    requestheaders: (flow) => void (flow.request.stream = stream),
    responseheaders: (flow) => void (flow.response!.stream = stream),
  };
}

/** How flows began and ended, by their paths. */
class Ledger {
  readonly #ends = new Map<string, string[]>();
  readonly #changes = new Changes();

  readonly addon: Addon = {
    requestheaders: (flow) => {
      this.#ends.set(flow.request.path, []);
      this.#changes.happened();
    },
    complete: (flow) => this.#end(flow, "complete"),
    error: (flow) => this.#end(flow, `error ${flow.error!.cause.code}`),
  };

  #end(flow: HttpFlow, how: string): void {
    this.#ends.get(flow.request.path)!.push(how);
    this.#changes.happened();
  }

  begun(path: string): Promise<void> {
    return within(SOON, this.#changes.until(() => this.#ends.has(path)), `the flow of ${path}`);
  }

  async ended(path: string): Promise<string> {
    await within(
      SOON,
      this.#changes.until(() => (this.#ends.get(path)?.length ?? 0) > 0),
      `the end of ${path}`,
    );
    return this.#ends.get(path)![0];
  }

  /** Every flow that began has ended, once. */
  async check(): Promise<void> {
    await within(
      SOON,
      this.#changes.until(() => [...this.#ends.values()].every((ends) => ends.length > 0)),
      "all ends",
    );
    const wrong = [...this.#ends].filter(([, ends]) => ends.length !== 1);
    assertEquals(wrong, []);
  }
}

/** Runs `use` on all of `list`, so many at a time. */
async function forAll<T>(atOnce: number, list: readonly T[], use: (one: T) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < list.length) await use(list[next++]);
  }));
}

/** A proxy with an origin; afterwards every flow has had its one end, and the origin no connection but idle ones. */
async function withProxy(
  mode: Mode,
  origin: FaultOrigin,
  use: (proxy: TestProxy, ledger: Ledger) => Promise<void>,
  addon: Addon = {},
): Promise<void> {
  const ledger = new Ledger();
  {
    await using proxy = await startProxy([ledger.addon, modeAddon(mode), addon]);
    await use(proxy, ledger);
    await ledger.check();
  }
  const closed = async () => {
    while (origin.open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await within(SOON, closed(), "the origin's connections to close");
}

/** Response by response with a client of one version. */
async function clientOf(version: Version, proxy: TestProxy, origin: FaultOrigin) {
  const shared = version === "h2" ? await Client2.connect(proxy.port) : null;
  return {
    exchange: (path: string, hasBody = false): Promise<Seen> =>
      shared === null
        ? exchange1(proxy.port, request1(path, origin.authority, hasBody ? "length" : null))
        : shared.exchange(path, origin.authority, hasBody),
    [Symbol.asyncDispose]: async () => await shared?.[Symbol.asyncDispose](),
  };
}

const isPage = ({ head, isComplete }: Seen) => isComplete && / 502 |:status=502/.test(head);
const isAnswer = ({ head, isComplete }: Seen) => isComplete && / 200 |:status=200/.test(head);

const ORIGINS: readonly (readonly [Version, Framing])[] = [
  ["h1", "length"],
  ["h1", "chunked"],
  ["h1", "close"],
  ["h2", "length"],
];

for (const mode of MODES) {
  for (const [version, framing] of ORIGINS) {
    const name = version === "h2" ? "an HTTP/2 origin" : `an HTTP/1 origin (${framing})`;
    Deno.test(`${name} is cut at every byte of its answer: ${mode}, clients of both versions`, async () => {
      await using origin = new FaultOrigin(version, framing);
      const { length } = origin.answer;
      const headEnd = length - (framing === "close" ? BODY.length : 0);
      const cases = CUTS.flatMap((cut) => Array.from({ length: length + 1 }, (_, at) => ({ at, cut })));
      await withProxy(mode, origin, async (proxy, ledger) => {
        for (const clientVersion of VERSIONS) {
          await using client = await clientOf(clientVersion, proxy, origin);
          // Over HTTP/2 a cut takes the other streams of its connection along.
          await forAll(version === "h2" ? 1 : 8, cases, async ({ at, cut }) => {
            const path = `/${clientVersion}-cut-${at}-${cut}`;
            const seen = await client.exchange(path);
            const end = await ledger.ended(path);
            const what = `${path}: ${JSON.stringify(seen)}, ${end}`;
            // Until close, a FIN is the end wherever it comes (RFC 9112 §6.3).
            const isWhole = at === length && !(framing === "close" && cut === "reset") ||
              framing === "close" && cut === "fin" && at >= headEnd;
            const expected = through(mode, framing === "close" ? BODY.slice(0, at - headEnd) : BODY);
            if (isWhole) assert(isAnswer(seen) && seen.body === expected, what);
            else {
              assert(!seen.isComplete || isPage(seen), what);
              if (!isPage(seen)) {
                assert(mode !== "buffered" && through(mode, BODY).startsWith(seen.body), what);
              }
            }
            assert(isWhole ? end === "complete" : end.startsWith("error "), what);
          });
        }
      });
    });
  }
}

for (const mode of MODES) {
  for (const client of ["h1 length", "h1 chunked", "h2"] as const) {
    Deno.test(`a client (${client}) is cut at every byte of its request: ${mode}, origins of both versions`, async () => {
      for (const originVersion of VERSIONS) {
        await using origin = new FaultOrigin(originVersion);
        await withProxy(mode, origin, async (proxy, ledger) => {
          // The first request to an origin without TLS finds out which version it speaks.
          await exchange1(proxy.port, request1("/first", origin.authority, null));
          const whole = (path: string) => {
            if (client === "h2") return connection2(path, origin.authority);
            const framing = client === "h1 length" ? "length" : "chunked";
            const request = request1(path, origin.authority, framing);
            return { bytes: bytesOf(request), headEnd: request.indexOf("\r\n\r\n") + 4 };
          };
          const { length } = whole("/cut-000-reset").bytes;
          const cases = CUTS.flatMap((cut) => Array.from({ length: length + 1 }, (_, at) => ({ at, cut })));
          await forAll(8, cases, async ({ at, cut }) => {
            // All paths are equally long.
            const path = `/${cut.padEnd(5, "_")}-${String(at).padStart(3, "0")}`;
            const { bytes, headEnd } = whole(path);
            const hasHead = at >= headEnd;
            await sendPart(
              proxy.port,
              bytes,
              at,
              cut,
              () => hasHead ? ledger.begun(path) : Promise.resolve(),
            );
            const end = hasHead ? await ledger.ended(path) : null;
            const seen = origin.received.get(path);
            const what = `${path} of ${bytes.length}: ${JSON.stringify(seen)}, ${end}`;
            if (at < bytes.length) {
              assert(!seen?.isComplete, what);
              assert(end === null || end.startsWith("error "), what);
            } else if (cut === "fin") {
              // The end of the client's half is no end of its wish for an answer.
              assert(client === "h2" || end === "complete", what);
            }
            if (seen?.isComplete) assertEquals(seen.body, through(mode, BODY), what);
          });
        });
      }
    });
  }
}

const HOOKS = ["requestheaders", "request", "responseheaders", "response", "complete"] as const;

for (const mode of MODES) {
  Deno.test(`kill and throw at each hook: ${mode}, all versions`, async () => {
    const addon: Addon = {};
    for (const hook of HOOKS) {
      addon[hook] = async (flow: HttpFlow) => {
        const [, deed, where, when] = flow.request.path.split("-");
        if (where !== hook) return;
        if (when === "late") await Promise.resolve();
        if (deed === "kill") flow.kill();
        else throw new Error("on purpose");
      };
    }
    for (const originVersion of VERSIONS) {
      await using origin = new FaultOrigin(originVersion);
      await withProxy(mode, origin, async (proxy, ledger) => {
        for (const clientVersion of VERSIONS) {
          await using client = await clientOf(clientVersion, proxy, origin);
          for (const hook of HOOKS) {
            for (const when of ["early", "late"]) {
              const thrown = `/${clientVersion}-throw-${hook}-${when}`;
              const seen = await client.exchange(thrown, true);
              const what = `${thrown}: ${JSON.stringify(seen)}`;
              assert(isAnswer(seen) && seen.body === through(mode, BODY), what);
              assertEquals(await ledger.ended(thrown), "complete", what);
              const killed = `/${clientVersion}-kill-${hook}-${when}`;
              const cut = await client.exchange(killed, true);
              const end = await ledger.ended(killed);
              // In complete everything is over.
              const isOver = hook === "complete";
              assertEquals(
                [cut.isComplete, end],
                isOver ? [true, "complete"] : [false, "error killed"],
                killed,
              );
            }
          }
        }
      }, addon);
    }
  });
}

Deno.test("a stage that throws at each chunk, in requests and responses: both sides see the cut, the flow its error", async () => {
  const failing = (at: number) =>
    async function* (chunks: AsyncIterable<Uint8Array>) {
      let count = 0;
      for await (const chunk of chunks) {
        if (count++ === at) throw new Error("on purpose");
        yield chunk;
      }
      if (count === at) throw new Error("on purpose, at the end");
    };
  const addon: Addon = {
    requestheaders: (flow) => {
      const [, side, at] = flow.request.path.split("-");
      if (side === "up") flow.request.stream = failing(Number(at));
    },
    responseheaders: (flow) => {
      const [, side, at] = flow.request.path.split("-");
      if (side === "down") flow.response!.stream = failing(Number(at));
    },
  };
  for (const originVersion of VERSIONS) {
    await using origin = new FaultOrigin(originVersion, "chunked");
    await withProxy("streamed", origin, async (proxy, ledger) => {
      for (const clientVersion of VERSIONS) {
        await using client = await clientOf(clientVersion, proxy, origin);
        for (const side of ["up", "down"]) {
          // With HTTP/1 the upload comes in one piece, and there is none at 2.
          for (let at = 0; at < (side === "up" && clientVersion === "h1" ? 2 : 3); at++) {
            const path = `/${clientVersion}-${side}-${at}`;
            const seen = await client.exchange(path, true);
            const what = `${path}: ${JSON.stringify(seen)}`;
            assertEquals(await ledger.ended(path), "error addon", what);
            assert(!seen.isComplete, what);
            if (side === "up") assert(!origin.received.get(path)?.isComplete, what);
          }
        }
      }
    }, addon);
  }
});
