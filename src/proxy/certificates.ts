/**
 * The certificates of weir: its CA's, and those it shows to clients for the names that the origin's certificate has.
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { ClientConnection } from "../flow/connection.ts";
import type { AddonLog, CertificateFormat } from "../hooks/mod.ts";
import { expandHome, OptionError, type Options, parseCertSpec, tlsVersions } from "../options/mod.ts";
import { within } from "../timing.ts";
import {
  type CertificateAuthority,
  certificateOf,
  certificatesIn,
  type GivenAuthority,
  GivenLeaves,
  keyLogWanted,
  type KeyType,
  type Leaf,
  leafOn,
  Leaves,
  loadAuthority,
  warningOfKey,
} from "../tls/mod.ts";
import type { Destination } from "./route.ts";
import type { UpstreamTls } from "./upstream_pool.ts";

/** An origin that answers slower than this is not waited for: the name that the client asked for must do. */
const LOOK_MS = 5_000;
/** Origins whose certificate was seen; about as many as there are leaves. */
const SEEN_MAX = 1024;
/** Certificates are renewed, and origins learn or forget HTTP/2: nobody has to start weir again for that. */
const SEEN_MS = 300_000;

/** The variable that may hold the CA's certificate and key, as PEM. */
const CA_VARIABLE = "WEIR_CA_PEM";

/** Connects to an origin and returns what it showed. */
export type Look = (destination: Destination, clientConn: ClientConnection) => Promise<UpstreamTls>;

/** What weir offers to a client. */
export interface TlsOffer {
  readonly leaf: Leaf;
  /** The client is to be asked for a certificate. */
  readonly requestsCertificate: boolean;
  /** The session's secrets can be logged: Deno's own server has neither bounds for versions, nor requests. */
  readonly isLoggable: boolean;
  /** The protocol that the origin chose; null when it chose none or could not be asked. */
  readonly upstreamAlpn: string | null;
}

/** What certificates are made with, and those that were given. */
interface Loaded {
  readonly authority: CertificateAuthority;
  readonly leaves: Leaves;
  readonly given: GivenLeaves | null;
}

export class Certificates {
  readonly #options: Options;
  readonly #log: AddonLog;
  readonly #lookAt: Look;
  #loaded: Promise<Loaded> | null = null;
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

  /**
   * Loads the CA, or makes it on first use, the certificates that were given, and the further issuers.
   * @throws {WeirError} when files cannot be used. @throws {OptionError} that names the option `certs`.
   */
  async prepare(): Promise<void> {
    await this.#load();
    await this.trusted();
  }

