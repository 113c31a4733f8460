/**
 * The isolates of one process (`workers`), which tell each other their numbers.
 * @module
 */
import type { Address } from "weir";
import type { Family } from "./exposition.ts";

/** How long (ms) the first isolate waits for the numbers of the others; one that is stuck is left out. */
const ANSWER_MS = 500;

type Said =
  | { readonly kind: "hello"; readonly id: string }
  | { readonly kind: "listening"; readonly address: Address }
  | { readonly kind: "asked"; readonly round: number }
  | {
    readonly kind: "answer";
    readonly round: number;
    readonly id: string;
    readonly numbers: readonly Family[];
  };

/** One isolate among the others. */
export class Team {
  readonly #channel = new BroadcastChannel(`weir admin ${Deno.pid}`);
  readonly #id = crypto.randomUUID();
  /** Isolates that have answered before. */
  readonly #others = new Set<string>();
  #address: Address | null = null;
  #round = 0;
  #answers = new Map<string, readonly Family[]>();
  #onAnswer: () => void = () => {};

  /** `numbers`: those of this isolate; `onAddress` is told where the first one listens. */
  constructor(numbers: () => readonly Family[], onAddress: (address: Address) => void) {
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => {
      if (data.kind === "hello") {
        this.#others.add(data.id);
        if (this.#address !== null) this.#say({ kind: "listening", address: this.#address });
      } else if (data.kind === "listening") onAddress(data.address);
      else if (data.kind === "asked" && this.#address === null) {
        this.#say({ kind: "answer", round: data.round, id: this.#id, numbers: numbers() });
      } else if (data.kind === "answer" && data.round === this.#round) {
        this.#answers.set(data.id, data.numbers);
        this.#onAnswer();
      }
    };
    this.#say({ kind: "hello", id: this.#id });
  }

  /** This isolate is the one that listens. */
  lead({ hostname, port }: Address): void {
    this.#address = { hostname, port };
    this.#say({ kind: "listening", address: this.#address });
  }

  /** The numbers of all other isolates. */
  async ask(): Promise<(readonly Family[])[]> {
    const round = ++this.#round;
    this.#answers = new Map();
    this.#say({ kind: "asked", round });
    const wanted = this.#others.size;
    if (wanted > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ANSWER_MS);
        this.#onAnswer = () => {
          if (this.#answers.size < wanted) return;
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return [...this.#answers.values()];
  }

  close(): void {
    this.#channel.close();
  }

  #say(said: Said): void {
    this.#channel.postMessage(said);
  }
}
