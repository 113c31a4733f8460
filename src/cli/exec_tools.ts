/**
 * Clients whose own configuration files would beat the variables of `exec_env.ts`, and how each is won over:
 * by a variable that beats the file, or by a file of the same kind that says last what weir needs. What is in
 * the user's files else stays in force. Each entry names the client's manual.
 * @module
 */

/** What an entry works with. */
export interface Place {
  readonly env: Readonly<Record<string, string>>;
  /** The user's home directory. */
  readonly home: string;
  /** The weir to go through. */
  readonly proxy: URL;
  /** File with all certificates to trust. */
  readonly bundle: string;
  /** Writes a file that lives as long as the command, and returns its path. */
  readonly write: (name: string, text: string) => Promise<string>;
  /** The text of a file; null where there is none that can be read. */
  readonly read: (path: string) => Promise<string | null>;
  /** What a command prints; null when it is not there or fails. */
  readonly output: (command: string, args: readonly string[]) => Promise<string | null>;
}

type Variables = Record<string, string>;

/** A host that is none (RFC 6761 §6.4), where an empty list would count as no list. */
const NO_HOST = "noproxy.invalid";

/** The variables of all clients. */
export async function toolVariables(place: Place): Promise<Variables> {
  const all = await Promise.all(
    [wget, wget2, curl, npm, git, php, gem, java, yarn, ...PLAIN].map((make) => make(place)),
  );
  return Object.assign({}, ...all);
}

/** Clients where a variable beats the file, each by its manual. */
const PLAIN: readonly ((place: Place) => Variables)[] = [
  // pip.pypa.io/en/stable/topics/configuration: environment variables before files. PIP_CERT is in
  // exec_env.ts.
  ({ proxy }) => ({ PIP_PROXY: urlOf(proxy) }),
  // doc.rust-lang.org/cargo/reference/config.html#environment-variables
  ({ proxy }) => ({ CARGO_HTTP_PROXY: urlOf(proxy) }),
  // cloud.google.com/sdk/gcloud/reference/topic/configurations: all three, or none.
  ({ proxy }) => ({
    CLOUDSDK_PROXY_TYPE: "http",
    CLOUDSDK_PROXY_ADDRESS: hostOf(proxy),
    CLOUDSDK_PROXY_PORT: proxy.port,
  }),
  // hexdocs.pm/hex/Mix.Tasks.Hex.Config.html
  ({ proxy, bundle }) => ({
    HEX_HTTP_PROXY: urlOf(proxy),
    HEX_HTTPS_PROXY: urlOf(proxy),
    HEX_CACERTS_PATH: bundle,
  }),
  // docs.conda.io/projects/conda/en/stable/user-guide/configuration
  ({ bundle }) => ({ CONDA_SSL_VERIFY: bundle }),
];

/**
 * wget(1), "Wgetrc Location": the file that WGETRC names is read in place of ~/.wgetrc, and the last line
 * wins.
 */
async function wget({ env, home, proxy, bundle, read, write }: Place): Promise<Variables> {
  const lines = [
    `ca_certificate = ${bundle}`,
    "use_proxy = on",
    `http_proxy = ${urlOf(proxy)}`,
    `https_proxy = ${urlOf(proxy)}`,
    "no_proxy =",
  ];
  const mine = await read(env.WGETRC ?? `${home}/.wgetrc`);
  return { WGETRC: await write("wgetrc", joined(mine, lines)) };
}

/** wget2(1), "Wgetrc": as wget, with names of its own. */
async function wget2({ env, home, proxy, bundle, read, write }: Place): Promise<Variables> {
  const lines = [
    `ca-certificate = ${bundle}`,
    "proxy = on",
    `http-proxy = ${urlOf(proxy)}`,
    `https-proxy = ${urlOf(proxy)}`,
    "no-proxy =",
  ];
  const mine = await read(env.WGET2RC ?? `${home}/.wget2rc`);
  return { WGET2RC: await write("wget2rc", joined(mine, lines)) };
}

/** curl(1), --config: the first of these that is there is read, and beats the environment. */
async function curl({ env, home, proxy, bundle, read, write }: Place): Promise<Variables> {
  const files = [
    ...env.CURL_HOME ? [`${env.CURL_HOME}/.curlrc`] : [],
    `${env.XDG_CONFIG_HOME ?? `${home}/.config`}/curlrc`,
    `${home}/.curlrc`,
  ];
  let mine: string | null = null;
  for (const file of files) mine ??= await read(file);
  if (mine === null) return {};
  const lines = [`proxy = ${quoted(urlOf(proxy))}`, `noproxy = ""`, `cacert = ${quoted(bundle)}`];
  const file = await write("curl/.curlrc", joined(mine, lines));
  return { CURL_HOME: file.slice(0, -"/.curlrc".length) };
}

/**
 * npm-config(7): `npm_config_*`, in any case, beats every npmrc; so it does for pnpm. Empty values count as
 * none.
 */
function npm({ env, proxy, bundle }: Place): Variables {
  const values: Variables = {
    npm_config_cafile: bundle,
    npm_config_proxy: urlOf(proxy),
    npm_config_https_proxy: urlOf(proxy),
    npm_config_noproxy: NO_HOST,
  };
  // The same in another case could come after it.
  const others = Object.keys(env).filter((name) => Object.hasOwn(values, name.toLowerCase()));
  return { ...values, ...Object.fromEntries(others.map((name) => [name, values[name.toLowerCase()]])) };
}

