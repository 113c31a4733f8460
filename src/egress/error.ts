/**
 * What is wrong with a policy: one sentence with file and line.
 * @module
 */

/** A policy that cannot be used. */
export class PolicyError extends Error {
  /** Always "PolicyError". */
  override readonly name = "PolicyError";
  /** Path of the file. */
  readonly path: string;
  /** From 1; null where it is about the file as a whole. */
  readonly line: number | null;

  /** `what`: the sentence behind file and line. */
  constructor(path: string, line: number | null, what: string) {
    super(`${path}${line === null ? "" : `:${line}`}: ${what}`);
    this.path = path;
    this.line = line;
  }
}
