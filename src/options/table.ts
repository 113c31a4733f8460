/**
 * The options of weir itself, by mitmproxy's names where it has them. To add one, add a line.
 *
 * Types come from here: `Options["listen_port"]` is a number because its kind says so, and a name that is not in the
 * table does not compile. Options of addons (`stream_large_bodies`, …) are registered at run time.
 * @module
 */
import { parseCertSpec } from "./cert_spec.ts";
import { parseHistory } from "./history.ts";
import { parseDnsOverride } from "./dns_override.ts";
import { parseMode } from "./mode.ts";
import { parseCredentials } from "./proxy_url.ts";
import { parseTlsVersion } from "./tls_version.ts";
import {
  bool,
  choice,
  int,
  isPattern,
  isPresent,
  type Kind,
  list,
  optional,
  type OptionValue,
  parsedBy,
  size,
  str,
} from "./values.ts";

/** How an option shows on the command line. */
export interface Presentation {
  /** Short flag, one letter. */
  readonly short?: string;
  /** What help calls the value. */
  readonly metavar?: string;
  /** Heading in help. */
  readonly group?: string;
}

/** One option. */
export interface OptionDefinition<T extends OptionValue = OptionValue> extends Presentation {
  readonly kind: Kind<T>;
  /** As written in help: `256m`, `~/.weir`. */
  readonly default: OptionValue;
  /** One sentence. */
  readonly help: string;
}

function option<T extends OptionValue>(
  kind: Kind<T>,
  defaultValue: OptionValue,
  help: string,
  presentation: Presentation = {},
): OptionDefinition<T> {
  return { kind, default: defaultValue, help, ...presentation };
}

function group<const D extends Record<string, OptionDefinition>>(heading: string, definitions: D): D {
  return Object.fromEntries(
    Object.entries(definitions).map(([name, definition]) => [name, { ...definition, group: heading }]),
  ) as D;
}