/**
 * git-config(1): GIT_CONFIG_COUNT beats all files. What a file says for one URL or one remote is stronger
 * than what is said for all, so it is said again for each. (GIT_SSL_CAINFO beats the files as it is.)
 */
async function git({ env, proxy, output }: Place): Promise<Variables> {
  const pattern = "^(http\\..+|remote\\..+)\\.proxy$";
  const special = await output("git", ["config", "--name-only", "-z", "--get-regexp", pattern]) ?? "";
  const keys = ["http.proxy", ...special.split("\0").filter((key) => key !== "")];
  const first = Number(env.GIT_CONFIG_COUNT ?? 0) || 0;
  const entries = [...new Set(keys)].flatMap((key, i) => [
    [`GIT_CONFIG_KEY_${first + i}`, key],
    [`GIT_CONFIG_VALUE_${first + i}`, urlOf(proxy)],
  ]);
  return { ...Object.fromEntries(entries), GIT_CONFIG_COUNT: String(first + entries.length / 2) };
}

/**
 * php.net/manual/configuration.file.php: directories of PHP_INI_SCAN_DIR come last; an empty one is the
 * built-in. PHP's own streams (`file_get_contents`) know no variable for a proxy: a file that runs in front
 * of every script sets it.
 */
async function php({ env, proxy, bundle, write }: Place): Promise<Variables> {
  const prepend = await write("php-prepend.php", phpPrepend(proxy));
  const ini = { "openssl.cafile": bundle, "curl.cainfo": bundle, auto_prepend_file: prepend };
  const text = Object.entries(ini).map(([name, value]) => `${name} = ${quoted(value)}\n`).join("");
  const file = await write("php/weir.ini", text);
  const separator = Deno.build.os === "windows" ? ";" : ":";
  return {
    PHP_INI_SCAN_DIR: `${env.PHP_INI_SCAN_DIR ?? ""}${separator}${file.slice(0, -"/weir.ini".length)}`,
  };
}

/** What ran in front of scripts before weir.ini took its place runs behind it. */
function phpPrepend(proxy: URL): string {
  return `<?php
stream_context_set_default(["http" => ["proxy" => "tcp://${proxy.host}", "request_fulluri" => true]]);
$weirs = [php_ini_loaded_file(), ...explode(",", (string) php_ini_scanned_files())];
foreach (array_reverse(array_map("trim", array_filter($weirs))) as $weir) {
    $weir = basename($weir) === "weir.ini" ? [] : @parse_ini_file($weir, false, INI_SCANNER_RAW);
    if (($weir["auto_prepend_file"] ?? "") !== "") {
        require $weir["auto_prepend_file"];
        break;
    }
}
unset($weir, $weirs);
`;
}

/** `gem help environment`: files of GEMRC are read after ~/.gemrc. */
async function gem({ env, proxy, bundle, write }: Place): Promise<Variables> {
  const text = `---\n:http_proxy: ${urlOf(proxy)}\n:ssl_ca_cert: ${quoted(bundle)}\n`;
  const file = await write("gemrc.yml", text);
  const separator = Deno.build.os === "windows" ? ";" : ":";
  return { GEMRC: env.GEMRC ? `${env.GEMRC}${separator}${file}` : file };
}

/**
 * docs.oracle.com, "The java Command": JDK_JAVA_OPTIONS is read behind JAVA_TOOL_OPTIONS, so it must not say
 * otherwise.
 */
function java({ env }: Place): Variables {
  const options = env.JDK_JAVA_OPTIONS;
  if (options === undefined) return {};
  const kept = options.replaceAll(
    /(^|\s)["']?-D(https?\.(proxy(Host|Port)|nonProxyHosts)|javax\.net\.ssl\.trustStore(Type|Password)?)=("[^"]*"|'[^']*'|\S*)/g,
    "",
  );
  return { JDK_JAVA_OPTIONS: kept.trim() };
}

/**
 * yarnpkg.com/configuration/yarnrc (2 and later): YARN_*; each version refuses names that only others know.
 */
async function yarn({ home, proxy, bundle, read }: Place): Promise<Variables> {
  const values: Variables = {
    httpProxy: urlOf(proxy),
    httpsProxy: urlOf(proxy),
    httpsCaFilePath: bundle,
    caFilePath: bundle,
  };
  const files = [
    `${home}/.yarnrc.yml`,
    ...upwards(Deno.cwd()).map((directory) => `${directory}/.yarnrc.yml`),
  ];
  const text = (await Promise.all(files.map(read))).join("\n");
  const found = Object.keys(values).filter((name) => new RegExp(`^${name}:`, "m").test(text));
  const variable = (name: string) => `YARN_${name.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`;
  return Object.fromEntries(found.map((name) => [variable(name), values[name]]));
}

/** A directory and those above it. */
export function upwards(directory: string): string[] {
  const parts = directory.split(/[/\\]/);
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}

function joined(mine: string | null, lines: readonly string[]): string {
  return `${mine ?? ""}\n${lines.join("\n")}\n`;
}

/** Without the slash at its end, which some take for a path. */
function urlOf(proxy: URL): string {
  return proxy.href.replace(/\/$/, "");
}

function hostOf(proxy: URL): string {
  return proxy.hostname.replace(/^\[|\]$/g, "");
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
