/**
 * The option `modify_body` (`-B`): what an expression matches in bodies is replaced (mitmproxy `addons/modifybody.py`).
 *
 *     weir -B '|~s & ~t html|</body>|<script src="/mine.js"></script></body>'
 *     weir -B '/(\d+) EUR/\1 USD' -B '|secret|@~/replacement.txt'
 *
 * Content codings are taken off and put on again. A body that is streamed, whatever decides that, comes out as it would have if it
 * had been buffered; where the expression cannot be followed while text flows (a lookahead for one), or a filter asks for the body,
 * the body is buffered, up to `body_buffer_limit`: a longer one ends the flow, and is never passed on as it was. Event streams are
 * edited event by event, each on its own.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  decoded,
  type Filter,
  type HttpFlow,
  type Loader,
  type Message,
} from "weir";
import { BodyEdit, type BytesTransform, isSame, through, type Warn } from "./rules/body_edit.ts";
import { editEvents } from "./rules/edit_events.ts";
import { type Form, Spec } from "./rules/spec.ts";

const OPTION = "modify_body";
const FORM: Form = { text: "/[filter/]regex/[@]replacement", parts: 2, filter: "optional" };

interface Rule {
  readonly filter: Filter;
  readonly edit: BodyEdit;
}

export default class ModifyBody implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  /** What it was to change must not pass as it is. */
  readonly failClosed = true;
  #rules: Rule[] = [];
  /** Most bytes that are held to find a match, or the end of an event. */
  #hold = Number.MAX_SAFE_INTEGER;

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Replace in bodies, buffered and streamed; \\1 stands for a group, @ takes the text from a file.",
      { metavar: FORM.text, group: "Rules" },
    );
  }

  configure(options: AddonOptions) {
    this.#hold = options.get<number | null>("body_buffer_limit") || Number.MAX_SAFE_INTEGER;
    this.#rules = options.get<string[]>(OPTION).map((text) => {
      const spec = new Spec(OPTION, text, FORM);
      return { filter: spec.filter, edit: new BodyEdit(spec) };
    });
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow, ctx: Context) {
    if (flow.live && flow.response === null) this.#atHead(flow, flow.request, warning(flow, ctx));
  }

  request(flow: HttpFlow, ctx: Context) {
    if (flow.live && flow.response === null) return this.#withBody(flow, flow.request, warning(flow, ctx));
  }

  responseheaders(flow: HttpFlow, ctx: Context) {
    if (flow.live && flow.response !== null) this.#atHead(flow, flow.response, warning(flow, ctx));
  }

  response(flow: HttpFlow, ctx: Context) {
    if (flow.live && flow.response !== null) return this.#withBody(flow, flow.response, warning(flow, ctx));
  }

  /** Arranges for a body that will be streamed, and has it buffered where it must be. */
  #atHead(flow: HttpFlow, message: Message, warn: Warn): void {
    const verdicts = this.#rules.map(({ filter }) => filter.decideFor(flow, message));
    if (verdicts.every((verdict) => verdict === false) || codingOf(message, warn) === "unknown") return;
    if (verdicts.includes(undefined)) return message.needWhole(`${OPTION}: a filter asks for the body`);
    const edits = this.#rules.filter((_, i) => verdicts[i]).map(({ edit }) => edit);
    const whyWhole = isEventStream(message) ? null : edits.find((edit) => edit.whyWhole !== null)?.whyWhole;
    if (whyWhole) return message.needWhole(`${OPTION}: ${whyWhole}`);
    message.whenStreamed(() => decoded(message, ...this.#streams(message, edits, warn)));
  }

  /** Edits a body that was buffered. */
  async #withBody(flow: HttpFlow, message: Message, warn: Warn): Promise<void> {
    if (message.streamedBy !== null) return;
    const { content, rawContent } = message;
    if (content === null || rawContent === null) return this.#late(flow, message, warn);
    // Rules that match only what others make of the body ask for it: they are looked at in their turn.
    const rules = this.#rules.filter(({ filter }) =>
      filter.needs === "bodies" || filter.needs === "end" || filter.decideFor(flow, message) === true
    );
    if (rules.length === 0 || content.length === 0) return;
    const coding = codingOf(message, warn);
    if (coding === "unknown") return;
    if (coding === "known" && content === rawContent) {
      // There is too much of it to unfold at once, but not to be edited as it unfolds; what is broken fails there.
      const edits = rules.filter(({ filter }) => filter.decideFor(flow, message)).map(({ edit }) => edit);
      const streams = decoded(message, ...this.#streams(message, edits, warn)) as BytesTransform[];
      message.rawContent = await through(rawContent, streams);
      return;
    }
    for (const { filter, edit } of rules) {
      if (filter.decideFor(flow, message) !== true) continue;
      const edited = await through(message.content!, this.#streams(message, [edit], warn));
      if (!isSame(edited, message.content!)) message.content = edited;
    }
  }

  #streams(message: Message, edits: readonly BodyEdit[], warn: Warn): BytesTransform[] {
    return isEventStream(message)
      ? [editEvents(edits, this.#hold, warn)]
      : edits.map((edit) => edit.stream(this.#hold, warn));
  }

  /** An answer that took the place of another when that had been looked at: it is streamed, so that it can be edited at all. */
  #late(flow: HttpFlow, message: Message, warn: Warn): void {
    const rules = this.#rules.filter(({ filter }) => filter.decideFor(flow, message) === true);
    if (rules.length === 0 || codingOf(message, warn) === "unknown") return;
    message.stream = true;
    const edits = rules.map(({ edit }) => edit);
    message.whenStreamed(() => decoded(message, ...this.#streams(message, edits, warn)));
  }
}

function warning({ request }: HttpFlow, { log }: Context): Warn {
  return (text) => log.warn(`${OPTION}: ${request.method} ${request.url}: ${text}`);
}

/** True for server-sent events, which are edited one by one. */
function isEventStream({ headers }: Message): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(headers.get("content-type") ?? "");
}

/** What weir knows of the content codings of a message; `warn` is told of those that it does not know. */
function codingOf(message: Message, warn: Warn): "none" | "known" | "unknown" {
  try {
    return (decoded(message) as unknown[]).length === 0 ? "none" : "known";
  } catch (error) {
    warn(`the body is left as it is (${error instanceof Error ? error.message : error})`);
    return "unknown";
  }
}
