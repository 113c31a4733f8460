/**
 * What is wrong with an option that someone gave: a mistake of the user's, told in one sentence.
 * @module
 */

/**
 * An option that does not exist, or a value that it cannot have. Thrown by an addon in `configure`, its message is what the user
 * is told, as it is.
 *
 * ```ts
 * import { type AddonOptions, OptionError } from "weir";
 *
 * export function configure(options: AddonOptions) {
 *   const greeting = options.get<string>("greeting");
 *   if (greeting === "") throw new OptionError("greeting", "option greeting: say something");
 * }
 * ```
 */
export class OptionError extends Error {
  /** Always "OptionError". */
  override readonly name = "OptionError";
  /** Name of the option, as given. */
  readonly option: string;

  /** `message` is a whole sentence, which names the option. */
  constructor(option: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.option = option;
  }
}
