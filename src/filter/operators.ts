/**
 * The operators of the filter language: what each asks of a flow, and when the answer is known.
 *
 * Names and meanings are mitmproxy's (`flowfilter.py`); `~streamed`, `~size`, `~time`, `~ttfb`, `~version`, `~sse`, `~graphql` and
 * classes of statuses (`~c 4xx`) are weir's own. Regular expressions are Python's, search anywhere and ignore case.
 * @module
 */
import type { Flow, HttpFlow } from "../flow/flow.ts";
import { parseSize } from "../options/mod.ts";
import { bodiesMatch, type BodySide } from "./bodies.ts";
import * as facts from "./facts.ts";
import { graphqlNames } from "./graphql.ts";
import { type Condition, type FlowFacts, likePattern } from "./narrow.ts";
import { PatternError, type PatternOptions, pythonRegex } from "./python_regex.ts";
import { either, hasResponse, type Verdict } from "./verdict.ts";

/** What must be there before an operator can give its answer. */
export type Need = "request" | "response" | "bodies" | "end";

/** One operator with its argument. */
export interface Term {
  readonly needs: Need;
  decide(flow: Flow): Verdict;
  /** The answer to its contrary, where that is not simply the contrary of `decide`. */
  refuse?(flow: Flow): Verdict;
  /** What is true of all flows that have ended and match. */
  readonly narrow?: Condition;
  /** `narrow` is true of no others. */
  readonly isNarrowExact?: boolean;
}

/** Says what is wrong with an argument, `offset` characters into it. */
type Fail = (reason: string, offset?: number) => never;

/** How an operator is read. */
export interface Operator {
  /** What must follow it, in words; null for nothing. */
  readonly argument: string | null;
  /** What follows may be left out. */
  readonly isOptional?: boolean;
  /** False for what follows but is no argument of it. */
  takes?(argument: string): boolean;
  /** `argument` is "" where there is none. */
  make(argument: string, fail: Fail): Term;
}

const MULTILINE = { multiline: true };
const BYTES = { bytes: true };
const BLOCK = { bytes: true, multiline: true };

/** By name, without the `~`. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  a: plain("response", ofResponse(facts.isAsset)),
  all: plain("request", () => true),
  b: bodies("both"),
  bq: bodies("request"),
  bs: bodies("response"),
  c: { argument: "a status such as 404, or a class of them such as 4xx", make: status },
  comment: regex("request", MULTILINE, (flow, found) => found(flow.comment)),
  d: regex("request", {}, ofHttp((flow, found) => facts.hosts(flow.request).some(found)), [
    "host",
    "hostField",
  ]),
  dns: plain("request", () => false),
  dst: regex("request", {}, (flow, found) => found(facts.destination(flow))),
  e: plain(
    "end",
    (flow) => flow.error !== null ? true : flow.live ? undefined : false,
    factIs("hasError", true),
  ),
  graphql: regex("bodies", {}, ofHttp((flow, found) => graphqlNames(flow)?.some(found))),
  h: regex(
    "response",
    BLOCK,
    ofHttp((flow, found) => either(inHead(flow, found), inResponseHead(flow, found))),
  ),
  hq: regex("request", BLOCK, ofHttp(inHead)),
  hs: regex("response", BLOCK, ofHttp(inResponseHead)),
  http: plain("request", (flow) => flow.type === "http", factIs("type", "http")),
  m: regex("request", BYTES, ofHttp((flow, found) => found(flow.request.method)), ["method"]),
  marked: plain("request", (flow) => flow.marked !== ""),
  marker: regex("request", {}, (flow, found) => found(flow.marked)),
  meta: regex("request", MULTILINE, (flow, found) => found(facts.metadataText(flow.metadata))),
  q: {
    argument: null,
    make: () => ({ needs: "request", decide: hasNoResponse, refuse: orOther(hasResponse) }),
  },
  replay: plain("request", (flow) => flow.isReplay !== null),
  replayq: plain("request", (flow) => flow.isReplay === "request"),
  replays: plain(
    "response",
    (flow) => flow.isReplay === "response" ? true : hasResponse(flow) === undefined ? undefined : false,
  ),
  s: {
    argument: null,
    make: () => ({ needs: "response", decide: hasResponse, refuse: orOther(hasNoResponse) }),
  },
  size: compared("a size such as >10k", parseSize, facts.sizeOf, "size"),
  src: regex("request", {}, ({ clientConn }, found) => found(facts.addressText(clientConn.address))),
  sse: plain("response", ofResponse(facts.isEventStream)),
  streamed: {
    argument: `a reason (${facts.STREAM_REASONS.join(", ")})`,
    isOptional: true,
    takes: (argument) => facts.STREAM_REASONS.includes(argument),
    make: (reason) => ({ needs: "bodies", decide: (flow) => facts.isStreamed(flow, reason) }),
  },
  t: regex(
    "response",
    BYTES,
    ofHttp((flow, found) => either(inType(flow, found), inResponseType(flow, found))),
  ),
  tcp: plain("request", (flow) => flow.type === "tcp", factIs("type", "tcp")),
  time: compared("milliseconds such as >500", parseMilliseconds, facts.durationOf, "durationMs"),
  tq: regex("request", BYTES, ofHttp(inType)),
  ts: regex("response", BYTES, ofHttp(inResponseType)),
  ttfb: compared("milliseconds such as >200", parseMilliseconds, facts.firstByteOf, "ttfbMs"),
  u: regex("request", {}, ofHttp((flow, found) => found(flow.request.prettyUrl))),
  udp: plain("request", () => false),
  version: { argument: "an HTTP version (1, 1.0, 1.1 or 2)", make: version },
  websocket: plain("response", facts.isWebSocket),
};

/** Whether a text is there and matches. */
type Found = (text: string | null) => boolean;

