/**
 * Addresses, errors, sizes and times in the few characters that a line has for them.
 * @module
 */
import { escapeControl, type HttpFlow, type TcpFlow } from "weir";

const urls = { haveHost: false };

/** URLs have the name of the Host field from now on, or the address to which the request went. */
export function showHosts(areShown: boolean): void {
  urls.haveHost = areShown;
}

/** The URL of a request, as it is to be printed. */
export function urlOf({ request }: HttpFlow): string {
  return urls.haveHost ? request.prettyUrl : request.url;
}

/** `127.0.0.1:52344` */
export function clientOf(flow: HttpFlow | TcpFlow): string {
  return addressText(flow.clientConn.address);
}

/** The same of the server; there may have been none. */
export function serverOf(flow: HttpFlow | TcpFlow): string {
  return flow.serverConn === null ? "<no address>" : addressText(flow.serverConn.address);
}

/** `127.0.0.1:52344`, `[::1]:52344` */
export function addressText({ hostname, port }: { hostname: string; port: number }): string {
  return escapeControl(hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`);
}

/** Why a flow ended. */
export function errorText(flow: HttpFlow | TcpFlow): string {
  return escapeControl(flow.error?.message ?? "unknown error");
}

/** At most five characters: `1023b`, `1.2k`, `100k`. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes}b`;
  let size = bytes;
  for (const unit of ["k", "m", "g"]) {
    size /= 1024;
    if (size < 99.95) return `${size.toFixed(1)}${unit}`;
    if (size < 1024) return `${size.toFixed(0)}${unit}`;
  }
  return `${(size / 1024).toFixed(1)}t`;
}

/** When a flow ended, in milliseconds since the epoch; now, where it does not know. */
export function endOf(flow: HttpFlow | TcpFlow): number {
  const { error, serverConn, clientConn } = flow;
  const end = flow.type === "http"
    ? flow.websocket?.timestampEnd ?? flow.response?.timestampEnd ?? error?.timestamp
    : error?.timestamp ?? serverConn?.timestampEnd ?? clientConn.timestampEnd;
  return end ?? Date.now();
}

/** `35ms`, `1.2s`, `2m05s` */
export function timeText(time: number): string {
  const ms = Math.max(0, Math.round(time));
  if (ms < 1000) return `${ms}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
}
