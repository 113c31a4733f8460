/**
 * The messages of SOCKS5 (RFC 1928) and of its user and password login (RFC 1929), in both directions, as
 * bytes and as values. Nothing here reads or writes a connection: a parser gets all that has come so far.
 *
 * | client | server |
 * |---|---|
 * | {@linkcode Greeting} | {@linkcode MethodChoice} |
 * | {@linkcode Login}, where that method was chosen | {@linkcode LoginAnswer} |
 * | {@linkcode Request} | {@linkcode Reply} |
 * @module
 */
import { type Address, ipBytes, ipText } from "../net/mod.ts";
import { ReplyCode } from "./replies.ts";

/** The first byte of all messages but those of the login. */
export const SOCKS5 = 5;
/** RFC 1929 §2: the first byte of the login's. */
const LOGIN_VERSION = 1;

/** RFC 1928 §3: how a client is to say who it is. */
export const Method = { none: 0, password: 2, unacceptable: 0xff } as const;
/** RFC 1928 §4. */
export const Command = { connect: 1, bind: 2, udpAssociate: 3 } as const;
/** RFC 1928 §5. */
const AddressType = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** What was made of the bytes so far: nothing yet, an error, or a message and how many bytes it takes. */
export type Parsed<T> =
  | { readonly kind: "more" }
  | { readonly kind: "no"; readonly reason: string; readonly reply?: number }
  | { readonly kind: "message"; readonly message: T; readonly length: number };

/** The methods that a client offers. */
export type Greeting = readonly number[];
/** The method that the server takes. */
export type MethodChoice = number;

/** RFC 1929 §2. Text is UTF-8, as all clients have it; the RFC says nothing of it. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** RFC 1929 §2: true when the client is let in. */
export type LoginAnswer = boolean;

/** What a client asks for. */
export interface Request {
  /** One of {@linkcode Command}, or another number. */
  readonly command: number;
  /** A name, or an IP address without brackets. */
  readonly address: Address;
}

/** What came of it. */
export interface Reply {
  /** 0: done; see `replies.ts` for others. */
  readonly code: number;
  /** The server's end of the connection that it made; all zeros where it does not say. */
  readonly bound: Address;
}

/** Where a server need not say which address it has bound. */
export const UNSPECIFIED: Address = { hostname: "0.0.0.0", port: 0 };

const MORE: Parsed<never> = { kind: "more" };
const MAX_LENGTH = 255;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A client's first message. */
export function encodeGreeting(methods: Greeting): Uint8Array {
  return Uint8Array.of(SOCKS5, methods.length, ...methods);
}

export function parseGreeting(bytes: Uint8Array): Parsed<Greeting> {
  if (bytes.length > 0 && bytes[0] !== SOCKS5) return wrongVersion(bytes[0]);
  if (bytes.length < 2 || bytes.length < 2 + bytes[1]) return MORE;
  const length = 2 + bytes[1];
  return { kind: "message", message: [...bytes.subarray(2, length)], length };
}

export function encodeMethodChoice(method: MethodChoice): Uint8Array {
  return Uint8Array.of(SOCKS5, method);
}

export function parseMethodChoice(bytes: Uint8Array): Parsed<MethodChoice> {
  if (bytes.length > 0 && bytes[0] !== SOCKS5) return wrongVersion(bytes[0]);
  return bytes.length < 2 ? MORE : { kind: "message", message: bytes[1], length: 2 };
}

/** @throws {RangeError} when one of the two is longer than 255 bytes. */
export function encodeLogin({ username, password }: Login): Uint8Array {
  return Uint8Array.of(LOGIN_VERSION, ...counted(username, "user name"), ...counted(password, "password"));
}

export function parseLogin(bytes: Uint8Array): Parsed<Login> {
  if (bytes.length > 0 && bytes[0] !== LOGIN_VERSION) return wrongLogin(bytes[0]);
  if (bytes.length < 2) return MORE;
  const passwordAt = 2 + bytes[1];
  if (bytes.length <= passwordAt) return MORE;
  const length = passwordAt + 1 + bytes[passwordAt];
  if (bytes.length < length) return MORE;
  const username = decoder.decode(bytes.subarray(2, passwordAt));
  return {
    kind: "message",
    message: { username, password: decoder.decode(bytes.subarray(passwordAt + 1, length)) },
    length,
  };
}

