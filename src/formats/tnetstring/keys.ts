/**
 * Names that records are full of: found by their bytes, without a text being made for each.
 * @module
 */

interface Known {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The names of all versions of mitmproxy's records. */
const NAMES = [
  ..."address alpn alpn_offers authority backup certificate_list cipher cipher_list cipher_name client_conn"
    .split(" "),
  ..."close_code close_reason closed_by_client comment content error headers host http_version id".split(" "),
  ..."intercepted ip_address is_replay marked messages metadata method mitmcert msg path peername port".split(
    " ",
  ),
  ..."proxy_mode reason request response scheme server_conn sni sockname source_address state status_code"
    .split(" "),
  ..."timestamp timestamp_created timestamp_end timestamp_start timestamp_tcp_setup timestamp_tls_setup"
    .split(" "),
  ..."tls tls_established tls_extensions tls_version trailers transport_protocol type version via via2".split(
    " ",
  ),
  "websocket",
];

/** By length and last byte. */
const known = new Map<number, Known[]>();
for (const name of NAMES) {
  const bytes = new TextEncoder().encode(name);
  const hash = bytes.length * 256 + bytes[bytes.length - 1];
  const same = known.get(hash);
  if (same === undefined) known.set(hash, [{ name, bytes }]);
  else same.push({ name, bytes });
}

/** The known name that these bytes are; undefined for any other. */
export function knownName(bytes: Uint8Array, start: number, end: number): string | undefined {
  const same = known.get((end - start) * 256 + bytes[end - 1]);
  if (same === undefined) return undefined;
  for (const { name, bytes: wanted } of same) {
    let i = 0;
    while (i < wanted.length && wanted[i] === bytes[start + i]) i++;
    if (i === wanted.length) return name;
  }
  return undefined;
}
