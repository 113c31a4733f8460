/**
 * Moving the dates of a recorded answer into the present (mitmproxy `Response.refresh`).
 * @module
 */
import type { Response } from "weir";

const DATES = ["date", "expires", "last-modified"];

/** Moves `date`, `expires`, `last-modified` and the expiry of cookies by the time that has gone by since the answer was recorded. */
export function refresh(response: Response, recordedAt: number, now = Date.now()): void {
  const moved = (text: string) => {
    const time = Date.parse(text);
    return Number.isNaN(time) ? text : new Date(time + now - recordedAt).toUTCString();
  };
  const { headers } = response;
  for (const name of DATES) {
    const value = headers.get(name);
    if (value !== null) headers.set(name, moved(value));
  }
  const cookies = headers.getSetCookie();
  if (cookies.length === 0) return;
  headers.delete("set-cookie");
  for (const cookie of cookies) {
    headers.append(
      "Set-Cookie",
      cookie.replace(/(;\s*expires\s*=\s*)([^;]*)/i, (_, name, date) => name + moved(date)),
    );
  }
}