export function encodeLoginAnswer(isIn: LoginAnswer): Uint8Array {
  return Uint8Array.of(LOGIN_VERSION, isIn ? 0 : 1);
}

/**
 * Servers are known that answer with the version of SOCKS in place of the login's; what counts is the status.
 */
export function parseLoginAnswer(bytes: Uint8Array): Parsed<LoginAnswer> {
  if (bytes.length > 0 && bytes[0] !== LOGIN_VERSION && bytes[0] !== SOCKS5) return wrongLogin(bytes[0]);
  return bytes.length < 2 ? MORE : { kind: "message", message: bytes[1] === 0, length: 2 };
}

/** @throws {RangeError} when the name is longer than 255 bytes, or empty. */
export function encodeRequest({ command, address }: Request): Uint8Array {
  return Uint8Array.of(SOCKS5, command, 0, ...encodeAddress(address));
}

/** A type of address that nobody knows is a "no" with the code to reply with. The name may be anything. */
export function parseRequest(bytes: Uint8Array): Parsed<Request> {
  const parsed = parseAddressed(bytes);
  if (parsed.kind !== "message") return parsed;
  const { code: command, address } = parsed.message;
  return { ...parsed, message: { command, address } };
}

export function encodeReply({ code, bound }: Reply): Uint8Array {
  return Uint8Array.of(SOCKS5, code, 0, ...encodeAddress(bound));
}

export function parseReply(bytes: Uint8Array): Parsed<Reply> {
  const parsed = parseAddressed(bytes);
  if (parsed.kind !== "message") return parsed;
  const { code, address: bound } = parsed.message;
  return { ...parsed, message: { code, bound } };
}

/** RFC 1928 §4, §6: requests and replies have one form. */
function parseAddressed(bytes: Uint8Array): Parsed<{ code: number; address: Address }> {
  if (bytes.length > 0 && bytes[0] !== SOCKS5) return wrongVersion(bytes[0]);
  if (bytes.length < 5) return MORE;
  const type = bytes[3], hostAt = type === AddressType.name ? 5 : 4;
  const hostLength = lengthOfHost(type, bytes[4]);
  if (hostLength === null) {
    return { kind: "no", reason: `there is no address type ${type}`, reply: ReplyCode.addressNotSupported };
  }
  const portAt = hostAt + hostLength, length = portAt + 2;
  if (bytes.length < length) return MORE;
  const host = bytes.subarray(hostAt, portAt);
  const hostname = type === AddressType.name ? decoder.decode(host) : ipText(host);
  const address = { hostname, port: bytes[portAt] << 8 | bytes[portAt + 1] };
  return { kind: "message", message: { code: bytes[1], address }, length };
}

function lengthOfHost(type: number, first: number): number | null {
  switch (type) {
    case AddressType.ipv4:
      return 4;
    case AddressType.ipv6:
      return 16;
    case AddressType.name:
      return first;
    default:
      return null;
  }
}

function encodeAddress({ hostname, port }: Address): number[] {
  const ip = ipBytes(hostname);
  if (ip === null && hostname === "") throw new RangeError("The host name is empty.");
  const host = ip === null
    ? [AddressType.name, ...counted(hostname, "host name")]
    : [ip.length === 4 ? AddressType.ipv4 : AddressType.ipv6, ...ip];
  return [...host, port >> 8, port & 255];
}

/** Its length in a byte, and the text. */
function counted(text: string, what: string): number[] {
  const bytes = encoder.encode(text);
  if (bytes.length > MAX_LENGTH) {
    throw new RangeError(`The ${what} is longer than ${MAX_LENGTH} bytes, which SOCKS5 has no room for.`);
  }
  return [bytes.length, ...bytes];
}

function wrongVersion(version: number): Parsed<never> {
  const isText = version >= 0x20 && version < 0x7f;
  const what = isText ? "it speaks HTTP" : `it speaks version ${version} of SOCKS`;
  return { kind: "no", reason: `${what}, or something else` };
}

function wrongLogin(version: number): Parsed<never> {
  return { kind: "no", reason: `its login is of version ${version}, not ${LOGIN_VERSION}` };
}