/** What the log shows, from least to most. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

const tlsVersion = str({ condition: parsedBy(parseTlsVersion) });

// deno-fmt-ignore -- one line per option reads as a table
export const OPTIONS = {
  ...group("Proxy", {
    mode: option(list({ filled: true, condition: parsedBy(parseMode) }), ["regular"], "What to be: regular, socks5, transparent, reverse:ORIGIN, or upstream:PROXY, with URLs as http://host[:port]; append @[host:]port to choose where to listen.", { short: "m", metavar: "MODE" }),
    listen_host: option(str({ condition: isPresent }), "127.0.0.1", "Address to listen on.", { metavar: "HOST" }),
    listen_port: option(int(0, 65535), 8080, "Port to listen on; 0 takes any free port.", { short: "p", metavar: "PORT" }),
    server: option(bool, true, "Listen; without it weir only does what other options ask for, such as reading flows (-n).", { short: "n" }),
    keepserving: option(bool, false, "Go on when flows were read, replayed or used up, in place of ending."),
    scripts: option(list({ path: true }), [], "Addon to load: a .ts, .js or .mjs file; loaded again when it changes.", { short: "s", metavar: "FILE" }),
    confdir: option(str({ path: true, condition: isPresent }), "~/.weir", "Directory of config.yaml and the certificate authority; set by flags only.", { metavar: "DIR" }),
    ignore_hosts: option(list({ condition: isPattern }), [], "Pass connections to host:port that match through as opaque bytes.", { metavar: "REGEX" }),
    allow_hosts: option(list({ condition: isPattern }), [], "Pass all connections through as opaque bytes, but those to host:port that match.", { metavar: "REGEX" }),
    show_ignored_hosts: option(bool, true, "Print connections that pass through as opaque bytes, and run tcp_* hooks for them."),
    tcp_hosts: option(list({ condition: isPattern }), [], "Take what comes for hosts that match for raw bytes, inside of TLS or without it.", { metavar: "REGEX" }),
    connection_strategy: option(choice(["eager", "lazy"]), "eager", "Connect to an origin as soon as a client begins TLS with it (eager), or when it sends a request (lazy)."),
    lenient: option(bool, false, "Accept heads of origins with bare LF, folded lines, or up to 1000 fields."),
    keep_host_header: option(bool, false, "In reverse mode, keep the Host that the client sent."),
    via: option(bool, false, "Add a Via field to messages that pass."),
    upstream_auth: option(optional(str({ condition: parsedBy(parseCredentials) })), null, "User and password for the proxy of upstream mode, or the origin of reverse mode.", { metavar: "USER:PASS" }),
    http_connect_send_host_header: option(bool, true, "Send a Host field with CONNECT to a proxy upstream."),
    dns_override: option(list({ condition: parsedBy(parseDnsOverride) }), [], "Connect to that address for a host, with its name in TLS and Host unchanged: host=address[:port].", { metavar: "SPEC" }),
    connect_timeout: option(int(1, 3600), 10, "Seconds to wait for a connection to an origin.", { metavar: "SECONDS" }),
    idle_timeout: option(int(0, 86_400), 600, "Seconds without a byte after which exchanges, tunnels and WebSockets are cut; 0 for never.", { metavar: "SECONDS" }),
    workers: option(int(1, 64), 1, "How many isolates serve the port, each with addons of its own.", { metavar: "COUNT" }),
    shutdown_delay: option(int(0, 3600), 0, "Seconds that weir goes on taking requests once it is told to stop, while /readyz says that it will.", { metavar: "SECONDS" }),
    shutdown_grace: option(int(0, 3600), 5, "Seconds that open streams get to finish when weir stops.", { metavar: "SECONDS" }),
  }),
  ...group("TLS", {
    ca: option(optional(str({ path: true })), null, "Certificate authority to use in place of the one in confdir: a PEM file with certificate and key; or the variable WEIR_CA_PEM.", { metavar: "FILE" }),
    ssl_insecure: option(bool, false, "Do not verify the certificates of origins.", { short: "k" }),
    ssl_verify_upstream_trusted_ca: option(optional(str({ path: true })), null, "PEM file with further CA certificates to trust for origins.", { metavar: "FILE" }),
    upstream_cert: option(bool, true, "Connect to the origin first, to copy the names in its certificate."),
    certs: option(list({ condition: parsedBy(parseCertSpec) }), [], "Show the certificate in this PEM file, for all hosts or those of a domain (*.example.com=FILE), in place of one that is made.", { metavar: "[DOMAIN=]FILE" }),
    cert_passphrase: option(optional(str()), null, "Passphrase of encrypted keys: in certs, client_certs and weir-ca.pem; better in config.yaml than on the command line.", { metavar: "PASSPHRASE" }),
    client_certs: option(optional(str({ path: true })), null, "Certificate and key for origins that ask for one: a PEM file, or a directory of HOST.pem.", { metavar: "PATH" }),
    request_client_cert: option(bool, false, "Ask clients for a certificate; addons find it in flow.clientConn.tls."),
    add_upstream_certs_to_client_chain: option(bool, false, "Send the origin's certificates to clients behind weir's own."),
    tls_version_client_min: option(tlsVersion, "TLS1_2", "Lowest TLS version for clients: TLS1_2 or TLS1_3.", { metavar: "VERSION" }),
    tls_version_client_max: option(tlsVersion, "UNBOUNDED", "Highest TLS version for clients: TLS1_2, TLS1_3 or UNBOUNDED.", { metavar: "VERSION" }),
    tls_version_server_min: option(tlsVersion, "TLS1_2", "Lowest TLS version for origins: TLS1_2 or TLS1_3.", { metavar: "VERSION" }),
    tls_version_server_max: option(tlsVersion, "UNBOUNDED", "Highest TLS version for origins: TLS1_2, TLS1_3 or UNBOUNDED.", { metavar: "VERSION" }),
  }),
  ...group("HTTP/2", {
    http2: option(bool, true, "Speak HTTP/2 with clients and origins that offer it."),
    http2_upstream: option(choice(["match", "any"]), "match", "Offer HTTP/2 to clients when the origin speaks it (match), or always (any)."),
  }),
  ...group("Bodies", {
    body_size_limit: option(size, null, "Refuse or abort messages with a body larger than this.", { metavar: "SIZE" }),
    body_buffer_limit: option(size, "256m", "Stream a body that was to be buffered once it passes this size.", { metavar: "SIZE" }),
    memory_limit: option(size, "1g", "Hold no more for all bodies together: stream, refuse or forget what has no room.", { metavar: "SIZE" }),
    stream_unread: option(bool, false, "Stream bodies that no addon and no option will look at. On with exec and --browser."),
    store_streamed_bodies: option(bool, false, "Keep a copy of bodies that are streamed."),
  }),
  ...group("WebSocket", {
    stream_websockets: option(bool, false, "Forward each WebSocket frame as it arrives; messages can be seen but not changed."),
    websocket_message_limit: option(size, "64m", "Close WebSocket connections (1009) whose messages are larger than this.", { metavar: "SIZE" }),
    websocket_history: option(str({ condition: parsedBy(parseHistory) }), "1000/16m", "How many WebSocket messages, and how many bytes of them, a flow keeps.", { metavar: "COUNT/SIZE" }),
  }),
  ...group("Output", {
    flow_detail: option(int(0, 4), 1, "How much of each flow to print: 0 nothing, 1 a line, 2 headers, 3 the start of bodies, 4 all.", { metavar: "LEVEL" }),
    log_format: option(choice(["text", "json"]), "text", "Write log lines and flows as text, or as one JSON object a line."),
    termlog_verbosity: option(choice(LOG_LEVELS), "info", "How much to log.", { metavar: "LEVEL" }),
  }),
};

/** Names of weir's own options. */
export type OptionName = keyof typeof OPTIONS;

/**
 * Values of weir's own options, by name.
 * @internal
 */
export type CoreValues = {
  readonly [N in OptionName]: (typeof OPTIONS)[N] extends OptionDefinition<infer T> ? T : never;
};