  /** Says so when others can read the CA's key, and which options have no effect, or not all of it. */
  async warn(): Promise<void> {
    const { authority } = await this.#load();
    const warning = await warningOfKey(authority);
    if (warning !== null) this.#log.warn(warning);
    const options = this.#options;
    for (const name of ["tls_version_client_min", "tls_version_server_min"] as const) {
      if (options[name] !== "UNBOUNDED") continue;
      this.#log.warn(`option ${name}=UNBOUNDED is the same as TLS1_2: Deno's TLS speaks nothing below that.`);
    }
    const silent = [
      ...options.request_client_cert || clientVersions(options) !== null ? ["clients"] : [],
      ...options.client_certs !== null ||
          tlsVersions(options.tls_version_server_min, options.tls_version_server_max) !== null
        ? ["origins"]
        : [],
    ];
    if (keyLogWanted && silent.length > 0) {
      this.#log.warn(
        `SSLKEYLOGFILE: the secrets of sessions with ${
          silent.join(" and ")
        } are not written, as Deno cannot ` +
          "do so with client certificates or bounds for TLS versions.",
      );
    }
  }

  /** The CA's certificate for people to install. */
  async file(format: CertificateFormat): Promise<Uint8Array> {
    const { authority } = await this.#load();
    // As it lies there: the same for all who ask. One that was given may have no place to lie.
    const path = authority.certificatePath.replace(/pem$/, format);
    return isGiven(this.#options) ? certificateOf(authority, format) : await Deno.readFile(path);
  }

  /**
   * What to show to a client that asked for `sni`, and can use a certificate with such a key, on its way to `origin` (null:
   * to weir itself), which is asked for by the name in there.
   */
  async offerFor(
    origin: Destination | null,
    sni: string | null,
    clientConn: ClientConnection,
    keyType: KeyType = "ecdsa",
    shown: UpstreamTls | null = null,
  ): Promise<TlsOffer> {
    const { leaves, given } = await this.#load();
    const options = this.#options;
    const host = origin?.host ?? clientConn.localAddress.hostname;
    const upstream = shown !== null
      ? shown
      : origin?.scheme === "https" && options.upstream_cert && options.connection_strategy === "eager"
      ? await this.#look(origin, clientConn)
      : null;
    const leaf = given?.find(sni === null ? [host] : [sni, host]) ??
      await leaves.leafFor({ host, sni, upstreamCertificate: upstream?.certificates[0], keyType });
    const versions = clientVersions(options);
    const chain = options.add_upstream_certs_to_client_chain ? upstream?.certificates : undefined;
    const requestsCertificate = options.request_client_cert;
    return {
      leaf: versions === null && chain === undefined ? leaf : leafOn(leaf, { ...versions, chain }),
      requestsCertificate,
      isLoggable: versions === null && !requestsCertificate,
      upstreamAlpn: upstream?.alpn ?? null,
    };
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

  #load(): Promise<Loaded> {
    return this.#loaded ??= this.#loadAll();
  }

  async #loadAll(): Promise<Loaded> {
    const { certs, cert_passphrase: passphrase, ca, confdir } = this.#options;
    const authority = await loadAuthority(expandHome(confdir), passphrase, await givenAuthority(ca));
    const given = certs.length > 0 ? new GivenLeaves() : null;
    for (const spec of certs) {
      const { domain, path } = parseCertSpec(spec);
      try {
        const pem = await Deno.readTextFile(expandHome(path));
        given!.add({ domain, pem }, { passphrase, otherKey: authority.privateKey });
      } catch (error) {
        const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
        throw new OptionError("certs", `option certs: ${path} cannot be used: ${reason}`, error);
      }
    }
    return { authority, leaves: new Leaves(authority), given };
  }

  /** What the origin shows, asked for once in a while; null when it cannot be had. */
  async #look(destination: Destination, clientConn: ClientConnection): Promise<UpstreamTls | null> {
    const { host, port, sni, via } = destination;
    const key = `${host}:${port} ${sni ?? ""}${via ? ` ${JSON.stringify(via)}` : ""}`;
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
      this.#log.debug(`No certificate of ${host} to copy names from: ${messageOf(error)}`);
      return null;
    }
  }
}

function isGiven({ ca }: Options): boolean {
  return ca !== null || Boolean(Deno.env.get(CA_VARIABLE));
}

/** The CA of the option `ca`, or of the variable `WEIR_CA_PEM`: for many weirs that are to have the same. */
async function givenAuthority(path: string | null): Promise<GivenAuthority | null> {
  const pem = Deno.env.get(CA_VARIABLE);
  if (path === null) return pem ? { path: CA_VARIABLE, pem } : null;
  try {
    return { path, pem: await Deno.readTextFile(expandHome(path)) };
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw new OptionError("ca", `option ca: ${path} cannot be read: ${reason}`, error);
  }
}

/** The versions that clients may speak; null for all that there are. */
function clientVersions({ tls_version_client_min: min, tls_version_client_max: max }: Options) {
  return tlsVersions(min, max);
}

/** What no option for TLS can tell alone. @throws {OptionError} when they do not fit together. */
export function checkTlsOptions(options: Options): void {
  for (const side of ["client", "server"] as const) {
    const name = `tls_version_${side}_min` as const, other = `tls_version_${side}_max` as const;
    if (options[name] === "TLS1_3" && options[other] === "TLS1_2") {
      throw new OptionError(name, `option ${name}: TLS1_3 is above TLS1_2, which is ${other}`);
    }
  }
  if (!options.add_upstream_certs_to_client_chain) return;
  const name = "add_upstream_certs_to_client_chain";
  if (!options.upstream_cert) throw new OptionError(name, `option ${name} needs upstream_cert=true`);
  if (options.connection_strategy === "lazy") {
    throw new OptionError(name, `option ${name} needs connection_strategy=eager: it asks origins beforehand`);
  }
}
