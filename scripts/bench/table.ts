/**
 * The Markdown table: a row for each proxy in each case.
 * @module
 */
import type { Case, Reach, Sample } from "./cases/case.ts";
import type { Outcome } from "./rounds.ts";
import { median, medians, ratios } from "./statistics.ts";

const HEADER = ["work", "proxy", "median", "further medians", "CPU", "weir ÷ proxy, each round", "reach"];
const GIB = 2 ** 30;

/** The rows of one case, without the header. */
export function rows(job: Case, outcomes: readonly Outcome[]): string[][] {
  const ours = valuesOf(outcomes.find(({ peer }) => peer === "weir"));
  return outcomes.map((outcome, index) => {
    const values = valuesOf(outcome);
    const name = index === 0 ? job.name : "";
    if (values.length === 0) {
      return [name, outcome.peer, `– (${outcome.failure ?? "no result"})`, "", "", "", ""];
    }
    const theirs = outcome.peer === "weir" ? [] : ratios(ours, values);
    return [
      name,
      outcome.peer,
      `${number(median(values))} ${job.unit}`,
      details(outcome.samples),
      cpu(outcome.samples),
      theirs.length === 0 ? "" : `**${number(median(theirs))}** (${theirs.map(number).join(", ")})`,
      verdict(job.reach ?? [], outcome, median(theirs)),
    ];
  });
}

/** The whole table. */
export function markdown(rows: readonly string[][]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(HEADER), `|${HEADER.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** Three significant digits, and a thin group separator where there are more. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, " ");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function valuesOf(outcome: Outcome | undefined): number[] {
  return outcome?.samples.map(({ value }) => value) ?? [];
}

function details(samples: readonly Sample[]): string {
  const middle = medians(samples.map((sample) => sample.details ?? {}));
  return Object.entries(middle).map(([label, value]) => {
    const [name, unit] = label.split(/ (?=\S+$)/);
    return unit === undefined ? `${number(value)} ${name}` : `${name} ${number(value)} ${unit}`;
  }).join(", ");
}

function cpu(samples: readonly Sample[]): string {
  const used = samples.flatMap(({ cpu }) => cpu === undefined ? [] : [cpu]);
  const perRequest = used.flatMap(({ seconds, requests }) => requests ? [seconds / requests * 1e6] : []);
  const perGib = used.flatMap(({ seconds, bytes }) => bytes ? [seconds / bytes * GIB] : []);
  if (perRequest.length > 0) return `${number(median(perRequest))} µs each`;
  return perGib.length > 0 ? `${number(median(perGib))} s/GiB` : "";
}

/** Whether weir is where it should be beside this peer, or, in its own row, beside a fixed figure. */
function verdict(reach: readonly Reach[], { peer, samples }: Outcome, ratio: number): string {
  const words = reach.flatMap(({ than, detail, atLeast, atMost }) => {
    if ((than ?? "weir") !== peer) return [];
    const own = samples.map((sample) =>
      detail === undefined ? sample.value : sample.details?.[detail] ?? NaN
    );
    const reached = than === undefined ? median(own) : ratio;
    if (Number.isNaN(reached)) return [];
    const met = (atLeast === undefined || reached >= atLeast) && (atMost === undefined || reached <= atMost);
    const wanted = atLeast === undefined ? `≤ ${number(atMost!)}` : `≥ ${number(atLeast)}`;
    return [`${detail === undefined ? "" : `${detail} `}${wanted} ${met ? "met" : "**missed**"}`];
  });
  return words.join(", ");
}
