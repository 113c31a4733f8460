/**
 * The bounds that hold whatever version of HTTP a peer speaks (contract §5).
 * @module
 */

/** Bytes of a request line, or what would be one: 414. */
export const MAX_START_LINE = 16 * 1024;
/** Bytes of a header block or trailer section: 431. HTTP/2 counts as RFC 9113 §6.5.2 does: names, values, 32 for each field. */
export const MAX_FIELD_BLOCK = 64 * 1024;
/** Fields of one block: 431. Pseudo-header fields do not count. */
export const MAX_FIELDS = 200;
/** The same from origins, where the option `lenient` is on. */
export const MAX_LENIENT_FIELDS = 1000;
/** Interim responses to one request: generous for progress reports, not for a server that sends nothing else. */
export const MAX_INTERIM = 100;
/** Milliseconds from a head's first byte to its end: 408. */
export const HEAD_TIMEOUT_MS = 30_000;
/** Milliseconds without a request; longer than browsers keep connections, so that closing is usually the client's choice. */
export const IDLE_TIMEOUT_MS = 300_000;
