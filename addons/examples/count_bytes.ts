/**
 * Counts the bytes of bodies per host, both ways, as they are on the wire, and prints the table when weir ends.
 *
 *     weir -s addons/examples/count_bytes.ts
 */
import { type Context, countStream, type HttpFlow } from "weir";

/** Hosts with a line of their own; those that come later are counted together. */
const MAX_HOSTS = 10_000;

interface Total {
  up: number;
  down: number;
  /** Bodies that did not come to their end: nobody knows how much of them arrived. */
  cut: number;
}

const totals = new Map<string, Total>();

export function requestheaders(flow: HttpFlow) {
  flow.request.stream = countStream((bytes) => add(flow, "up", bytes));
}

export function responseheaders(flow: HttpFlow) {
  flow.response!.stream = countStream((bytes) => add(flow, "down", bytes));
}

export function done(ctx: Context) {
  const rows = [...totals].sort(([, a], [, b]) => b.up + b.down - a.up - a.down);
  for (const [host, { up, down, cut }] of rows) ctx.print(`${host}: ${up} up, ${down} down, ${cut} cut\n`);
}

function add({ request: { host } }: HttpFlow, way: "up" | "down", bytes: number | null) {
  const name = totals.has(host) || totals.size < MAX_HOSTS ? host : "other hosts";
  const total = totals.get(name) ?? { up: 0, down: 0, cut: 0 };
  totals.set(name, total);
  if (bytes === null) total.cut++;
  else total[way] += bytes;
}
