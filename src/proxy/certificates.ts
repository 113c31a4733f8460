/**
 * The certificates of weir: its CA's, and those it shows to clients for the names that the origin's certificate has.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { ClientConnection } from "../flow/connection.ts";
import type { AddonLog, CertificateFormat } from "../hooks/mod.ts";
import { expandHome, type Options } from "../options/mod.ts";
import { within } from "../timing.ts";
import {
  type CertificateAuthority,
  certificatesIn,
  type KeyType,
  type Leaf,
  Leaves,
  loadAuthority,
  warningOfKey,
} from "../tls/mod.ts";
import type { Destination, Origin } from "./route.ts";
import type { UpstreamTls } from "./upstream_pool.ts";

/** An origin that answers slower than this is not waited for: the name that the client asked for must do. */
const LOOK_MS = 5_000;
/** Origins whose certificate was seen; about as many as there are leaves. */
const SEEN_MAX = 1024;
/** Certificates are renewed, and origins learn or forget HTTP/2: nobody has to start weir again for that. */
const SEEN_MS = 300_000;

/** Connects to an origin and returns what it showed. */
export type Look = (destination: Destination, clientConn: ClientConnection) => Promise<UpstreamTls>;

/** What weir offers to a client. */
export interface TlsOffer {
  readonly leaf: Leaf;
  /** The protocol that the origin chose; null when it chose none or could not be asked. */
  readonly upstreamAlpn: string | null;
}

export class Certificates {
  readonly #options: Options;
  readonly #log: AddonLog;
  readonly #lookAt: Look;
  #authority: Promise<{ authority: CertificateAuthority; leaves: Leaves }> | null = null;
  /** What origins have shown and until when it counts, newest last. */
  readonly #seen = new Map<string, { readonly shown: UpstreamTls; readonly until: number }>();
  readonly #seenMs: number;
  #trusted: { path: string; pem: string } | null = null;

  constructor(options: Options, log: AddonLog, lookAt: Look, { seenMs = SEEN_MS }: { seenMs?: number } = {}) {
    this.#options = options;
    this.#log = log;
    this.#lookAt = lookAt;
    this.#seenMs = seenMs;
  }

  /** Loads the CA, or makes it on first use, and the further issuers. @throws {WeirError} when files cannot be used. */
  async prepare(): Promise<void> {
    await this.#load();
    await this.trusted();
  }

  /** Says so when others can read the CA's key. */
  async warn(): Promise<void> {
    const { authority } = await this.#load();
    const warning = await warningOfKey(authority);
    if (warning !== null) this.#log.warn(warning);
  }

  /** The CA's certificate for people to install. */
  async file(format: CertificateFormat): Promise<Uint8Array> {
    await this.#load();
    return await Deno.readFile(`${this.#confdir}/weir-ca-cert.${format}`);
  }

  /**
   * What to show to a client that asked for `sni`, and can use a certificate with such a key, on its way to `origin` (null:
   * to weir itself).
   */
  async offerFor(
    origin: Origin | null,
    sni: string | null,
    clientConn: ClientConnection,
    keyType: KeyType = "ecdsa",
    shown: UpstreamTls | null = null,
  ): Promise<TlsOffer> {
    const { leaves } = await this.#load();
    const host = origin?.host ?? clientConn.localAddress.hostname;
    const upstream = shown !== null
      ? shown
      : origin?.scheme === "https" && this.#options.upstream_cert
      ? await this.#look({ ...origin, sni }, clientConn)
      : null;
    const leaf = await leaves.leafFor({ host, sni, upstreamCertificate: upstream?.certificate, keyType });
    return { leaf, upstreamAlpn: upstream?.alpn ?? null };
  }

  /** PEM of further issuers to trust for origins. @throws {WeirError} when the file cannot be read. */
  async trusted(): Promise<readonly string[]> {
    const path = this.#options.ssl_verify_upstream_trusted_ca;
    if (path === null) return [];
    if (this.#trusted?.path !== path) {
      try {
        const pem = await Deno.readTextFile(expandHome(path));
        certificatesIn(pem);
        this.#trusted = { path, pem };
      } catch (error) {
        throw new WeirError(
          "weir",
          "tls",
          `option ssl_verify_upstream_trusted_ca: ${path} cannot be used: ${messageOf(error)}`,
          { cause: error },
        );
      }
    }
    return [this.#trusted.pem];
  }

  get #confdir(): string {
    return expandHome(this.#options.confdir);
  }

  #load(): Promise<{ authority: CertificateAuthority; leaves: Leaves }> {
    return this.#authority ??= loadAuthority(this.#confdir).then((authority) => ({
      authority,
      leaves: new Leaves(authority),
    }));
  }

  /** What the origin shows, asked for once in a while; null when it cannot be had. */
  async #look(destination: Destination, clientConn: ClientConnection): Promise<UpstreamTls | null> {
    const key = `${destination.host}:${destination.port} ${destination.sni ?? ""}`;
    const known = this.#seen.get(key);
    if (known !== undefined && performance.now() < known.until) return known.shown;
    this.#seen.delete(key);
    try {
      const shown = await within(
        LOOK_MS,
        this.#lookAt(destination, clientConn),
        "the origin did not answer",
      );
      this.#seen.set(key, { shown, until: performance.now() + this.#seenMs });
      if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.keys().next().value!);
      return shown;
    } catch (error) {
      // The client learns of it by a page, once it sends a request.
      this.#log.debug(`No certificate of ${destination.host} to copy names from: ${messageOf(error)}`);
      return null;
    }
  }
}
