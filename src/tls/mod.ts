/**
 * TLS: reading a ClientHello, sessions in both roles over any connection, the CA and its leaf certificates.
 *
 * The handshake and the records are node:tls's; everything here is about what goes in and what comes out.
 * @module
 */
export {
  type CertificateAuthority,
  certificateOf,
  type GivenAuthority,
  loadAuthority,
  warningOfKey,
} from "./authority.ts";
export { type ClientHello, type KeyType, keyTypeFor, parseClientHello } from "./client_hello.ts";
export { GivenLeaves } from "./given_leaves.ts";
export {
  clientHandshake,
  type ClientHandshakeOptions,
  type ClientIdentity,
  distrust,
  isRefusal,
  serverHandshake,
} from "./handshake.ts";
export { parseKeyPair, tlsKeyPem } from "./key_pair.ts";
export { keyLogWanted } from "./keylog.ts";
export { type Leaf, leafOn, Leaves } from "./leaf.ts";
export { certificateFromPem, certificateToPem } from "./pem.ts";
export { certificatesIn } from "./trust.ts";
