/**
 * One stage on a body's way. It is a pair of streams like any `TransformStream`, and it is a function from
 * body to body.
 *
 * Each stage is written once, as that function; between two bodies it runs as such, with no stream and no
 * copy of its own. Whoever asks for its `readable` or `writable` gets streams that are made then, out of the
 * same function (`./pair.ts`): making them costs some 30 µs, which most bodies are spared.
 * @module
 */
import type { WeirError } from "../errors.ts";
import type { Body } from "./body.ts";
import { pairOf, type PairOptions } from "./pair.ts";

/**
 * The body that comes out when `source` goes in. `onFault` is told when the stage itself fails, before its
 * body does; `warn` is told in a sentence what went wrong without doing harm to the body.
 */
export type Through = (
  source: Body,
  onFault: (error: WeirError) => void,
  warn: (text: string) => void,
) => Body;

/** Where nobody else is told. */
const toConsole = (text: string) => console.warn(text);

/** What a body, or any stream of bytes, can be piped through. It serves one of them. */
export class Stage implements TransformStream<Uint8Array, Uint8Array> {
  static {
    // It is one to `instanceof` too, without the two streams that `super()` would make each time.
    Object.setPrototypeOf(Stage.prototype, TransformStream.prototype);
  }

  readonly #through: Through;
  readonly #options: PairOptions;
  #streams: ReadableWritablePair<Uint8Array, Uint8Array> | null = null;
  /** It was put behind a body. */
  #isUsed = false;

  /** `through` makes what it does of a body; `options` are for those who use it as a stream. */
  constructor(through: Through, options: PairOptions = {}) {
    this.#through = through;
    this.#options = options;
  }

  /** What comes out. @throws {TypeError} when a body goes through the stage already. */
  get readable(): ReadableStream<Uint8Array> {
    return this.#pair().readable;
  }

  /** Where bytes go in. @throws {TypeError} when a body goes through the stage already. */
  get writable(): WritableStream<Uint8Array> {
    return this.#pair().writable;
  }

  /** True once something goes through it, or has gone, or its streams were asked for. */
  get locked(): boolean {
    return this.#isUsed || this.#streams !== null;
  }

  /**
   * Puts it behind a body. @throws {TypeError} when it is in use.
   * @ignore
   */
  through(source: Body, onFault: (error: WeirError) => void = () => {}, warn = toConsole): Body {
    if (this.locked) throw used();
    this.#isUsed = true;
    return this.#through(source, onFault, warn);
  }

  #pair(): ReadableWritablePair<Uint8Array, Uint8Array> {
    if (this.#streams !== null) return this.#streams;
    if (this.#isUsed) throw used();
    return this.#streams = pairOf((source) => this.#through(source, () => {}, toConsole), this.#options);
  }
}

function used(): TypeError {
  return new TypeError("This stage is in use, or was used: make a new one for each body.");
}
