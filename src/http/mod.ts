/**
 * HTTP semantics (RFC 9110): what both versions, and whoever stands above them, share. Nothing here knows flows or sockets.
 *
 * `wire.ts` is where the versions meet the exchange; the rest is authorities, fields and the characters they are made of, statuses, limits, the page of an error.
 * @module
 */
export * from "./authority.ts";
export { errorPage } from "./error_page.ts";
export { FieldKind, fieldKind, mayBeTrailer, nominated } from "./field_kind.ts";
export { hasToken, isBlank, isFieldValue, isTarget, listElements, trimBlanks } from "../http_grammar.ts";
export { Headers, type HeadersInit, isToken } from "./headers.ts";
export * from "./limits.ts";
export * from "./status.ts";
export type * from "./wire.ts";
