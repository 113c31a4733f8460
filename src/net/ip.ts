/**
 * IP addresses as bytes and as text (RFC 4291 §2.2, RFC 5952).
 * @module
 */
import { isIP } from "node:net";

/** Four or sixteen bytes in network order; null for what is no IP address. A zone (`%eth0`) is left out. */
export function ipBytes(text: string): Uint8Array | null {
  const plain = text.replace(/%.*$/, "");
  const version = isIP(plain);
  if (version === 0) return null;
  if (version === 4) return Uint8Array.from(plain.split("."), Number);
  // URLs know one way to write each: groups in hexadecimal, the longest run of zeros as "::".
  const [before, after] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const head = groups(before), tail = groups(after ?? "");
  const middle = new Array<number>(8 - head.length - tail.length).fill(0);
  return Uint8Array.from([...head, ...middle, ...tail].flatMap((group) => [group >> 8, group & 255]));
}

/** The text of four or sixteen bytes. @throws {RangeError} for any other number of them. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw new RangeError(`${bytes.length} bytes are no IP address`);
  const written = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8 | bytes[2 * i + 1]).toString(16));
  return new URL(`http://[${written.join(":")}]`).hostname.slice(1, -1);
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}
