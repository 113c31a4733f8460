/**
 * The messages of a WebSocket: placeholders to values on the way to the server, values to placeholders on the way back.
 * @module
 */
import { literalReplacer } from "../../streams/mod.ts";
import type { CrossingEditor, MessageCrossing } from "../../websocket/mod.ts";
import type { SecretUse } from "./counts.ts";
import type { Scrubber } from "./scrubber.ts";
import type { Secret } from "./secret.ts";

const encoder = new TextEncoder();
const BRACE = 0x7b, BRACKET = 0x5b;

/** What messages go through: `meant` are the secrets whose values may be put in, `all` those that are counted. */
export function messagesThrough(
  meant: readonly Secret[],
  all: readonly Secret[],
  scrubber: Scrubber,
  use: SecretUse,
): MessageCrossing {
  return {
    up: () => new UpEditor(meant, all, use),
    down: () => scrubber.editor(use.scrubbed),
  };
}

/** One message to the server. What begins as JSON gets values as JSON has them. */
class UpEditor implements CrossingEditor {
  readonly #meant: readonly Secret[];
  readonly #all: readonly Secret[];
  readonly #use: SecretUse;
  #editor: CrossingEditor | null = null;

  constructor(meant: readonly Secret[], all: readonly Secret[], use: SecretUse) {
    this.#meant = meant;
    this.#all = all;
    this.#use = use;
  }

  push(piece: Uint8Array): Uint8Array {
    if (piece.length === 0) return piece;
    return (this.#editor ??= this.#make(piece[0])).push(piece);
  }

  end(): Uint8Array {
    return this.#editor?.end() ?? new Uint8Array();
  }

  #make(first: number): CrossingEditor {
    const isJson = first === BRACE || first === BRACKET;
    return literalReplacer(this.#all.map((secret) => {
      const isMeant = this.#meant.includes(secret);
      const value = isJson ? JSON.stringify(secret.reveal()).slice(1, -1) : secret.reveal();
      const bytes = encoder.encode(isMeant ? value : secret.placeholder);
      return [secret.placeholder, () => {
        (isMeant ? this.#use.injected : this.#use.carried).add(secret.name);
        return bytes;
      }] as const;
    }));
  }
}
