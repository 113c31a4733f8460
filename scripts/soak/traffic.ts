/**
 * The soak's clients: each exchange is one of these kinds, and checks every byte that it is given.
 * @module
 */
import { MODES } from "./addon.ts";
import { pattern, PatternCheck, patternStream } from "./pattern.ts";

/** The largest bodies. */
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_EVENTS = 40;
const MAX_MESSAGES = 20;
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Clients that leave do so within so many milliseconds. */
const LEAVE_MS = 40;
/** No exchange takes longer, however busy the machine is. */
const LIMIT_MS = 60_000;

/** Where the traffic goes. */
export interface Way {
  /** weir. */
  readonly proxy: { readonly url: string; readonly caCerts: string[] };
  /** Ports of the origin. */
  readonly plain: number;
  readonly secure: number;
  /** A port where nobody listens. */
  readonly closed: number;
}

/** One exchange with whatever it needs. */
interface Turn {
  readonly random: () => number;
  readonly client: Deno.HttpClient;
  /** `http://127.0.0.1:PORT/MODE` */
  readonly base: string;
  readonly way: Way;
}

/** The kinds of exchange. */
export const KINDS = {
  download,
  upload,
  events,
  socket,
  leave,
  leaveUpload,
  dying,
  refused,
} as const;
export type Kind = keyof typeof KINDS;

/** How often each comes among a hundred. */
const SHARES: Readonly<Record<Kind, number>> = {
  download: 38,
  upload: 22,
  events: 8,
  socket: 10,
  leave: 7,
  leaveUpload: 4,
  dying: 8,
  refused: 3,
};

/** Clients that speak HTTP/1.1 and HTTP/2 through weir. Close them at the end. */
export class Clients implements Disposable {
  readonly #http1: Deno.HttpClient;
  readonly #http2: Deno.HttpClient;
  readonly #way: Way;

  constructor(way: Way) {
    const { url, caCerts } = way.proxy;
    this.#way = way;
    this.#http1 = Deno.createHttpClient({ proxy: { url }, caCerts, http2: false });
    this.#http2 = Deno.createHttpClient({ proxy: { url }, caCerts, http1: false, http2: true });
  }

