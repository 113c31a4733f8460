/**
 * The options of mitmproxy (commit 8fc25b304, "13.0.0.dev") and what weir makes of each: README's table "Coming from mitmproxy",
 * and what is said to those who set one that is not here.
 * @module
 */

/** How mitmproxy types it; sizes are text there. */
export type MitmproxyType = "bool" | "int" | "optional int" | "str" | "optional str" | "list";

/** One option of mitmproxy's. */
export interface MitmproxyOption {
  readonly name: string;
  readonly type: MitmproxyType;
  /** An empty list where it is one of several. */
  readonly default: boolean | number | string | null | readonly string[];
  readonly weir: "same" | "different" | "not here";
  /** What is different, or why it is not here and what to use: a clause; empty where it is the same. */
  readonly note: string;
}

type Row = readonly [
  name: string,
  type: MitmproxyType,
  defaultValue: MitmproxyOption["default"],
  weir: MitmproxyOption["weir"],
  note?: string,
];

const TERMINAL = "it is for the terminal user interface, which weir has not";
const CIPHERS = "Deno's TLS chooses ciphers and curves itself and would ignore it";
const UDP = "weir speaks no UDP, QUIC or DNS";

// deno-fmt-ignore -- one line per option reads as a table
const ROWS: readonly Row[] = [
  ["add_upstream_certs_to_client_chain", "bool", false, "same"],
  ["allow_hosts", "list", [], "different", "patterns are JavaScript's, found in the name of the CONNECT, the server name and the Host field, not in resolved addresses"],
  ["anticache", "bool", false, "same"],
  ["anticomp", "bool", false, "same"],
  ["block_global", "bool", true, "same"],
  ["block_list", "list", [], "same"],
  ["block_private", "bool", false, "same"],
  ["body_size_limit", "optional str", null, "different", "it holds for streamed bodies, too"],
  ["cert_passphrase", "optional str", null, "different", "it opens keys in client_certs, too"],
  ["certs", "list", [], "same"],
  ["ciphers_client", "optional str", null, "not here", CIPHERS],
  ["ciphers_server", "optional str", null, "not here", CIPHERS],
  ["client_certs", "optional str", null, "same"],
  ["client_replay", "list", [], "same"],
  ["client_replay_concurrency", "int", 1, "same"],
  ["command_history", "bool", true, "not here", TERMINAL],
  ["confdir", "str", "~/.mitmproxy", "different", "~/.weir, with config.yaml in it; a directory of mitmproxy's can be given"],
  ["connect_addr", "optional str", null, "not here", "Deno cannot choose the local address of a connection"],
  ["connection_strategy", "str", "eager", "different", "CONNECT is answered at once; eager asks the origin when TLS begins (with SOCKS5 before the reply), lazy not before a request"],
  ["console_default_contentview", "str", "auto", "not here", TERMINAL],
  ["console_eventlog_verbosity", "str", "info", "not here", TERMINAL],
  ["console_flowlist_layout", "str", "default", "not here", TERMINAL],
  ["console_focus_follow", "bool", false, "not here", TERMINAL],
  ["console_layout", "str", "single", "not here", TERMINAL],
  ["console_layout_headers", "bool", true, "not here", TERMINAL],
  ["console_mouse", "bool", true, "not here", TERMINAL],
  ["console_palette", "str", "solarized_dark", "not here", TERMINAL],
  ["console_palette_transparent", "bool", true, "not here", TERMINAL],
  ["console_quickhelp_visible", "bool", true, "not here", TERMINAL],
  ["console_strip_trailing_newlines", "bool", false, "not here", TERMINAL],
  ["content_view_lines_cutoff", "int", 512, "not here", "flow_detail=3 shows 70 lines of a body, flow_detail=4 all"],
  ["dns_name_servers", "list", [], "not here", `${UDP}: the system resolves names, and dns_override those that you name`],
  ["dns_use_hosts_file", "bool", true, "not here", `${UDP}: the system resolves names, hosts file included`],
  ["dumper_default_contentview", "str", "auto", "not here", "bodies are shown by their media type"],
  ["dumper_filter", "optional str", null, "same"],
  ["export_preserve_original_ip", "bool", false, "not here", "exports name the host"],
  ["flow_detail", "int", 1, "same"],
  ["hardump", "str", "", "different", "unset rather than empty"],
  ["http2", "bool", true, "same"],
  ["http2_ping_keepalive", "int", 58, "not here", "connections with open streams are asked after 30 s of silence, and idle ones closed"],
  ["http3", "bool", true, "not here", `${UDP}; alt_svc keeps clients from changing to HTTP/3 around it`],
  ["http_connect_send_host_header", "bool", true, "same"],
  ["ignore_hosts", "list", [], "different", "as allow_hosts"],
  ["intercept", "optional str", null, "same"],
  ["intercept_active", "bool", false, "same"],
  ["keep_alt_svc_header", "bool", false, "different", "in other modes h3 is taken out of Alt-Svc, unless alt_svc=keep"],
  ["keep_host_header", "bool", false, "same"],
  ["keepserving", "bool", false, "same"],
  ["key_size", "int", 2048, "not here", "keys are P-256, and RSA with 2048 bits for clients that know nothing else; an RSA CA can be given"],
  ["listen_host", "str", "", "different", "127.0.0.1: nobody else gets in unless asked"],
  ["listen_port", "optional int", null, "different", "8080, and 1080 for socks5"],
  ["map_local", "list", [], "different", "nothing outside of the directory, links included; Range, HEAD and If-Modified-Since are answered"],
  ["map_remote", "list", [], "different", "what is no URL in the end is told, and the request goes on as it was"],
  ["mode", "list", ["regular"], "different", "no dns, wireguard, local, tun, and none over UDP"],
  ["modify_body", "list", [], "different", "streamed bodies are edited, too; `\\1` in the replacement is a group, `\\b` a word border"],
  ["modify_headers", "list", [], "different", "a value with a line break is refused at start"],
  ["normalize_outbound_headers", "bool", true, "different", "always on: false says so and changes nothing"],
  ["onboarding", "bool", true, "same"],
  ["onboarding_host", "str", "mitm.it", "different", "weir.internal"],
  ["protobuf_definitions", "optional str", null, "not here", "bodies of gRPC are shown as they are"],
  ["proxy_debug", "bool", false, "not here", "-v logs all that there is"],
  ["proxyauth", "optional str", null, "different", "no LDAP; passwords may have colons, files also $apr1$ hashes"],
  ["rawtcp", "bool", true, "different", "always on: false says so and changes nothing"],
  ["readfile_filter", "optional str", null, "same"],
  ["request_client_cert", "bool", false, "same"],
  ["rfile", "optional str", null, "different", "it may be given more than once"],
  ["save_stream_file", "optional str", null, "same"],
  ["save_stream_filter", "optional str", null, "same"],
  ["scripts", "list", [], "different", "addons are TypeScript or JavaScript"],
  ["server", "bool", true, "same"],
  ["server_replay", "list", [], "same"],
  ["server_replay_extra", "str", "forward", "same"],
  ["server_replay_ignore_content", "bool", false, "same"],
  ["server_replay_ignore_host", "bool", false, "same"],
  ["server_replay_ignore_params", "list", [], "same"],
  ["server_replay_ignore_payload_params", "list", [], "same"],
  ["server_replay_ignore_port", "bool", false, "same"],
  ["server_replay_kill_extra", "bool", false, "not here", "it is gone: use server_replay_extra=kill"],
  ["server_replay_nopop", "bool", false, "not here", "it is gone: use server_replay_reuse"],
  ["server_replay_refresh", "bool", true, "same"],
  ["server_replay_reuse", "bool", false, "same"],
  ["server_replay_use_headers", "list", [], "same"],
  ["show_ignored_hosts", "bool", false, "different", "true: their bytes are printed and seen by tcp_* hooks, unless it is set to false"],
  ["showhost", "bool", false, "same"],
  ["ssl_insecure", "bool", false, "same"],
  ["ssl_verify_upstream_trusted_ca", "optional str", null, "different", "it adds to the system's issuers"],
  ["ssl_verify_upstream_trusted_confdir", "optional str", null, "not here", "put the certificates into one file for ssl_verify_upstream_trusted_ca, or set SSL_CERT_DIR"],
  ["stickyauth", "optional str", null, "same"],
  ["stickycookie", "optional str", null, "different", "a request's own cookies win over kept ones; path, expiry and secure are RFC 6265's"],
  ["store_streamed_bodies", "bool", false, "different", "what passes 1 MiB goes to a file"],
  ["stream_large_bodies", "optional str", null, "same"],
  ["strip_ech", "bool", true, "not here", UDP],
  ["tcp_hosts", "list", [], "different", "patterns are JavaScript's"],
  ["tcp_timeout", "int", 600, "not here", "use idle_timeout, which is 600 s as well and holds for all that stands still"],
  ["termlog_verbosity", "str", "info", "different", "there is no level alert"],
  ["tls_ecdh_curve_client", "optional str", null, "not here", CIPHERS],
  ["tls_ecdh_curve_server", "optional str", null, "not here", CIPHERS],
  ["tls_version_client_max", "str", "UNBOUNDED", "different", "TLS1_2, TLS1_3 or UNBOUNDED: Deno's TLS speaks nothing older"],
  ["tls_version_client_min", "str", "TLS1_2", "different", "as tls_version_client_max"],
  ["tls_version_server_max", "str", "UNBOUNDED", "different", "as tls_version_client_max"],
  ["tls_version_server_min", "str", "TLS1_2", "different", "as tls_version_client_max"],
  ["udp_hosts", "list", [], "not here", UDP],
  ["upstream_auth", "optional str", null, "same"],
  ["upstream_cert", "bool", true, "same"],
  ["validate_inbound_headers", "bool", true, "different", "always on: false says so and changes nothing; lenient accepts more of origins"],
  ["view_filter", "optional str", null, "not here", TERMINAL],
  ["view_order", "str", "time", "not here", TERMINAL],
  ["view_order_reversed", "bool", false, "not here", TERMINAL],
  ["web_columns", "list", [], "same"],
  ["web_debug", "bool", false, "same"],
  ["web_host", "str", "127.0.0.1", "same"],
  ["web_open_browser", "bool", true, "same"],
  ["web_password", "str", "", "same"],
  ["web_port", "int", 8081, "same"],
  ["web_theme", "str", "system", "same"],
  ["websocket", "bool", true, "not here", "WebSockets are always understood; ignore_hosts has a host's connections pass as raw bytes"],
];

