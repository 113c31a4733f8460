/**
 * Downstream: ending a client's TLS. Its ClientHello, the decision whether to look into the session, a certificate for the name that it
 * asked for, and what it says when it does not like that one.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { ClientHelloData, Gate } from "../hooks/mod.ts";
import { HEAD_TIMEOUT_MS } from "../http/mod.ts";
import { type Conn, FirstBytes, PassingConn } from "../net/mod.ts";
import {
  type ClientHello,
  distrust,
  isRefusal,
  keyTypeFor,
  parseClientHello,
  serverHandshake,
} from "../tls/mod.ts";
import type { Client } from "./client.ts";
import { isAllowed, isIgnored, isTcpHost } from "./host_rules.ts";
import { alpnFor } from "./protocol.ts";
import type { Origin } from "./route.ts";
import { dialRaw, dialUnknown, hangUp, shownBy } from "./tunnel.ts";

/** A client that leaves later than this behind a handshake had opened a connection in reserve, as browsers do. */
const DISTRUST_MS = 5_000;

const NO_HELLO = Symbol("not a ClientHello");

/** What becomes of a session. */
export interface Interception {
  /** The origin is asked for by the name that the client asked for; else by its own. */
  readonly keepsSni: boolean;
  /** Serves what is in the session; null: that is relayed to the origin, by a session of the same protocol (ALPN). */
  readonly serve: ((inner: FirstBytes) => Promise<void>) | null;
}

/**
 * Ends TLS with a certificate for the name that the client asked for, and has what is in it served. Where the connection is to
 * be left alone, it is passed through untouched instead. `origin` is null where the TLS is with weir itself.
 */
export async function intercept(
  client: Client,
  first: FirstBytes,
  origin: Origin | null,
  interception: Interception,
): Promise<void> {
  const hello = await readHello(client, first);
  if (hello === null) return;
  if (hello === NO_HELLO) {
    const reason = "it began a TLS record in which there is no ClientHello";
    return await failed(client, origin, null, reason);
  }
  if (await isLeftAlone(client, hello, origin)) {
    return await client.leaveAlone({ ...origin!, scheme: "http" }, first.release());
  }
  await decrypt(client, first, hello, origin, interception);
}

/** Null when the client has left, or took too long. */
async function readHello(client: Client, first: FirstBytes): Promise<ClientHello | typeof NO_HELLO | null> {
  const reading = first.until((bytes) => {
    const result = parseClientHello(bytes);
    return result.kind === "more" ? undefined : result.kind === "no" ? NO_HELLO : result.hello;
  });
  return await client.untilStopped(first.conn, reading, client.timeouts.helloTimeoutMs ?? HEAD_TIMEOUT_MS);
}

/** An addon, or the options, want the connection passed through; what leads to weir itself cannot be. */
async function isLeftAlone(
  { context: { hooks, options }, facts }: Client,
  hello: ClientHello,
  origin: Origin | null,
): Promise<boolean> {
  const data: ClientHelloData = {
    sni: hello.sni,
    alpn: hello.alpn,
    clientConn: facts,
    serverAddress: origin && { hostname: origin.host, port: origin.port },
    ignore: false,
  };
  await hooks.trigger("tls_clienthello", data);
  if (facts.error !== null) throw new WeirError("weir", "closed", facts.error);
  if (origin === null) return false;
  const names = [origin, { ...origin, host: hello.sni ?? origin.host }];
  return data.ignore || isIgnored(options, names) || !isAllowed(options, names);
}

