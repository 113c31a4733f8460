/**
 * What happened to which secret in one exchange, by name: what the audit says.
 * @module
 */

/** Names of secrets with how often. */
export class Counts {
  #byName: Record<string, number> | null = null;

  /** Once more. */
  add(name: string): void {
    const counts = this.#byName ??= {};
    counts[name] = (counts[name] ?? 0) + 1;
  }

  /** An object for JSON. */
  toJSON(): Record<string, number> {
    return this.#byName ?? {};
  }

  /** Names in the order in which they came up first. */
  names(): string[] {
    return Object.keys(this.#byName ?? {});
  }
}

/** All that is counted of one exchange. */
export class SecretUse {
  /** Values that were put into the request. */
  readonly injected = new Counts();
  /** Values that were taken out of what came back. */
  readonly scrubbed = new Counts();
  /** Placeholders that stayed. */
  readonly carried = new Counts();
}