/** All of them, by name. */
export const MITMPROXY_OPTIONS: readonly MitmproxyOption[] = ROWS.map(
  ([name, type, defaultValue, weir, note = ""]) => ({ name, type, default: defaultValue, weir, note }),
);

/** A flag of mitmdump's that is no option's. */
export interface MitmproxyFlag {
  readonly flag: string;
  readonly weir: MitmproxyOption["weir"];
  readonly note: string;
}

/** The flags of mitmdump that are no option's; each option has its flag, with the same letter. */
export const MITMPROXY_FLAGS: readonly MitmproxyFlag[] = [
  { flag: "-h, --help", weir: "same", note: "" },
  { flag: "--version", weir: "same", note: "" },
  { flag: "--options", weir: "same", note: "" },
  {
    flag: "--commands",
    weir: "not here",
    note: "there is no command language: addons, flags and --set do its work",
  },
  { flag: "--set", weir: "same", note: "" },
  { flag: "-q, --quiet", weir: "same", note: "" },
  { flag: "-v, --verbose", weir: "same", note: "" },
  { flag: "filter", weir: "same", note: "" },
];

/** What stands in place of flags and options that mitmproxy had once (its `utils/arg_check.py`). */
const GONE: Readonly<Record<string, string>> = {
  afile: "--save-stream-file +FILE",
  bind_address: "--listen-host",
  ciphers: "nothing, as Deno's TLS chooses ciphers itself",
  cert: "--certs",
  htpasswd: "--proxyauth @FILE",
  ignore: "--ignore-hosts",
  insecure: "--ssl-insecure",
  nonanonymous: "--proxyauth any",
  no_pop: "--server-replay-reuse",
  port: "--listen-port",
  replace: "--modify-body or --modify-headers",
  replacements: "--modify-body or --modify-headers",
  replay_ignore_content: "--server-replay-ignore-content",
  replay_ignore_host: "--server-replay-ignore-host",
  replay_ignore_param: "--server-replay-ignore-params",
  replay_ignore_payload_param: "--server-replay-ignore-payload-params",
  server_replay_use_header: "--server-replay-use-headers",
  setheaders: "--modify-headers",
  singleuser: "--proxyauth USER:PASSWORD",
  socks: "--mode socks5",
  ssl_version_client: "--tls-version-client-min and --tls-version-client-max",
  ssl_version_server: "--tls-version-server-min and --tls-version-server-max",
  stream: "--stream-large-bodies",
  tcp: "--tcp-hosts",
  upstream_bind_address: "nothing, as Deno cannot choose the local address of a connection",
  upstream_trusted_ca: "--ssl-verify-upstream-trusted-ca",
  wfile: "--save-stream-file",
};

/** What is said of options that weir is to have, and has not yet. */
export const NOT_YET = "not in this version";

/**
 * Why an option of mitmproxy's that weir has not is not here: a clause; null for what was never one. Flags go by the names of
 * their options: `--no-mouse` is `no_mouse`.
 */
export function whyNotHere(name: string): string | null {
  if (name === "commands") return MITMPROXY_FLAGS.find(({ flag }) => flag === "--commands")!.note;
  if (Object.hasOwn(GONE, name)) return `it is gone from mitmproxy, too: use ${GONE[name]}`;
  const found = MITMPROXY_OPTIONS.find((option) =>
    option.name === name || (option.type === "bool" && `no_${option.name}` === name)
  );
  return found === undefined ? null : found.weir === "not here" ? found.note : NOT_YET;
}
