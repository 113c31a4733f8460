/**
 * Upstream: what weir shows to origins that ask for a certificate (option `client_certs`): one file for all of them, or a
 * directory with `HOST.pem` for each (mitmproxy `addons/tlsconfig.py`).
 * @module
 */
import { messageOf, WeirError } from "../errors.ts";
import type { Options } from "../options/mod.ts";
import { type ClientIdentity, parseKeyPair, tlsKeyPem } from "../tls/mod.ts";

/** Files whose content is kept; more are read again. */
const MAX_READ = 256;
/** What may stand in the name of a file: a client chooses the host. */
const HOST = /^[\p{L}\p{N}_.:-]+$/u;

interface Read {
  /** Which state of the file it is. */
  readonly state: string;
  readonly identity: ClientIdentity;
}

export class ClientCertificates {
  readonly #options: Options;
  readonly #read = new Map<string, Read>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Reads the file, or sees that there is a directory. @throws {WeirError} when there is neither, or it cannot be used. */
  async prepare(): Promise<void> {
    const path = this.#options.client_certs;
    if (path === null) return;
    const info = await Deno.stat(path).catch((thrown) => {
      const isMissing = thrown instanceof Deno.errors.NotFound;
      throw unusable(path, isMissing ? "there is no such file or directory" : messageOf(thrown), thrown);
    });
    if (!info.isDirectory) await this.#from(path, info);
  }

  /** What to show to this host; null for nothing. @throws {WeirError} when its file cannot be used. */
  async for(host: string): Promise<ClientIdentity | null> {
    const path = this.#options.client_certs;
    if (path === null) return null;
    const info = await stat(path);
    if (info?.isDirectory !== true) return info === null ? null : await this.#from(path, info);
    if (!HOST.test(host)) return null;
    const file = `${path}/${host.toLowerCase()}.pem`;
    const found = await stat(file);
    return found?.isFile ? await this.#from(file, found) : null;
  }

  /** Read again when it has changed: certificates are renewed. */
  async #from(path: string, { mtime, size }: Deno.FileInfo): Promise<ClientIdentity> {
    const passphrase = this.#options.cert_passphrase;
    const state = `${mtime?.getTime()} ${size} ${passphrase}`;
    const known = this.#read.get(path);
    if (known?.state === state) return known.identity;
    try {
      const pair = parseKeyPair(await Deno.readTextFile(path), { passphrase });
      const identity = { cert: pair.certificates.join("\n") + "\n", key: tlsKeyPem(pair) };
      if (this.#read.size >= MAX_READ) this.#read.clear();
      this.#read.set(path, { state, identity });
      return identity;
    } catch (thrown) {
      throw unusable(path, messageOf(thrown), thrown);
    }
  }
}

async function stat(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.stat(path);
  } catch {
    return null;
  }
}

function unusable(path: string, reason: string, cause: unknown): WeirError {
  const text = `option client_certs: ${path} cannot be used: ${reason.replace(/\.$/, "")}`;
  return new WeirError("weir", "tls", text, { cause });
}
