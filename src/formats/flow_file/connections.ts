/**
 * The two connections of a flow, from a record and into one.
 * @module
 */
import { Buffer } from "node:buffer";
import type { ClientConnection, ServerConnection } from "../../flow/connection.ts";
import { makeClientConnection, makeServerConnection } from "../../flow/make.ts";
import type { Address, TlsInfo } from "../../net/mod.ts";
import { parseProxyUrl, proxyUrl } from "../../options/mod.ts";
import { certificateFromPem, certificateToPem } from "../../tls/mod.ts";
import {
  bool,
  bytes,
  ByteString,
  dict,
  float,
  int,
  list,
  NULL,
  text,
  type Value,
} from "../tnetstring/mod.ts";
import type { Fields } from "./fields.ts";

/** What mitmproxy knows of a connection and weir has no place for; written again when the flow is. */
interface Kept {
  readonly cipherList: readonly string[];
  readonly error: string | null;
}

const kept = new WeakMap<ClientConnection | ServerConnection, Kept>();

/** `client_conn`. */
export function readClient(fields: Fields): ClientConnection {
  const certificate = fields.any("mitmcert");
  const connection = makeClientConnection({
    id: fields.text("id"),
    address: addressIn(fields, fields.either("peername", "address")) ?? { hostname: "", port: 0 },
    localAddress: addressIn(fields, "sockname") ?? { hostname: "", port: 0 },
    tls: tlsIn(fields, null),
    alpnOffers: offersIn(fields),
    shownCertificate: certificate === undefined ? null : derOf(certificate),
    mode: fields.has("proxy_mode") ? fields.text("proxy_mode") : "regular",
    timestampStart: fields.timeOrNull("timestamp_start") ?? 0,
    timestampTlsSetup: fields.timeOrNull("timestamp_tls_setup"),
    timestampEnd: fields.timeOrNull("timestamp_end"),
  });
  keep(connection, fields);
  return connection;
}

/** `server_conn`; null where there was none. */
export function readServer(fields: Fields): ServerConnection | null {
  const address = addressIn(fields, "address");
  if (address === null) return null;
  const start = fields.timeOrNull("timestamp_start"), tcp = fields.timeOrNull("timestamp_tcp_setup");
  const connection = makeServerConnection({
    id: fields.text("id"),
    address,
    via: viaIn(fields),
    peerAddress: addressIn(fields, fields.either("peername", "ip_address")),
    localAddress: addressIn(fields, fields.either("sockname", "source_address")),
    tls: tlsIn(fields, address.hostname),
    alpnOffers: offersIn(fields),
    timestampStart: start ?? 0,
    timestampTcpSetup: tcp,
    timestampTlsSetup: fields.timeOrNull("timestamp_tls_setup"),
    timestampEnd: fields.timeOrNull("timestamp_end"),
  });
  keep(connection, fields);
  return connection;
}

function keep(connection: ClientConnection | ServerConnection, fields: Fields): void {
  const ciphers = fields.has("cipher_list") ? fields.list("cipher_list") : [];
  const error = fields.any("error") ?? null;
  const cipherList = ciphers.filter((name) => typeof name === "string");
  if (cipherList.length > 0 || error !== null) {
    kept.set(connection, { cipherList, error: typeof error === "string" ? error : null });
  }
}

/** Null for null, and for a name that is none (an address of another family than IP). */
function addressIn(fields: Fields, key: string): Address | null {
  if (fields.any(key) === null) return null;
  // IPv6 addresses of Python have four members.
  const [hostname, port] = fields.list(key);
  return typeof hostname === "string" && Number.isSafeInteger(port)
    ? { hostname, port: port as number }
    : fields.wrong(key, "a host and a port");
}

function offersIn(fields: Fields): string[] {
  if (!fields.has("alpn_offers") || fields.any("alpn_offers") === null) return [];
  return fields.list("alpn_offers").map((offer) =>
    textOf(offer) ?? fields.wrong("alpn_offers", "a list of bytes")
  );
}

function textOf(value: Value | undefined): string | null {
  return value instanceof ByteString ? value.latin1 : typeof value === "string" ? value : null;
}

/** `host` is what the server name `true` of older versions stands for. */
function tlsIn(fields: Fields, host: string | null): TlsInfo | null {
  const setUp = fields.any("timestamp_tls_setup") ?? null, established = fields.any("tls_established");
  if (!fields.boolean("tls") || established === false || established === undefined && setUp === null) {
    return null;
  }
  const certificates = fields.any("certificate_list") === null ? [] : fields.list("certificate_list");
  const peerCertificates = certificates.map(derOf).filter((der) => der !== null);
  const sni = fields.any("sni");
  return {
    sni: sni === true ? host : fields.textOrNull("sni"),
    alpn: textOf(fields.any("alpn")),
    version: fields.textOrNull("tls_version"),
    cipher: fields.textOrNull(fields.either("cipher", "cipher_name")),
    peerCertificate: peerCertificates[0] ?? null,
    peerCertificates,
  };
}

function derOf(pem: Value): Uint8Array | null {
  return pem instanceof ByteString ? certificateFromPem(pem.latin1) : null;
}

