/**
 * The option `proxyauth`: only clients that name themselves are served (mitmproxy `proxyauth`; RFC 7235, 7617, 1929).
 *
 *     weir --proxyauth alice:secret           this user; the password may have colons
 *     weir --proxyauth any                    whoever sends a name and a password, for telling clients apart
 *     weir --proxyauth @users.htpasswd        the users of a file that htpasswd wrote (bcrypt, SHA, MD5)
 *
 * A proxy asks with 407 for `Proxy-Authorization`, each request and each CONNECT. What comes by a connection after its CONNECT, or
 * after SOCKS5 let it in, is not asked again. Where weir stands in for an origin (`reverse`, `transparent`) it asks with 401 for
 * `Authorization`. Credentials are taken off before anybody else sees them, the wrong ones, too.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type ClientConnection,
  type Context,
  type HttpFlow,
  type Loader,
  OptionError,
  reasonFor,
  type Socks5AuthData,
} from "weir";
import { Buffer } from "node:buffer";
import { basicCredentials, type Credentials, credentialsOf } from "./auth/basic.ts";
import { anyCredentials, type Checker, manyUsers, singleUser, type Verdict } from "./auth/checker.ts";
import { parseHtpasswd } from "./auth/htpasswd.ts";
import { expandHome } from "./flows/paths.ts";

const REALM = 'Basic realm="weir"';
/** What a client should wait for that has guessed wrong too often. */
const RETRY_SECONDS = 5;

/** How credentials are asked for: by a proxy, or by what seems to be the origin. */
interface Challenge {
  readonly status: 401 | 407;
  readonly asks: string;
  readonly field: string;
}

const BY_PROXY: Challenge = { status: 407, asks: "Proxy-Authenticate", field: "proxy-authorization" };
const BY_ORIGIN: Challenge = { status: 401, asks: "WWW-Authenticate", field: "authorization" };

export default class ProxyAuth implements Addon {
  /** Nobody gets in because something went wrong here. */
  readonly failClosed = true;
  readonly keepsFlows = false;
  readonly readsBodies = false;
  /** Null: the option is not set. */
  #check: Checker | null = null;
  /** Connections that were let in as a whole, with the user's name. */
  readonly #known = new WeakMap<ClientConnection, string>();

  load(loader: Loader) {
    loader.addOption(
      "proxyauth",
      "str",
      null,
      "Serve only clients that name themselves: user:password, any (whatever they say), or @FILE that htpasswd wrote.",
      { metavar: "SPEC", group: "Rules" },
    );
  }

  async configure(options: AddonOptions, changed: ReadonlySet<string>) {
    if (!changed.has("proxyauth")) return;
    this.#check = await checkerFor(options.get<string | null>("proxyauth"));
  }

  isOff(): boolean {
    return this.#check === null;
  }

  running({ log, proxy }: Context) {
    const open = proxy.modes.filter((mode) => /^(reverse:(tcp|tls):|transparent)/i.test(mode));
    if (this.#check === null || open.length === 0 || !proxy.isPrimary) return;
    log.warn(
      `proxyauth asks for credentials in HTTP and SOCKS5 alone: other connections to ${
        open.join(", ")
      } pass.`,
    );
  }

  http_connect(flow: HttpFlow): Promise<void> | void {
    return this.#authenticate(flow, BY_PROXY, true);
  }

  requestheaders(flow: HttpFlow): Promise<void> | void {
    if (!flow.live) return;
    const challenge = asksAsOrigin(flow.clientConn) ? BY_ORIGIN : BY_PROXY;
    const user = this.#known.get(flow.clientConn);
    if (user === undefined && flow.isReplay === null) return this.#authenticate(flow, challenge, false);
    // Inside of a tunnel this one is the origin's.
    flow.request.headers.delete(BY_PROXY.field);
    if (user !== undefined) flow.metadata.proxyauth = user;
  }

  socks5_auth(data: Socks5AuthData): Promise<void> | void {
    const { clientConn, username, password } = data;
    const credentials = { user: Buffer.from(username), password: Buffer.from(password) };
    const settle = (verdict: Verdict) => {
      data.valid = verdict === "right";
      if (data.valid) this.#known.set(clientConn, username);
    };
    return after(this.#check!(credentials, clientConn.address.hostname), settle);
  }

  #authenticate(flow: HttpFlow, challenge: Challenge, isConnect: boolean): Promise<void> | void {
    const { headers } = flow.request;
    const credentials = basicCredentials(headers.get(challenge.field));
    headers.delete(challenge.field);
    if (credentials === null) return refuse(flow, challenge, "it needs a user name and a password.");
    return after(this.#check!(credentials, flow.clientConn.address.hostname), (verdict) => {
      if (verdict === "right") return this.#letIn(flow, credentials, isConnect);
      if (verdict === "wrong") return refuse(flow, challenge, "the user name or the password is wrong.");
      refuse(
        flow,
        challenge,
        `there were too many wrong guesses; the password was not looked at. Try again in ${RETRY_SECONDS} s.`,
        RETRY_SECONDS,
      );
    });
  }

  #letIn(flow: HttpFlow, { user }: Credentials, isConnect: boolean): void {
    const name = Buffer.from(user).toString();
    flow.metadata.proxyauth = name;
    if (isConnect) this.#known.set(flow.clientConn, name);
  }
}

/** Calls back with the verdict: at once where it is there, so that most requests need no promise. */
function after(verdict: Verdict | Promise<Verdict>, then: (verdict: Verdict) => void): Promise<void> | void {
  return typeof verdict === "string" ? then(verdict) : verdict.then(then);
}

function asksAsOrigin({ mode }: ClientConnection): boolean {
  return /^(reverse|transparent)\b/i.test(mode);
}

function refuse(flow: HttpFlow, { status, asks }: Challenge, why: string, retrySeconds?: number): void {
  // Many may be refused in a short time: what is assigned costs less than what a web Response makes of it.
  flow.response = new Response(null, { status });
  const response = flow.response!;
  response.headers = [[asks, REALM], ["Content-Type", "text/plain; charset=utf-8"], ["Content-Length", "0"]];
  if (retrySeconds !== undefined) response.headers.append("Retry-After", String(retrySeconds));
  response.content = `${status} ${
    reasonFor(status)
  }\n\nweir: This proxy asks who you are (option proxyauth): ${why}\n`;
}

async function checkerFor(spec: string | null): Promise<Checker | null> {
  if (spec === null || spec === "") return null;
  if (spec === "any") return anyCredentials;
  if (spec.startsWith("@")) return await fileChecker(spec.slice(1));
  // What follows may be a password: it is not told.
  if (/^ldaps?:/.test(spec)) refuseSpec(`weir does not ask LDAP servers, which "ldap:" stands for`);
  const expected = credentialsOf(Buffer.from(spec));
  if (expected !== null) return singleUser(expected);
  refuseSpec(`${JSON.stringify(spec)}: ":" and a password are missing at ${[...spec].length + 1}`);
}

async function fileChecker(name: string): Promise<Checker> {
  const path = expandHome(name);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    refuseSpec(`"@${name}": the file cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const users = await parseHtpasswd(text, path);
    if (users.size === 0) throw new Error(`${path} has no users; add one with htpasswd -B ${path} NAME`);
    return manyUsers(users);
  } catch (error) {
    refuseSpec((error as Error).message, error);
  }
}

/** `reason` is a clause. @throws {OptionError} always. */
function refuseSpec(reason: string, cause?: unknown): never {
  throw new OptionError(
    "proxyauth",
    `option proxyauth: ${reason}; expected user:password, any, or @FILE that htpasswd wrote`,
    cause,
  );
}
