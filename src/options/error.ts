/**
 * What is wrong with an option that someone gave: a mistake of the user's, told in one sentence.
 * @module
 */

/** An option that does not exist, or a value that it cannot have. */
export class OptionError extends Error {
  override readonly name = "OptionError";
  /** Name of the option, as given. */
  readonly option: string;

  constructor(option: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.option = option;
  }
}
