/**
 * TLS: reading a ClientHello, sessions in both roles over any connection, the CA and its leaf certificates.
 *
 * The handshake and the records are node:tls's; everything here is about what goes in and what comes out.
 * @module
 */
export { type CertificateAuthority, loadAuthority, warningOfKey } from "./authority.ts";
export { type ClientHello, type KeyType, keyTypeFor, parseClientHello } from "./client_hello.ts";
export { clientHandshake, distrust, serverHandshake } from "./handshake.ts";
export { type Leaf, Leaves } from "./leaf.ts";
export { certificateFromPem, certificateToPem } from "./pem.ts";
export { certificatesIn } from "./trust.ts";
