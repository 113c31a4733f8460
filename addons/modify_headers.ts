/**
 * The option `modify_headers` (`-H`): fields are set, added and removed (mitmproxy `addons/modifyheaders.py`).
 *
 *     weir -H '/~q/User-Agent/weir' -H '/~s/Set-Cookie/'            only of requests; a response's cookies are removed
 *     weir -H '/X-Tag/one' -H '/X-Tag/two' -H '|X-Key|@~/key.txt'   two fields of one name; a value out of a file
 *
 * Filters of all rules are asked first; then all fields that are named go, then the values are added, in the order of the rules.
 * A filter that asks for the body of a message has its head wait for that.
 * @module
 */
import {
  type Addon,
  type AddonOptions,
  type Context,
  type Filter,
  type HttpFlow,
  type Loader,
  type Message,
} from "weir";
import { latin1, unescaped } from "./rules/escapes.ts";
import { FileValue } from "./rules/file_value.ts";
import { type Form, Spec } from "./rules/spec.ts";

const OPTION = "modify_headers";
const FORM: Form = { text: "/[filter/]name/[@]value", parts: 2, filter: "optional" };

interface Rule {
  readonly filter: Filter;
  readonly name: string;
  readonly value: string | FileValue;
}

export default class ModifyHeaders implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: Rule[] = [];
  /** Messages whose heads wait for their bodies. */
  readonly #waiting = new WeakSet<Message>();

  load(loader: Loader) {
    loader.addOption(
      OPTION,
      "list",
      [],
      "Set a header field; an empty value removes it, @ takes it from a file.",
      { metavar: FORM.text, group: "Rules" },
    );
  }

  configure(options: AddonOptions) {
    this.#rules = options.get<string[]>(OPTION).map(ruleOf);
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow, { log }: Context) {
    if (flow.live && flow.response === null) this.#atHead(flow, flow.request, log.warn);
  }

  request(flow: HttpFlow, { log }: Context) {
    this.#withBody(flow, flow.request, log.warn);
  }

  responseheaders(flow: HttpFlow, { log }: Context) {
    if (flow.live && flow.response !== null) this.#atHead(flow, flow.response, log.warn);
  }

  response(flow: HttpFlow, { log }: Context) {
    if (flow.response !== null) this.#withBody(flow, flow.response, log.warn);
  }

  #atHead(flow: HttpFlow, message: Message, warn: (text: string) => void): void {
    const verdicts = this.#rules.map(({ filter }) => filter.decideFor(flow, message));
    if (!verdicts.includes(undefined)) return edit(message, this.#rules.filter((_, i) => verdicts[i]), warn);
    message.needWhole(`${OPTION}: a filter asks for the body`);
    this.#waiting.add(message);
  }

  #withBody(flow: HttpFlow, message: Message, warn: (text: string) => void): void {
    if (!this.#waiting.delete(message)) return;
    edit(message, this.#rules.filter(({ filter }) => filter.decideFor(flow, message) === true), warn);
  }
}

function edit({ headers }: Message, rules: readonly Rule[], warn: (text: string) => void): void {
  for (const { name } of rules) headers.delete(name);
  for (const { name, value } of rules) {
    const text = typeof value === "string" ? value : fileText(value, warn);
    if (text === "") continue;
    if (isValue(text)) headers.append(name, text);
    else warn(`${OPTION}: the value of ${name} has a line break or a NUL by now: the field is left out.`);
  }
}

/** What is in a file, without the line end that editors put behind it. */
function fileText(file: FileValue, warn: (text: string) => void): string {
  return trimmed(latin1(file.read((text) => warn(`${OPTION}: ${text}`))).replace(/\r?\n$/, ""));
}

/** RFC 9110 §5.5: blanks around a value are no part of it. */
function trimmed(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

/** RFC 9110 §5.5: no CR, LF or NUL. */
function isValue(value: string): boolean {
  return !/[\0\r\n]/.test(value);
}

/** @throws {OptionError} */
function ruleOf(text: string): Rule {
  const spec = new Spec(OPTION, text, FORM);
  const [subject, replacement] = spec.parts;
  const name = unescaped(spec, subject);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    spec.refuse(`${JSON.stringify(subject.text)} cannot be the name of a field`, subject.at);
  }
  const { filter } = spec;
  if (!replacement.text.startsWith("@")) {
    const value = trimmed(unescaped(spec, replacement));
    if (!isValue(value)) spec.refuse("the value would break the line of its field", replacement.at);
    return { filter, name, value };
  }
  const file = new FileValue(spec, replacement.text.slice(1));
  if (!isValue(fileText(file, () => {}))) {
    spec.refuse(
      `${replacement.text.slice(1)} has a line break or a NUL in it, which no field can have`,
      null,
    );
  }
  return { filter, name, value: file };
}
