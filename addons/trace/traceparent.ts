/**
 * The field `traceparent` (W3C Trace Context, §3.2).
 * @module
 */

/** Where a span stands: which trace, and which span is above the next one. */
export interface Parent {
  /** 32 hex digits, not all 0. */
  readonly traceId: string;
  /** 16 hex digits, not all 0. */
  readonly spanId: string;
  readonly traceFlags: number;
}

/** Reads a field; null when it is none, or says something that cannot be. */
export function readParent(value: string | null): (Parent & { readonly isRemote: true }) | null {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(value?.trim() ?? "");
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  if (version === "ff" || version === "00" && more !== undefined) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

/** The field for what comes below this span. */
export function writeParent({ traceId, spanId, traceFlags }: Parent): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** The beginning of a trace, not sampled: nobody exports it. */
export function randomParent(): Parent {
  const hex = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).toHex();
  return { traceId: hex(16), spanId: hex(8), traceFlags: 0 };
}
