/**
 * Cookies and parameters, taken apart for HAR (RFC 6265 §4, URL standard §5.1).
 * @module
 */
import type { Headers } from "../../http/mod.ts";
import type { HarCookie, HarPair } from "./types.ts";

/** What `Cookie` fields say. */
export function requestCookies(headers: Headers): HarCookie[] {
  return headers.getAll("cookie").flatMap((value) => value.split(";")).flatMap((part) => {
    const pair = part.trim();
    return pair === "" ? [] : [pairOf(pair)];
  });
}

/** What `Set-Cookie` fields say. */
export function responseCookies(headers: Headers): HarCookie[] {
  return headers.getSetCookie().map((field) => {
    const [first, ...attributes] = field.split(";");
    const cookie: HarCookie = { ...pairOf(first.trim()), httpOnly: false, secure: false };
    for (const { name, value } of attributes.map((text) => pairOf(text.trim()))) {
      const key = name.toLowerCase();
      if (key === "httponly") cookie.httpOnly = true;
      else if (key === "secure") cookie.secure = true;
      else if (key === "path") cookie.path = value;
      else if (key === "domain") cookie.domain = value;
      else if (key === "samesite") cookie.sameSite = value;
      else if (key === "expires") {
        const time = Date.parse(value);
        // A date that is none makes Chromium refuse the whole file.
        if (!Number.isNaN(time)) cookie.expires = new Date(time).toISOString();
      }
    }
    return cookie;
  });
}

/** The parameters of a query or a form; what cannot be decoded stays as it is. */
export function parameters(text: string): HarPair[] {
  return text === "" ? [] : text.split("&").filter((part) => part !== "").map((part) => {
    const { name, value } = pairOf(part);
    return { name: decode(name), value: decode(value) };
  });
}

function pairOf(text: string): HarPair {
  const at = text.indexOf("=");
  return at === -1 ? { name: text, value: "" } : { name: text.slice(0, at), value: text.slice(at + 1) };
}

function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