/** `narrow` says the same as `decide` of flows that have ended. */
function plain(needs: Need, decide: (flow: Flow) => Verdict, narrow?: Condition): Operator {
  return { argument: null, make: () => ({ needs, decide, narrow, isNarrowExact: true }) };
}

function factIs(fact: keyof FlowFacts, value: string | boolean): Condition {
  return { kind: "fact", fact, test: "=", value };
}

function regex(
  needs: Need,
  options: PatternOptions,
  decide: (flow: Flow, found: Found) => Verdict,
  searched: readonly (keyof FlowFacts)[] = [],
): Operator {
  return {
    argument: "a regular expression",
    make(argument, fail) {
      const pattern = patternOf(argument, options, fail);
      const found: Found = (text) => text !== null && pattern.test(text);
      return { needs, decide: (flow) => decide(flow, found), narrow: oneIsLike(searched, argument) };
    },
  };
}

/** Matching means that one of these facts is like the expression; undefined where that cannot be said simply. */
function oneIsLike(searched: readonly (keyof FlowFacts)[], expression: string): Condition | undefined {
  const value = searched.length === 0 ? null : likePattern(expression);
  if (value === null) return undefined;
  return { kind: "any", parts: searched.map((fact) => ({ kind: "fact", fact, test: "like", value })) };
}

function bodies(side: BodySide): Operator {
  return {
    argument: "a regular expression",
    make(argument, fail) {
      const pattern = patternOf(argument, { bytes: true, dotAll: true }, fail);
      return { needs: "bodies", decide: (flow) => bodiesMatch(flow, side, pattern) };
    },
  };
}

function patternOf(argument: string, options: PatternOptions, fail: Fail): RegExp {
  try {
    return pythonRegex(argument, { ignoreCase: true, ...options });
  } catch (error) {
    if (error instanceof PatternError) fail(error.message, error.offset);
    throw error;
  }
}

/** An operator that is false for what is no HTTP flow. */
function ofHttp<Rest extends unknown[]>(
  decide: (flow: HttpFlow, ...rest: Rest) => Verdict,
): (flow: Flow, ...rest: Rest) => Verdict {
  return (flow, ...rest) => flow.type === "http" && decide(flow, ...rest);
}

/** The same for what only a response can say: unknown until it is there, false without one. */
function ofResponse(
  decide: (response: NonNullable<HttpFlow["response"]>) => boolean,
): (flow: Flow) => Verdict {
  return ofHttp((flow) => flow.response === null ? hasResponse(flow) : decide(flow.response));
}

