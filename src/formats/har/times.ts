/**
 * Times of an exchange as HAR parts them, there and back.
 * @module
 */
import type { HttpFlow } from "../../flow/flow.ts";
import type { HarTimings } from "./types.ts";

/** Milliseconds, to the microsecond. */
export function ms(time: number): number {
  return Math.round(time * 1e3) / 1e3;
}

/** ISO 8601 in UTC, with microseconds where there are any. */
export function harDate(time: number): string {
  const micros = Math.round(time * 1e3), millis = Math.floor(micros / 1e3), rest = micros - millis * 1e3;
  const date = new Date(millis).toISOString();
  return rest === 0 ? date : date.replace("Z", `${String(rest).padStart(3, "0")}Z`);
}

/** Milliseconds since the epoch of an ISO 8601 date, fractions of a millisecond included; NaN for what is none. */
export function parseHarDate(text: string): number {
  const whole = Date.parse(text);
  const beyond = /\.\d{3}(\d{1,6})/.exec(text)?.[1];
  return beyond === undefined ? whole : ms(whole + Number(`0.${beyond}`));
}

/** The phases of an exchange. The connection counts where it was made for it. */
export function timingsOf({ request, response, serverConn, error }: HttpFlow): HarTimings {
  const start = request.timestampStart;
  const sent = request.timestampEnd ?? response?.timestampStart ?? start;
  let connect = -1, ssl = -1;
  if (serverConn !== null && serverConn.timestampStart >= start && serverConn.timestampTcpSetup !== null) {
    const { timestampStart, timestampTcpSetup, timestampTlsSetup } = serverConn;
    connect = (timestampTlsSetup ?? timestampTcpSetup) - timestampStart;
    if (timestampTlsSetup !== null) ssl = timestampTlsSetup - timestampTcpSetup;
  }
  const answered = response?.timestampStart ?? error?.timestamp ?? sent;
  const ended = response === null ? answered : response.timestampEnd ?? error?.timestamp ?? answered;
  return {
    blocked: -1,
    dns: -1,
    connect: known(connect),
    ssl: known(ssl),
    send: span(sent - start),
    wait: span(answered - sent - Math.max(0, connect)),
    receive: span(ended - answered),
  };
}

/** How long it took in all; `ssl` is a part of `connect`. */
export function totalOf({ blocked, dns, connect, send, wait, receive }: HarTimings): number {
  return ms([blocked, dns, connect, send, wait, receive].reduce((sum, part) => sum + Math.max(0, part), 0));
}

function span(time: number): number {
  return ms(Math.max(0, time));
}

function known(time: number): number {
  return time < 0 ? -1 : ms(time);
}
