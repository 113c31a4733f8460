/**
 * A request as it leaves: values in the place of placeholders, added fields, and what the way back needs.
 * @module
 */
import { WeirError } from "../errors.ts";
import type { Departure } from "../hooks/mod.ts";
import { hasToken, type Headers, listElements } from "../http/mod.ts";
import { limit, type Stage } from "../streams/mod.ts";
import type { Case } from "./case.ts";
import type { Loaded } from "./loaded.ts";
import { requestBody } from "./secrets/request_body.ts";
import { bytesText, type HeadText, substituteHead, type Towards } from "./secrets/request_head.ts";
import type { Secret } from "./secrets/secret.ts";

/** Content codings that can be taken off what comes back. */
const CODINGS = new Set(["gzip", "x-gzip", "deflate", "br", "zstd", "identity"]);

/** What is sent of a request with this head, which carries the placeholders of these secrets. */
export function departure(
  given: HeadText,
  towards: Towards,
  carried: readonly Secret[],
  loaded: Loaded,
  found: Case,
): Departure {
  const { host, port, isSecure } = towards;
  const { use, rule } = found;
  const mine = loaded.secrets.filter((secret) => (isSecure || secret.plain) && secret.hosts.has(host, port));
  let head = given;
  if (carried.length > 0) {
    head = substituteHead(head, carried.filter((secret) => mine.includes(secret)), use);
    // Where others are let pass (mode: warn), they stay.
    substituteHead(head, carried.filter((secret) => !mine.includes(secret)), use, () => false);
  }
  const headers = loaded.secrets.length === 0 ? head.headers : readable(head.headers, given.headers);
  return {
    path: head.path,
    headers: added(headers, given.headers, towards, loaded, found),
    body: () => {
      const meant = mine.filter(({ places }) => places.some(({ kind }) => kind === "body"));
      const change = requestBody(given.headers, meant, loaded.secrets, use);
      const most = rule?.uploads ?? null;
      const stages: Stage[] = most === null ? [] : [limit(most, () => tooLarge(most, rule!.line))];
      return { stages: [...stages, ...change?.stages ?? []], keepsLength: change?.keepsLength ?? true };
    },
  };
}

function tooLarge(most: number, line: number): WeirError {
  const text = `The request is denied: its body has more than ${most} bytes (uploads in line ${line}).`;
  return new WeirError("weir", "policy", text, { statusCode: 413 });
}

/** Fields by which nothing comes back that could not be looked into: codings that are known, WebSockets without compression. */
function readable(headers: Headers, original: Headers): Headers {
  const accepted = headers.get("accept-encoding");
  const known = accepted === null
    ? []
    : listElements(accepted).filter((element) => CODINGS.has(element.split(";")[0].trim().toLowerCase()));
  const isFine = accepted === null || known.length === listElements(accepted).length;
  const isPlain = !headers.has("sec-websocket-extensions");
  if (isFine && isPlain) return headers;
  const changed = headers === original ? headers.clone() : headers;
  if (!isFine) changed.set("accept-encoding", known.length === 0 ? "identity" : known.join(", "));
  changed.delete("sec-websocket-extensions");
  return changed;
}

function added(
  headers: Headers,
  original: Headers,
  { host, port, isSecure }: Towards,
  loaded: Loaded,
  found: Case,
): Headers {
  let changed = headers;
  // Only WebSockets are looked into behind an Upgrade.
  if (headers.has("upgrade") && !hasToken(headers.get("upgrade"), "websocket")) {
    changed = headers === original ? headers.clone() : headers;
    changed.delete("upgrade");
  }
  for (const { hosts, headers: fields } of loaded.add) {
    if (!hosts.has(host, port)) continue;
    for (const [name, template] of fields) {
      const value = filled(template, loaded.secrets, { host, port, isSecure }, found);
      if (value === null) continue;
      if (changed === original) changed = headers.clone();
      changed.set(name, value);
    }
  }
  return changed;
}

/** A field's value with secrets in it; null where one may not go there. */
function filled(
  template: string,
  secrets: readonly Secret[],
  { host, port, isSecure }: Towards,
  found: Case,
): string | null {
  const named = [...template.matchAll(/\$\{([^}]*)\}/g)].map(([, name]) =>
    secrets.find((secret) => secret.name === name)!
  );
  const isMeant = (secret: Secret) => secret.hosts.has(host, port) && (isSecure || secret.plain);
  if (named.length === 0 ? !isSecure : !named.every(isMeant)) return null;
  for (const { name } of named) found.use.injected.add(name);
  return template.replace(
    /\$\{([^}]*)\}/g,
    (_, name) => bytesText(secrets.find((secret) => secret.name === name)!.reveal()),
  );
}