/** True for requests that have no answer yet: rules are aimed at requests with `~q`, at responses with `~s`. */
function hasNoResponse(flow: Flow): boolean {
  return flow.type === "http" && flow.response === null;
}

/** The contrary of what only HTTP flows can be also holds for all others. */
function orOther(decide: (flow: Flow) => Verdict): (flow: Flow) => Verdict {
  return (flow) => flow.type !== "http" || decide(flow);
}

function inHead(flow: HttpFlow, found: Found): boolean {
  return found(facts.headText(flow.request.headers));
}

function inResponseHead(flow: HttpFlow, found: Found): Verdict {
  return flow.response === null ? hasResponse(flow) : found(facts.headText(flow.response.headers));
}

function inType(flow: HttpFlow, found: Found): boolean {
  return flow.request.headers.getAll("content-type").some(found);
}

function inResponseType(flow: HttpFlow, found: Found): Verdict {
  return flow.response === null
    ? hasResponse(flow)
    : flow.response.headers.getAll("content-type").some(found);
}

function status(argument: string, fail: Fail): Term {
  if (!/^\d+$|^[1-9]xx$/i.test(argument)) fail(`~c needs ${OPERATORS.c.argument}, not ${argument}`);
  const isOne = /^\d/.test(argument) && !/x/i.test(argument);
  const code = Number.parseInt(argument);
  const decide = ofResponse(({ statusCode }) =>
    isOne ? statusCode === code : Math.floor(statusCode / 100) === code
  );
  const narrow: Condition = isOne ? { kind: "fact", fact: "status", test: "=", value: code } : {
    kind: "all",
    parts: [
      { kind: "fact", fact: "status", test: ">=", value: code * 100 },
      { kind: "fact", fact: "status", test: "<", value: code * 100 + 100 },
    ],
  };
  return { needs: "response", decide, narrow, isNarrowExact: true };
}

function version(argument: string, fail: Fail): Term {
  const versions: Record<string, string[]> = {
    "1": ["HTTP/1.0", "HTTP/1.1"],
    "1.0": ["HTTP/1.0"],
    "1.1": ["HTTP/1.1"],
    "2": ["HTTP/2.0"],
    "2.0": ["HTTP/2.0"],
  };
  const wanted = Object.hasOwn(versions, argument) ? versions[argument] : undefined;
  if (wanted === undefined) fail(`~version needs ${OPERATORS.version.argument}, not ${argument}`);
  const decide = ofHttp(({ request }) => wanted.includes(request.httpVersion));
  return { needs: "request", decide };
}

/** A number that is compared: `>10k`, `>=10k`, `<10k`, `<=10k`, `=10k`. */
function compared(
  what: string,
  parse: (text: string) => number | null,
  measure: (flow: Flow) => facts.Measure,
  fact: keyof FlowFacts,
): Operator {
  return {
    argument: what,
    make(argument, fail) {
      const [, sign, number] = /^([<>]=?|=)?(.*)$/s.exec(argument)!;
      const bound = parse(number);
      if (sign === undefined || bound === null) {
        return fail(`a comparison with ${what} is needed, not ${argument}`);
      }
      const compare = COMPARISONS[sign];
      const settled = (holds: boolean) => sign !== "=" && holds === sign.startsWith(">");
      const decide = (flow: Flow) => {
        const { value, isFinal } = measure(flow);
        if (value === null) return isFinal ? false : undefined;
        const holds = compare(value, bound);
        // What only grows has passed a bound for good.
        return isFinal || value > bound || settled(holds) ? holds : undefined;
      };
      const narrow: Condition = { kind: "fact", fact, test: sign as Comparison, value: bound };
      return { needs: "end", decide, narrow, isNarrowExact: true };
    },
  };
}

type Comparison = "<" | "<=" | "=" | ">=" | ">";

const COMPARISONS: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  ">": (value, bound) => value > bound,
  ">=": (value, bound) => value >= bound,
  "<": (value, bound) => value < bound,
  "<=": (value, bound) => value <= bound,
  "=": (value, bound) => value === bound,
};

function parseMilliseconds(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text);
  return match === null ? null : Number(match[1]) * (match[2] === "s" ? 1000 : 1);
}
