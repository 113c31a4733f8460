/**
 * The environment of a command under `weir exec`: every variable by which the usual clients learn of a proxy
 * and of certificates to trust. There is no standard for either; curl(1), OpenSSL and each language have
 * names of their own. Clients whose configuration files are stronger than these are in `exec_tools.ts` and
 * `exec_overruled.ts`.
 * @module
 */
import { dirname } from "node:path";
import tls from "node:tls";
import { toolVariables } from "./exec_tools.ts";
import { nodePreload } from "./node_preload.ts";

/** Where a command's traffic is to go, and what it must trust for that. */
export interface ProxyRoute {
  /** `http://127.0.0.1:8080` */
  readonly proxyUrl: string;
  /** The directory that holds `weir-ca-cert.pem` and its other forms. */
  readonly confdir: string;
  /** An empty directory for files that live as long as the command. */
  readonly directory: string;
}

type Env = Readonly<Record<string, string>>;

/**
 * Asked for the proxy: upper case by Go, Rust and Java tools, lower case by curl (for http only that) and
 * Python.
 */
const PROXY = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"];
/** What is not to go through a proxy; nothing here. */
const NO_PROXY = ["NO_PROXY", "no_proxy"];
/** The key of weir's CA is for weir alone. */
const CA_KEY = "WEIR_CA_PEM";
/** Files with all certificates to trust, in the place of the usual ones. */
const BUNDLE = [
  "SSL_CERT_FILE",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "PIP_CERT",
  "CARGO_HTTP_CAINFO",
  "AWS_CA_BUNDLE",
  "HTTPLIB2_CA_CERTS",
  "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
  "NIX_SSL_CERT_FILE",
  "PERL_LWP_SSL_CA_FILE",
  "BUNDLE_SSL_CA_CERT",
  "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
  "COMPOSER_CAFILE",
];
/** Files with certificates to trust beside the usual ones. */
const ADDED = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Writes the files that a command needs, and returns its whole environment, made from `env`. */
export async function commandEnv(route: ProxyRoute, env: Env): Promise<Record<string, string>> {
  const { proxyUrl, confdir, directory } = route;
  const own = await Deno.readTextFile(`${confdir}/weir-ca-cert.pem`);
  const write = async (name: string, text: string) => {
    await Deno.mkdir(dirname(`${directory}/${name}`), { recursive: true });
    await Deno.writeTextFile(`${directory}/${name}`, text);
    return `${directory}/${name}`;
  };
  const bundle = await write("ca-bundle.pem", pem([own, ...roots(), ...await given(env, BUNDLE)]));
  const added = await write("ca-added.pem", pem([own, ...await given(env, ADDED)]));
  const preload = await write("node-preload.cjs", nodePreload());
  const all = (names: readonly string[], value: string) => names.map((name) => [name, value]);
  const result: Record<string, string> = {
    ...env,
    ...await toolVariables({
      env,
      home: homeOf(env),
      proxy: new URL(proxyUrl),
      bundle,
      write,
      read: readText,
      output: (command, args) => outputOf(command, args, env),
    }),
    ...Object.fromEntries([
      ...all(PROXY, proxyUrl),
      ...all(PROXY.map((name) => name.toLowerCase()), proxyUrl),
      ...all(BUNDLE, bundle),
      ...all(ADDED, added),
    ]),
    NODE_USE_ENV_PROXY: "1",
    NODE_OPTIONS: appended(env.NODE_OPTIONS, `--require ${JSON.stringify(preload)}`),
    JAVA_TOOL_OPTIONS: appended(env.JAVA_TOOL_OPTIONS, javaOptions(new URL(proxyUrl), confdir)),
  };
  for (const name of [...NO_PROXY, CA_KEY]) delete result[name];
  return result;
}

/** The user's home directory. */
export function homeOf(env: Env): string {
  return env.HOME ?? env.USERPROFILE ?? "";
}

/** The text of a file; null where there is none that can be read. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return null;
  }
}

async function outputOf(command: string, args: readonly string[], env: Env): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      env,
      clearEnv: true,
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : null;
  } catch {
    return null;
  }
}

/** Roots of this machine, or where it has none those that come with the runtime. */
function roots(): string[] {
  const system = tls.getCACertificates("system");
  return system.length > 0 ? system : [...tls.rootCertificates];
}

/** What the files hold that variables name already; one that cannot be read would not have helped either. */
function given(env: Env, names: readonly string[]): Promise<string[]> {
  const files = new Set(names.map((name) => env[name]).filter((file) => file));
  return Promise.all(Array.from(files, async (file) => await readText(file) ?? ""));
}

/** All certificates of these texts, each once. */
function pem(texts: readonly string[]): string {
  const found = texts.flatMap((text) => text.replaceAll("\r", "").match(PEM_CERTIFICATE) ?? []);
  return [...new Set(found)].join("\n") + "\n";
}

/**
 * Java trusts the store that it is given alone; weir's certificate is enough for all that goes through weir.
 */
function javaOptions(proxy: URL, confdir: string): string {
  const properties: Record<string, string> = {
    "http.proxyHost": proxy.hostname,
    "http.proxyPort": proxy.port,
    "https.proxyHost": proxy.hostname,
    "https.proxyPort": proxy.port,
    "http.nonProxyHosts": "",
    "javax.net.ssl.trustStore": `${confdir}/weir-ca-cert.p12`,
    "javax.net.ssl.trustStoreType": "PKCS12",
  };
  return Object.entries(properties).map(([name, value]) =>
    /[\s"']/.test(value) ? `"-D${name}=${value}"` : `-D${name}=${value}`
  ).join(" ");
}

function appended(before: string | undefined, more: string): string {
  return before ? `${before} ${more}` : more;
}
