/**
 * PEM, the text form of certificates (RFC 7468).
 * @module
 */

/** Characters of base64 in a line (RFC 7468 §2). */
const LINE = 64;

/** PEM of a certificate in DER. */
export function certificateToPem(der: Uint8Array): string {
  const text = (der as Uint8Array<ArrayBuffer>).toBase64();
  const lines = text.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

/** DER of the first certificate in a PEM text; null when there is none, or it is broken. */
export function certificateFromPem(pem: string): Uint8Array | null {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/.exec(pem)?.[1];
  if (base64 === undefined) return null;
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return null;
  }
}
