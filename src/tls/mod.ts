/**
 * TLS: reading a ClientHello, sessions in both roles over any connection, the CA and its leaf certificates.
 *
 * The handshake and the records are node:tls's; everything here is about what goes in and what comes out.
 * @module
 */
export { type CertificateAuthority, loadAuthority, warningOfKey } from "./authority.ts";
export {
  type ClientHello,
  type ClientHelloResult,
  type KeyType,
  keyTypeFor,
  parseClientHello,
} from "./client_hello.ts";
export {
  clientHandshake,
  type ClientHandshakeOptions,
  distrust,
  HANDSHAKE_TIMEOUT,
  serverHandshake,
  type ServerHandshakeOptions,
} from "./handshake.ts";
export { type Leaf, type LeafRequest, Leaves } from "./leaf.ts";
export { TlsConn } from "./tls_conn.ts";
export { certificateFromPem, certificateToPem } from "./pem.ts";
export { certificatesIn } from "./trust.ts";
