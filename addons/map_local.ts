/**
 * The option `map_local`: requests are answered from files (mitmproxy `addons/maplocal.py`).
 *
 *     weir --map-local '|https://cdn.example/app\.js|./build/app.js'     one file
 *     weir --map-local '|example.com/static|~/site'                      what follows the match, in a directory
 *     weir --map-local '|example.com/v\d+/(.*\.css)|~/site/css'          or what its first group matched
 *
 * Of several rules the first one counts that has a file; where one matches and none has, the answer is 404. Nothing outside of its
 * directory is ever sent, whatever is in the URL. Files stream; `Range`, HEAD and `If-Modified-Since` are answered.
 * @module
 */
import { type Addon, type AddonOptions, type Context, type Filter, type HttpFlow, type Loader } from "weir";
import { expandHome } from "./flows/paths.ts";
import { reasonOf } from "./rules/file_value.ts";
import { answerWithFile, type TypeOf } from "./rules/file_answer.ts";
import { candidatesIn, findFile } from "./rules/file_search.ts";
import { type Form, Spec } from "./rules/spec.ts";

const OPTION = "map_local";
const FORM: Form = { text: "/[filter/]url-regex/path", parts: 2, filter: "optional" };

interface Rule {
  readonly filter: Filter;
  readonly regexp: RegExp;
  /** A file, or a directory, without symbolic links in it. */
  readonly root: string;
  readonly isFile: boolean;
}

export default class MapLocal implements Addon {
  readonly keepsFlows = false;
  readonly readsBodies = false;
  #rules: Rule[] = [];
  #typeOf: TypeOf = () => null;

  load(loader: Loader) {
    loader.addOption(OPTION, "list", [], "Answer requests from a file, or from the files of a directory.", {
      metavar: FORM.text,
      group: "Rules",
    });
  }

  async configure(options: AddonOptions) {
    this.#rules = await Promise.all(options.get<string[]>(OPTION).map(ruleOf));
    if (this.#rules.length === 0) return;
    const { default: mime } = await import("mime");
    this.#typeOf = (path) => mime.getType(path);
  }

  isOff(): boolean {
    return this.#rules.length === 0;
  }

  requestheaders(flow: HttpFlow) {
    if (!flow.live || flow.response !== null) return;
    // What other rules make of the URL is not known yet.
    if (this.#rules.some(({ filter }) => filter.decideFor(flow, flow.request) === undefined)) {
      flow.request.needWhole(`${OPTION}: a filter asks for the body of the request`);
    }
  }

  async request(flow: HttpFlow, { log }: Context): Promise<void> {
    const { request } = flow;
    if (!flow.live || flow.response !== null) return;
    const url = request.prettyUrl;
    const tried: string[] = [];
    let isMapped = false;
    for (const { filter, regexp, root, isFile } of this.#rules) {
      const match = regexp.exec(url);
      if (match === null || filter.decideFor(flow, request) !== true) continue;
      isMapped = true;
      const candidates = isFile ? [root] : candidatesIn(root, suffixOf(match));
      tried.push(...candidates);
      for (const candidate of candidates) {
        const file = await findFile(candidate, root);
        if (file === null) continue;
        const answer = await answerWithFile(file, request, this.#typeOf).catch((error) => {
          log.warn(`${OPTION}: ${file} cannot be read (${reasonOf(error)}).`);
          return null;
        });
        if (answer === null) continue;
        flow.response = answer;
        return;
      }
    }
    if (!isMapped) return;
    const files = tried.length === 0 ? "the URL leads out of the directory" : `none of ${tried.join(", ")}`;
    log.info(`${OPTION}: ${request.method} ${url}: no file (${files}).`);
    flow.response = new Response(null, {
      status: 404,
      statusText: "Not Found",
      headers: { "content-length": "0" },
    });
  }
}

/** The part of a URL that names a file: what the first group matched, or where there is none, what follows the match. */
function suffixOf(match: RegExpExecArray): string {
  return match.length > 1 ? match[1] ?? "" : match.input.slice(match.index + match[0].length);
}

/** @throws {OptionError} */
async function ruleOf(text: string): Promise<Rule> {
  const spec = new Spec(OPTION, text, FORM);
  const [subject, path] = spec.parts;
  const regexp = spec.regex(subject);
  const given = expandHome(path.text);
  if (given === "") spec.refuse("a path is missing", path.at);
  try {
    const root = await Deno.realPath(given);
    const { isFile, isDirectory } = await Deno.stat(root);
    if (!isFile && !isDirectory) throw new Error("it is neither a file nor a directory");
    return { filter: spec.filter, regexp, root, isFile };
  } catch (error) {
    return spec.refuse(`${given} cannot be served (${reasonOf(error)})`, null, error);
  }
}