/** Records of connections that serve many flows, as long as nothing changes. */
const written = new WeakMap<ClientConnection | ServerConnection, { record: string; end: number | null }>();

function writeOnce<C extends ClientConnection | ServerConnection>(
  connection: C,
  write: (connection: C) => string,
): string {
  const known = written.get(connection);
  if (known !== undefined && known.end === connection.timestampEnd) return known.record;
  // In one piece: what it was joined from would be gone through again for every flow.
  const record = Buffer.from(write(connection), "latin1").toString("latin1");
  written.set(connection, { record, end: connection.timestampEnd });
  return record;
}

/** The value of `client_conn`. */
export function writeClient(connection: ClientConnection): string {
  return writeOnce(connection, (client) =>
    dict(
      "7:address;" + address(client.address) + "8:sockname;" + address(client.localAddress) +
        common(client) + "14:tls_extensions;0:]" + "8:mitmcert;" + pem(client.shownCertificate),
    ));
}

/** The value of `server_conn`; null is a connection that was never made. */
export function writeServer(connection: ServerConnection | null): string {
  if (connection === null) return NOT_CONNECTED;
  return writeOnce(connection, (server) =>
    dict(
      "7:address;" + address(server.address) + "10:ip_address;" + address(server.peerAddress) +
        "14:source_address;" + address(server.localAddress) + common(server) +
        "19:timestamp_tcp_setup;" + time(server.timestampTcpSetup) + "3:via;0:~4:via2;" + viaSpec(server.via),
    ));
}

/** Scheme, host and port; mitmproxy refuses a record with a scheme that it does not know. */
function viaSpec(via: string | null): string {
  if (via === null) return NULL;
  const { scheme, host, port } = parseProxyUrl(via);
  return scheme === "socks5" ? NULL : list(text(scheme) + list(text(host) + int(port)));
}

/** The proxy on the way, which has two shapes in older versions. */
function viaIn(fields: Fields): string | null {
  const key = fields.has("via2") ? "via2" : "via";
  const spec = fields.has(key) ? fields.any(key) : null;
  const [scheme, place] = Array.isArray(spec) ? spec : [];
  const [host, port] = Array.isArray(place) ? place : [];
  if ((scheme !== "http" && scheme !== "https") || typeof host !== "string" || typeof port !== "number") {
    return null;
  }
  return proxyUrl({ scheme, host, port });
}

const NOT_CONNECTED = dict(
  "7:address;0:~10:ip_address;0:~14:source_address;0:~2:id;" + text("00000000-0000-4000-8000-000000000000") +
    "5:state;1:0#15:timestamp_start;0:~13:timestamp_end;0:~19:timestamp_tls_setup;0:~3:tls;5:false!" +
    "15:tls_established;5:false!11:tls_version;0:~3:sni;0:~4:alpn;0:~11:alpn_offers;0:]11:cipher_name;0:~" +
    "11:cipher_list;0:]16:certificate_list;0:]5:error;0:~19:timestamp_tcp_setup;0:~3:via;0:~4:via2;0:~",
);

function common(connection: ClientConnection | ServerConnection): string {
  const { tls } = connection, extra = kept.get(connection);
  return "2:id;" + text(connection.id) + "5:state;1:0#" +
    "15:timestamp_start;" + time(connection.timestampStart) +
    "13:timestamp_end;" + time(connection.timestampEnd) +
    "19:timestamp_tls_setup;" + time(tls === null ? null : connection.timestampTlsSetup) +
    "3:tls;" + bool(tls !== null) + "15:tls_established;" + bool(tls !== null) +
    "11:tls_version;" + optional(tls?.version, text) +
    "3:sni;" + optional(tls?.sni, text) + "4:alpn;" + optional(tls?.alpn, bytes) +
    "11:alpn_offers;" + list(connection.alpnOffers.map(bytes).join("")) +
    "11:cipher_name;" + optional(tls?.cipher, text) +
    "11:cipher_list;" + list((extra?.cipherList ?? []).map(text).join("")) +
    "16:certificate_list;" + list((tls?.peerCertificates ?? []).map(pem).join("")) +
    "5:error;" + optional(extra?.error, text);
}

/** The digits of a second's thousandths. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, "0")}^`);
/** The second that was written last: most times of a flow are in the same. */
let second = NaN, secondText = "";

/** A time in milliseconds, in seconds. */
export function time(ms: number | null): string {
  if (ms === null) return NULL;
  if (!Number.isInteger(ms) || ms < 0) return float(ms / 1000);
  const whole = Math.floor(ms / 1000);
  if (whole !== second) {
    second = whole;
    const digits = String(whole);
    secondText = `${digits.length + 4}:${digits}`;
  }
  return secondText + THOUSANDTHS[ms - whole * 1000];
}

function optional(value: string | null | undefined, write: (value: string) => string): string {
  return value === null || value === undefined ? NULL : write(value);
}

function address(value: Address | null): string {
  return value === null ? NULL : list(text(value.hostname) + int(value.port));
}

function pem(der: Uint8Array | null): string {
  return der === null ? NULL : bytes(certificateToPem(der));
}
