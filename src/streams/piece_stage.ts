/**
 * Stages that are an editor: a plain object that takes pieces and gives what it decides.
 * @module
 */
import { perPiece } from "./chunk_hook.ts";
import type { Stage } from "./stage.ts";

/** Edits one body. What it gives is valid until the next call. */
export interface PieceEditor {
  /** Takes the next piece; gives what can be sent now, or makes it when it is asked for. */
  push(piece: Uint8Array): Uint8Array | AsyncIterable<Uint8Array>;
  /** The body has ended; gives what was held back. */
  end(): Uint8Array | AsyncIterable<Uint8Array>;
  /** What was decided before `push` or `end` threw. */
  decided(): Uint8Array;
}

/** A stage for an editor. `what` is at fault when it throws something else than a `WeirError`. */
export function editorStage(editor: PieceEditor, what?: string): Stage {
  return perPiece((piece) => {
    try {
      return piece.length === 0 ? editor.end() : editor.push(piece);
    } catch (thrown) {
      const decided = editor.decided();
      if (decided.length === 0) throw thrown;
      return failing(decided, thrown);
    }
  }, what);
}

/** What was decided goes out before the failure is told. */
function* failing(decided: Uint8Array, thrown: unknown): Generator<Uint8Array, void> {
  yield decided;
  throw thrown;
}