  /**
   * Runs one exchange; resolves to its kind. @throws {Error} that names it, when anything was not as it
   * should be.
   */
  async exchange(random: () => number): Promise<Kind> {
    const kind = chosen(random);
    const mode = MODES[Math.floor(random() * MODES.length)];
    // WebSockets begin in HTTP/1.1.
    const wire = kind === "socket" ? Math.floor(random() * 2) : Math.floor(random() * 3);
    const base = wire === 0
      ? `http://127.0.0.1:${this.#way.plain}/${mode}`
      : `https://localhost:${this.#way.secure}/${mode}`;
    const client = wire === 2 ? this.#http2 : this.#http1;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`It was not finished within ${LIMIT_MS / 1000} s.`)),
        LIMIT_MS,
      );
    });
    const turn: Turn = { random, client, base, way: this.#way };
    try {
      await Promise.race([KINDS[kind](turn).catch((error) => againIfCanceled(error, kind, turn)), late]);
      return kind;
    } catch (error) {
      const version = wire === 2 ? "HTTP/2" : "HTTP/1.1";
      throw new Error(`${kind} over ${version} (${base}): ${described(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#http1.close();
    this.#http2.close();
  }
}

/**
 * Deno's client has requests wait for an HTTP/2 connection that another request opens, and fails them when
 * that one is aborted. They have not been sent.
 */
async function againIfCanceled(error: unknown, kind: Kind, turn: Turn): Promise<void> {
  if (!/request was canceled/.test(described(error))) throw error;
  await KINDS[kind](turn);
}

/** The message, and those of what is behind it: "fetch failed" alone says little. */
function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${described(error.cause)}`;
}

function chosen(random: () => number): Kind {
  let at = random() * Object.values(SHARES).reduce((sum, share) => sum + share, 0);
  const entries = Object.entries(SHARES) as [Kind, number][];
  return entries.find(([, share]) => (at -= share) < 0)?.[0] ?? "download";
}

/** Small ones are as frequent as large ones. */
function sizeOf(random: () => number, most: number = MAX_BYTES): number {
  return Math.floor(Math.exp(random() * Math.log(most + 1))) - 1;
}

function seedOf(random: () => number): number {
  return Math.floor(random() * 256);
}

async function download({ random, client, base }: Turn): Promise<void> {
  const seed = seedOf(random), size = sizeOf(random);
  const kind = random() < 0.5 ? "length" : "open";
  const response = await fetch(`${base}/${kind}/${seed}/${size}`, { client });
  if (response.status !== 200) {
    throw new Error(`It was answered ${response.status}: ${await response.text()}`);
  }
  const check = new PatternCheck(seed);
  for await (const piece of response.body ?? []) check.add(piece);
  check.end(size);
}

async function upload({ random, client, base }: Turn): Promise<void> {
  const seed = seedOf(random), size = sizeOf(random);
  // With a length, or without.
  const body = random() < 0.5 ? pattern(seed, 0, size) : patternStream(seed, size);
  const response = await fetch(`${base}/upload/${seed}/${size}`, { client, method: "POST", body });
  const text = await response.text();
  if (response.status !== 200 || text !== "right") {
    throw new Error(`It was answered ${response.status}: ${text}`);
  }
}

async function events({ random, client, base }: Turn): Promise<void> {
  const count = 1 + Math.floor(random() * MAX_EVENTS);
  const response = await fetch(`${base}/events/${count}`, { client });
  const text = await response.text();
  const expected = Array.from({ length: count }, (_, i) => `id: ${i}\ndata: event ${i}\n\n`).join("");
  if (text !== expected) {
    throw new Error(`${count} events were sent, and ${JSON.stringify(text.slice(-60))} is their end.`);
  }
}

async function socket({ random, client, base }: Turn): Promise<void> {
  const seed = seedOf(random);
  const sizes = Array.from(
    { length: 1 + Math.floor(random() * MAX_MESSAGES) },
    () => sizeOf(random, MAX_MESSAGE_BYTES),
  );
  const leaves = random() < 0.2;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // The type of Deno's WebSocket does not know that it takes a client, as fetch does.
  const made = new WebSocket(`${base.replace("http", "ws")}/socket`, { client } as never);
  made.binaryType = "arraybuffer";
  let next = 0;
  made.onopen = () => {
    for (const size of sizes) made.send(pattern(seed, 0, size));
  };
  made.onmessage = ({ data }) => {
    try {
      const check = new PatternCheck(seed);
      check.add(new Uint8Array(data as ArrayBuffer));
      check.end(sizes[next++]);
      if (next === sizes.length || (leaves && next > sizes.length / 2)) made.close(1000, "enough");
    } catch (error) {
      reject(error);
      made.close();
    }
  };
  made.onerror = (event) => reject(new Error(`WebSocket: ${(event as ErrorEvent).message}`));
  made.onclose = ({ code }) => {
    if (next === sizes.length || leaves) resolve();
    else reject(new Error(`${next} of ${sizes.length} messages came back, then close code ${code}.`));
  };
  await promise;
}

/** A client that goes away while it is answered. */
async function leave({ random, client, base }: Turn): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), random() * LEAVE_MS);
  const seed = seedOf(random);
  try {
    const { signal } = controller;
    const response = await fetch(`${base}/open/${seed}/${MAX_BYTES}`, { client, signal });
    const check = new PatternCheck(seed);
    for await (const piece of response.body ?? []) check.add(piece);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A client that goes away while it uploads. */
async function leaveUpload({ random, client, base }: Turn): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), random() * LEAVE_MS);
  const seed = seedOf(random);
  try {
    const response = await fetch(`${base}/upload/${seed}/${MAX_BYTES}`, {
      client,
      signal: controller.signal,
      method: "POST",
      body: patternStream(seed, MAX_BYTES),
    });
    await response.body?.cancel();
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** An origin that dies in mid body: the client must see that, be it by an error page or by a cut. */
async function dying({ random, client, base }: Turn): Promise<void> {
  const seed = seedOf(random), size = 1 + sizeOf(random);
  const at = Math.floor(random() * size);
  const check = new PatternCheck(seed);
  try {
    const response = await fetch(`${base}/dying/${seed}/${size}/${at}`, { client });
    if (response.status === 502) return void await response.body?.cancel();
    for await (const piece of response.body ?? []) check.add(piece);
  } catch (error) {
    if (error instanceof TypeError || !(error as Error).message.startsWith("Byte ")) return;
    throw error;
  }
  throw new Error(
    `The origin died after ${at} of ${size} bytes, and the client took ${check.size} for all of them.`,
  );
}

async function refused({ client, way }: Turn): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${way.closed}/`, { client });
  const text = await response.text();
  if (response.status !== 502) {
    throw new Error(`Nobody listens there, and the answer was ${response.status}: ${text}`);
  }
}