async function decrypt(
  client: Client,
  first: FirstBytes,
  hello: ClientHello,
  origin: Origin | null,
  { keepsSni, serve }: Interception,
): Promise<void> {
  const { context, facts } = client;
  const { certificates, options } = context;
  facts.alpnOffers = hello.alpn;
  const sni = keepsSni ? hello.sni : null;
  const isTcp = origin !== null && isTcpHost(options, [origin.host, hello.sni]);
  const upstream = origin?.scheme !== "https"
    ? null
    : isTcp || serve === null
    ? await dialRaw(context, origin, facts, { sni, alpn: hello.alpn })
    : await dialUnknown(context, { ...origin, sni }, hello.alpn, facts);
  const isRefused = origin !== null && willBeRefused(context.gate, origin, keepsSni ? hello.sni : null);
  let carrier: Carrier | null = null;
  let tls: Conn;
  try {
    const { leaf, upstreamAlpn, requestsCertificate, isLoggable } = await certificates.offerFor(
      origin && { ...origin, sni },
      hello.sni,
      facts,
      keyTypeFor(hello, options.tls_version_client_max === "TLS1_2" ? "TLSv1.2" : "TLSv1.3"),
      upstream !== null ? shownBy(upstream) : isRefused ? { certificates: [], alpn: null } : null,
    );
    // With weir itself HTTP/2 is as good, whatever the origins speak.
    const preferred = origin === null || options.http2_upstream === "any" || upstreamAlpn === "h2";
    facts.leaf = leaf;
    carrier = new Carrier(first.release());
    tls = await serverHandshake(carrier, {
      secureContext: leaf.context,
      ...isLoggable && { pem: leaf },
      requestCertificate: requestsCertificate,
      alpn: upstream === null
        ? alpnFor(hello.alpn, { enabled: options.http2, preferred })
        : upstreamAlpn === null
        ? []
        : [upstreamAlpn],
    });
  } catch (error) {
    if (upstream !== null) await hangUp(context, upstream, facts);
    await failed(client, origin, hello.sni, messageOf(error), carrier !== null && isRefusal(error));
    return await carrier?.closed;
  }
  facts.tls = tls.tls;
  facts.timestampTlsSetup = Date.now();
  try {
    // A protocol that weir does not speak, or is not to look into; its server may speak first.
    if (upstream !== null) return await client.relay(tls, upstream);
    if (isTcp || serve === null) return await client.passThrough(origin!, tls);
    const inner = new FirstBytes(tls);
    if (await hasSpoken(client, inner, origin, hello.sni)) await serve(inner);
  } finally {
    tls.close();
    // Whoever gave the connection closes it next, and what the session has yet to send would be lost.
    await carrier.closed;
  }
}

/** A gate will refuse all requests, as they are addressed by two names or may not go there: the origin is asked for nothing. */
function willBeRefused(gate: Gate | null | undefined, origin: Origin, sni: string | null): boolean {
  return Boolean(gate) &&
    (!gate!.opens(origin) || sni !== null && sni.toLowerCase() !== origin.host.toLowerCase());
}

/** Waits for the first byte within TLS; one that does not come may be the client's way to refuse the certificate. */
async function hasSpoken(
  client: Client,
  inner: FirstBytes,
  origin: Origin | null,
  sni: string | null,
): Promise<boolean> {
  const since = performance.now();
  let thrown: unknown = null;
  try {
    const something = inner.until((bytes) => bytes.length > 0 ? true : undefined);
    if (await client.untilStopped(inner.conn, something)) return true;
  } catch (error) {
    thrown = error;
  }
  if (!client.context.stopping.aborted && performance.now() - since < DISTRUST_MS) {
    await failed(client, origin, sni, distrust(thrown), true);
  }
  return false;
}

/** Tells the log and addons. */
async function failed(
  client: Client,
  origin: Origin | null,
  sni: string | null,
  reason: string,
  isRefusal = false,
): Promise<void> {
  // A CONNECT, or a reverse proxy, has an origin. Without one it is weir itself that the client speaks TLS to.
  const advice = origin === null
    ? "; it spoke TLS to weir itself: set it to an HTTP proxy (or let it trust weir's CA, for an HTTPS proxy)"
    : "";
  client.warn(`TLS with the client failed (${sni ?? origin?.host ?? "no name"}): ${reason}${advice}`);
  const serverAddress = origin && { hostname: origin.host, port: origin.port };
  const data = { sni, clientConn: client.facts, serverAddress, error: reason, isRefusal };
  await client.context.hooks.trigger("tls_failed_client", data);
}

/** The connection below a TLS session, which closes it once all that it had to say is said. */
class Carrier extends PassingConn {
  readonly #closed = Promise.withResolvers<void>();

  /** Resolves when the session has closed it; a session that was closed does so soon. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  override close(): void {
    super.close();
    this.#closed.resolve();
  }

  override reset(): void {
    super.reset();
    this.#closed.resolve();
  }
}
