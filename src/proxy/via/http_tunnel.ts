/**
 * A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6), with who asks (RFC 7617).
 * @module
 */
import { WeirError } from "../../errors.ts";
import { Headers, type RequestHead, type ResponseHead } from "../../http/mod.ts";
import { Http1Connection } from "../../http1/mod.ts";
import { type Conn, hostPort } from "../../net/mod.ts";
import type { ProxyAddress } from "../../options/mod.ts";
import { shortened } from "../../shown.ts";
import { nameOf, type Passage } from "./passage.ts";

/** Asks for the tunnel. @throws {WeirError} when the proxy refuses, or says what is no answer. */
export async function httpTunnel(
  conn: Conn,
  { proxy, target, sendsConnectHost, lenient }: Passage,
): Promise<Conn> {
  const authorization = basicAuthorization(proxy);
  const http = new Http1Connection(conn, { lenient, proxy: { authorization, sendsConnectHost } });
  const { head, upgraded } = await http.exchange().send(connectHead(target), null, () => {});
  if (upgraded !== null) return upgraded;
  http.close();
  throw refusal(head, `${nameOf(proxy)} refused a tunnel to ${hostPort(target)}`, proxy);
}

/** Value of Proxy-Authorization (RFC 7617 §2, in UTF-8); null where nobody in particular asks. */
export function basicAuthorization({ credentials }: ProxyAddress): string | null {
  if (credentials === null) return null;
  const bytes = new TextEncoder().encode(`${credentials.username}:${credentials.password}`);
  return `Basic ${bytes.toBase64()}`;
}

function connectHead({ hostname, port }: Passage["target"]): RequestHead {
  return {
    method: "CONNECT",
    form: "authority",
    scheme: "",
    host: hostname,
    port,
    path: "",
    httpVersion: "HTTP/1.1",
    headers: new Headers(),
  };
}

function refusal(
  { statusCode, reason }: ResponseHead,
  what: string,
  { credentials }: ProxyAddress,
): WeirError {
  const advice = statusCode !== 407
    ? ""
    : credentials === null
    ? " It wants a user and password: give them in its URL, or with the option upstream_auth."
    : " It does not accept the user and password that it was given.";
  return new WeirError("server", "unreachable", `${what}: ${statusCode} ${shortened(reason)}.${advice}`);
}
