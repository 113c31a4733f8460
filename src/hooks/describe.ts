/**
 * One clear line for what an addon threw: its file and line, the message, the hook.
 * @module
 */
import { messageOf } from "../errors.ts";
import { fromFileUrl } from "./generation.ts";

/** A place in a file, as stacks and compilers write it: URL, generation, line, column. */
const PLACE = /(file:\/\/\S+?)(\?weir=\d+)?:(\d+)(?::\d+)?(?=[\s)"',]|$)/g;
/** A file: URL in any text, with or without a place after it. */
const FILE_URL = /file:\/\/[^\s"']+?(?=\?weir=|:\d+|[\s"')]|$)/g;
/** Colour that the runtime puts into the messages of its module loader. */
// deno-lint-ignore no-control-regex -- an escape sequence starts with a control character
const COLOUR = /\x1b\[[\d;]*m/g;

/** `Addon FILE:LINE: what (in HOOK)`, or `Addon NAME: …` when the stack does not name a file of an addon. */
export function describeHookError(addon: string, hook: string, thrown: unknown): string {
  return `Addon ${placeOf(thrown) ?? addon}: ${summaryOf(thrown)} (in ${hook})`;
}

/** `Addon FILE:LINE: what` for what importing a script threw; without the line when nothing tells it. */
export function describeLoadError(file: string, thrown: unknown): string {
  return `Addon ${placeOf(thrown) ?? placeInMessage(thrown) ?? file}: ${summaryOf(thrown)}`;
}

/** `Addon FILE:LINE: what (not awaited by any hook)` for what an addon threw behind its hooks' backs. */
export function describeStrayError(addon: string, thrown: unknown): string {
  return `Addon ${placeOf(thrown) ?? addon}: ${summaryOf(thrown)} (not awaited by any hook)`;
}

/** True when a frame of the stack lies in an addon's file. */
export function isFromAddon(thrown: unknown): boolean {
  return placeOf(thrown) !== null;
}

/** All files that an error names: where the mistake may be put right. */
export function filesIn(thrown: unknown): string[] {
  return [...new Set(textOf(thrown).match(FILE_URL)?.map(fromFileUrl) ?? [])];
}

/** `file:line` of the first frame that lies in an addon's file: those are known by their generation. */
function placeOf(thrown: unknown): string | null {
  for (const [, url, tag, line] of textOf(thrown).matchAll(PLACE)) {
    if (tag !== undefined) return `${fromFileUrl(url)}:${line}`;
  }
  return null;
}

/** The compiler names files that an addon imports without their generation, and in the message only. */
function placeInMessage(thrown: unknown): string | null {
  for (const [, url, , line] of plainMessage(thrown).matchAll(PLACE)) return `${fromFileUrl(url)}:${line}`;
  return null;
}

/** The first line of the message, after the error's name where that says more than "Error". */
function summaryOf(thrown: unknown): string {
  const text = plainMessage(thrown).split("\n", 1)[0]
    .replace(/\s+at file:\/\/\S+$/, "")
    .replaceAll(/file:\/\/[^\s"']+/g, (url) => fromFileUrl(url));
  if (!(thrown instanceof Error) || /^(|Weir|Option)Error$/.test(thrown.name)) return text;
  // The loader says "TypeError" for all it finds: "TypeError: SyntaxError: …", "TypeError: Module not found …".
  return /^(\w*Error: |Module not found|Import )/.test(text) ? text : `${thrown.name}: ${text}`;
}

function plainMessage(thrown: unknown): string {
  return messageOf(thrown).replace(COLOUR, "");
}

/** Message and frames. A stack begins with the message, but for errors whose message was set later. */
function textOf(thrown: unknown): string {
  return `${plainMessage(thrown)}\n${stackOf(thrown)}`;
}

/** The frames of an error; "" for what has none. */
export function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? "").replace(COLOUR, "") : "";
}
