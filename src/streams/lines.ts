/**
 * `linesStream`: a function for each line of a body of text.
 * @module
 */
import { editorStage } from "./piece_stage.ts";
import { holdOf, type HoldOptions } from "./hold.ts";
import { checkFunction } from "./arguments.ts";
import { LineEditor, type LineOutput } from "./lines/line_editor.ts";

/**
 * A stage that calls `fn` for each line of text, without its end, and with its number from 0. A line ends
 * with `\n`, `\r\n` or `\r`, or with the body. The end goes with its line.
 *
 * The function returns nothing, or the same string, and the line's bytes go on as they came; another string
 * to send instead; `null` (or `drop`) to send none; or an iterator of several lines (a generator's call, also
 * an async one), each with the end that the line had. Those made of a last line without end are parted by
 * `\n`. It may be async; the next line waits for it.
 *
 * A lone `\r` ends its line at once; a `\n` that comes behind it belongs to it. A line of more than `hold`
 * bytes (1 MiB) fails the stage (code `limit`), as does a function that throws or gives something else (code
 * `addon`): the body is cut.
 *
 * @example
 * ```ts
 * import { linesStream } from "weir";
 *
 * const source = new Response("# a comment\nname=x\nsecret=y\n").body!;
 * const stage = linesStream((line) => line.startsWith("#") ? null : line.replace(/^secret=.+/, "secret=x"));
 * console.log(await new Response(source.pipeThrough(stage)).text()); // name=x, secret=x
 * ```
 *
 * @throws {TypeError} when `fn` is no function.
 */
export function linesStream(
  fn: (line: string, index: number) => LineOutput | Promise<LineOutput>,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  checkFunction("linesStream", fn);
  return editorStage(new LineEditor(fn, holdOf(options)), "The function of linesStream");
}
