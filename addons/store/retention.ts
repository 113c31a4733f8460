/**
 * The option `flow_store_keep`: how long flows are kept (`7d`), how much of them (`10g`), or both (`7d,10g`).
 * @module
 */

/** What is kept; null is no bound. */
export interface Keep {
  readonly ms: number | null;
  readonly bytes: number | null;
}

const HOUR_MS = 3_600_000;
const MEASURES: Readonly<Record<string, { readonly of: keyof Keep; readonly unit: number }>> = {
  h: { of: "ms", unit: HOUR_MS },
  d: { of: "ms", unit: 24 * HOUR_MS },
  m: { of: "bytes", unit: 1024 ** 2 },
  g: { of: "bytes", unit: 1024 ** 3 },
  t: { of: "bytes", unit: 1024 ** 4 },
};

/** @throws {SyntaxError} that says what is wrong. */
export function parseKeep(text: string): Keep {
  const keep: { ms: number | null; bytes: number | null } = { ms: null, bytes: null };
  for (const part of text.split(",")) {
    const match = /^(\d+(?:\.\d+)?)([hdmgt])$/i.exec(part.trim());
    const measure = match && MEASURES[match[2].toLowerCase()];
    const value = match && Number(match[1]) * measure!.unit;
    if (!measure || !value) {
      throw new SyntaxError(`${part.trim() || "nothing"} is no age (12h, 7d) and no size (500m, 10g, 1t)`);
    }
    if (keep[measure.of] !== null) {
      throw new SyntaxError(`there are two ${measure.of === "ms" ? "ages" : "sizes"}`);
    }
    keep[measure.of] = value;
  }
  return keep;
}
