/**
 * `jsonStream`: changes values in a JSON body while it flows.
 * @module
 */
import { nameOf } from "./bytes.ts";
import { holdOf, type HoldOptions } from "./hold.ts";
import { JsonEditor } from "./json/editor.ts";
import { Edits, type JsonEdits } from "./json/edits.ts";
import { editorStage } from "./piece_stage.ts";

/**
 * A stage that changes the values of a JSON text to which paths lead. A path is made of `$` (the whole),
 * `.name` and `["name"]` (a member), `[n]` (an element, from 0), `.*` and `[*]` (all of either) and `..name`
 * (members of that name at any depth; also `..[n]`, `..*`).
 *
 * What is given for a path is put in the place of each value that it leads to: a value; `drop`, which takes
 * the member or element away, and one comma with it; or a function of the value and its place (`["items", 0,
 * "price"]`), which may be async. The function may change an object or array in place, or return another
 * value (`null` is one), or `drop`; what it leaves alone goes on as it came. Members of the same name are all
 * edited. Where several paths lead to a value, they have their turns in the order in which they are given;
 * values inside others have theirs first.
 *
 * Only values that a function is called for are held, each until it is whole. All other bytes stay as they
 * are: white space, order, the spelling of numbers. A body that is no JSON passes from the byte on that does
 * not belong there, with one warning.
 *
 * @example
 * ```ts
 * import { drop, jsonStream } from "weir";
 *
 * const source = new Response('{"user": {"email": "a@b.c", "token": "t"}, "items": [{"price": 1.50}]}').body!;
 * const stage = jsonStream({
 *   "$.user.email": (email) => `${email}`.replace(/.*@/, "...@"),
 *   "$.items[*].price": 0,
 *   "$..token": drop,
 * });
 * const text = await new Response(source.pipeThrough(stage)).text();
 * if (text !== '{"user": {"email": "...@b.c"}, "items": [{"price": 0}]}') throw new Error(text);
 * ```
 *
 * @throws {TypeError} on a path that cannot be read, and on a value that JSON cannot say. The stage fails
 * where a value for a function has more than `hold` bytes (1 MiB; code `limit`), and where a function throws
 * or gives what JSON cannot say (code `addon`).
 */
export function jsonStream(
  edits: JsonEdits,
  options?: HoldOptions,
): TransformStream<Uint8Array, Uint8Array> {
  if (typeof edits !== "object" || edits === null || Symbol.iterator in edits) {
    throw new TypeError(`jsonStream takes { path: value or function, … }, not ${nameOf(edits)}.`);
  }
  const ready = new Edits(edits), hold = holdOf(options);
  return editorStage((warn) => new JsonEditor(ready, hold, warn), "The function of jsonStream");
}
