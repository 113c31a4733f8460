/**
 * Stages that are an editor: a plain object that takes pieces and gives what it decides.
 * @module
 */
import { perPiece } from "./chunk_hook.ts";
import { Stage } from "./stage.ts";

/** Edits one body. What it gives is valid until the next call. */
export interface PieceEditor {
  /** Takes the next piece; gives what can be sent now, or makes it when it is asked for. */
  push(piece: Uint8Array): Uint8Array | AsyncIterable<Uint8Array>;
  /** The body has ended; gives what was held back. */
  end(): Uint8Array | AsyncIterable<Uint8Array>;
  /** What was decided before `push` or `end` threw. */
  decided(): Uint8Array;
}

/**
 * A stage for an editor, or for the one that a function makes, which is given where to warn. `what` is at
 * fault when it throws something else than a `WeirError`.
 */
export function editorStage(
  editor: PieceEditor | ((warn: (text: string) => void) => PieceEditor),
  what?: string,
): Stage {
  return new Stage((source, onFault, warn) => {
    const mine = typeof editor === "function" ? editor(warn) : editor;
    return perPiece((piece) => edited(mine, piece), what).through(source, onFault, warn);
  });
}

function edited(editor: PieceEditor, piece: Uint8Array): unknown {
  try {
    return piece.length === 0 ? editor.end() : editor.push(piece);
  } catch (thrown) {
    const decided = editor.decided();
    if (decided.length === 0) throw thrown;
    return failing(decided, thrown);
  }
}

/** What was decided goes out before the failure is told. */
function* failing(decided: Uint8Array, thrown: unknown): Generator<Uint8Array, void> {
  yield decided;
  throw thrown;
}
