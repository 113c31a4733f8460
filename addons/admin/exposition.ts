/**
 * Prometheus' text format (version 0.0.4): families of samples, added up over isolates, and written.
 *
 * `prom-client` would do this, but an executable cannot be made with it: Deno 2.9.6's `deno compile` overflows its stack at the package
 * `bintrees`, which it depends on.
 * @module
 */

/** Value by labels as they are written: `` or `{side="client"}`. */
export type Samples = Record<string, number>;

/** One metric with all its samples. Plain data: isolates send it to each other. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** How values of several isolates become one; they are added up by default. */
  readonly merge?: "max";
  /** By what stands behind the name: `_bucket`, `_sum` and `_count` for a histogram. */
  readonly samples: Readonly<Record<string, Samples>>;
}

/** What the text is served as. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Labels as they are written; their order is that of the names. */
export function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** The families of all isolates as one. */
export function merged(isolates: readonly (readonly Family[])[]): Family[] {
  const all = new Map<string, Family>();
  for (const family of isolates.flat()) {
    const known = all.get(family.name);
    all.set(family.name, known === undefined ? family : mergedFamily(known, family));
  }
  return [...all.values()];
}

function mergedFamily(a: Family, b: Family): Family {
  const samples = structuredClone(a.samples) as Record<string, Samples>;
  for (const [suffix, values] of Object.entries(b.samples)) {
    const into = samples[suffix] ??= {};
    for (const [labels, value] of Object.entries(values)) {
      const before = into[labels];
      into[labels] = before === undefined
        ? value
        : a.merge === "max"
        ? Math.max(before, value)
        : before + value;
    }
  }
  return { ...a, samples };
}

/** All families as text. */
export function textOf(families: readonly Family[]): string {
  let text = "";
  for (const { name, help, type, samples } of families) {
    text += `# HELP ${name} ${help.replace(/\\/g, "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
    for (const [suffix, values] of Object.entries(samples)) {
      for (const [labels, value] of Object.entries(values)) {
        text += `${name}${suffix}${labels} ${numberOf(value)}\n`;
      }
    }
  }
  return text;
}

function numberOf(value: number): string {
  return Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** How long things took, counted by bounds. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds`: ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.#sum += value;
    this.#count++;
    const place = this.#bounds.findIndex((bound) => value <= bound);
    if (place >= 0) this.#counts[place]++;
  }

  /** Each bucket has all that is below its bound. */
  samples(): Family["samples"] {
    const buckets: Samples = {};
    let below = 0;
    this.#bounds.forEach((bound, i) => buckets[labelsOf({ le: String(bound) })] = below += this.#counts[i]);
    buckets[labelsOf({ le: "+Inf" })] = this.#count;
    return { _bucket: buckets, _sum: { "": this.#sum }, _count: { "": this.#count } };
  }
}
