/**
 * `parseFilter`: a filter expression as a function of a flow.
 * @module
 */
import type { Flow, HttpFlow } from "../flow/flow.ts";
import type { Message } from "../flow/message.ts";
import { FlowAtMessage } from "./moment.ts";
import { type Condition, negated } from "./narrow.ts";
import type { Need } from "./operators.ts";
import { type Node, parse } from "./parser.ts";
import type { Verdict } from "./verdict.ts";

/**
 * What a filter expression became. Called with a flow it says whether the flow matches as far as is known: what is not known yet
 * is no match.
 */
export interface Filter {
  (flow: Flow): boolean;
  /** The expression. */
  readonly text: string;
  /**
   * What the whole answer may need: the request's head, the response's head, the bodies (which must then be buffered or kept),
   * or the end of the flow. Often less is enough: ask `decide`.
   */
  readonly needs: Need;
  /** True or false once it is certain that the answer stays; undefined while it is not. */
  decide(flow: Flow): boolean | undefined;
  /**
   * The answer for a rule that acts on a message: what comes behind it counts as absent, and matches nothing (`~c 404` is false of
   * a request, `!~c 404` is true). Undefined only where it takes the body of this message, which has yet to come.
   */
  decideFor(flow: HttpFlow, message: Message): boolean | undefined;
  /**
   * What is true of every flow that has ended and matches, in `flowFacts` alone; null when nothing is. For who has many
   * flows in a database: it finds those that may match, and the filter then says which do.
   */
  readonly narrow: Condition | null;
}

/** From the least to the most. */
const NEEDS: readonly Need[] = ["request", "response", "bodies", "end"];

/**
 * Reads a filter in mitmproxy's language: `~m POST & ~d example`, `~c 5xx | ~e`, `!~b "secret"`. Regular expressions are Python's
 * and ignore case; plain words match the URL.
 *
 * ```ts
 * import { parseFilter } from "weir";
 *
 * const failed = parseFilter("~d api.example & (~c 5xx | ~e)");
 * export function complete(flow: HttpFlow) {
 *   if (failed(flow)) console.log(flow.request.url);
 * }
 * ```
 *
 * `~q` and `~s` speak of the moment: in `requestheaders` and `request` a flow matches `~q`, from `responseheaders` on `~s`.
 * @throws {FilterError} that says what is wrong, and at which character.
 */
export function parseFilter(text: string): Filter {
  const root = parse(text);
  const filter = (flow: Flow) => decide(root, flow, true) === true;
  return Object.assign(filter, {
    text,
    needs: NEEDS[needOf(root)],
    decide: (flow: Flow) => decide(root, flow, true),
    narrow: narrowed(root, true),
    decideFor: (flow: HttpFlow, message: Message) =>
      // What filters read of a flow is all there.
      decide(root, new FlowAtMessage(flow, message) as unknown as HttpFlow, true),
  });
}

/** Whether `node` holds; with `wanted` false, whether its contrary does. */
function decide(node: Node, flow: Flow, wanted: boolean): Verdict {
  if (node.kind === "not") return decide(node.part, flow, !wanted);
  if (node.kind === "term") {
    if (wanted) return node.term.decide(flow);
    if (node.term.refuse !== undefined) return node.term.refuse(flow);
    const verdict = node.term.decide(flow);
    return verdict === undefined ? undefined : !verdict;
  }
  // Of the contrary of "all of these", one is enough (De Morgan).
  const enough = (node.kind === "any") === wanted;
  let verdict: Verdict = !enough;
  for (const part of node.parts) {
    const one = decide(part, flow, wanted);
    if (one === enough) return enough;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

function needOf(node: Node): number {
  if (node.kind === "term") return NEEDS.indexOf(node.term.needs);
  if (node.kind === "not") return needOf(node.part);
  return Math.max(...node.parts.map(needOf));
}

/** What is true of all flows for which `node` holds (with `wanted` false: its contrary); null for nothing. */
function narrowed(node: Node, wanted: boolean): Condition | null {
  if (node.kind === "not") return narrowed(node.part, !wanted);
  if (node.kind === "term") {
    const { narrow, isNarrowExact } = node.term;
    if (narrow === undefined) return null;
    return wanted ? narrow : isNarrowExact ? negated(narrow) : null;
  }
  const conditions = node.parts.map((part) => narrowed(part, wanted));
  const known = conditions.filter((condition) => condition !== null);
  // All of these (or of the contrary of "any of these"): what some say is true. Any of these: only what each has something to say to.
  const isAll = (node.kind === "all") === wanted;
  if (known.length === 0 || !isAll && known.length < conditions.length) return null;
  return known.length === 1 ? known[0] : { kind: isAll ? "all" : "any", parts: known };
}
