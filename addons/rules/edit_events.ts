/**
 * Edits in an event stream: each event is a text of its own, which goes out edited as soon as it is there.
 * @module
 */
import { type BodyEdit, bytesOf, type BytesTransform, textOf, type Warn } from "./body_edit.ts";
import { EventCutter } from "./event_cutter.ts";

/** For one body. An event of more than `most` bytes cuts it. */
export function editEvents(edits: readonly BodyEdit[], most: number, warn: Warn): BytesTransform {
  const cutter = new EventCutter(most);
  const edited = (event: Uint8Array) => edits.reduce((text, edit) => edit.apply(text, warn), textOf(event));
  return new TransformStream({
    transform(piece, controller) {
      const text = cutter.push(piece).map(edited).join("");
      if (text !== "") controller.enqueue(bytesOf(text));
    },
    flush(controller) {
      const rest = cutter.end();
      if (rest.length > 0) controller.enqueue(bytesOf(edited(rest)));
    },
  });
}
