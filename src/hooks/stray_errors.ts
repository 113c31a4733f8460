/**
 * Errors that addons throw where nobody waits for them: in a timer, or in a promise that was not awaited.
 *
 * The runtime would end the whole process for them, with all flows in it. weir's own stray errors still do: they are bugs that
 * must not be hidden.
 * @module
 */
import { describeStrayError, isFromAddon, stackOf } from "./describe.ts";

/** The directory of weir's sources; the file itself where all is bundled into one. */
const OWN = import.meta.url.replace(/src\/hooks\/stray_errors\.ts$/, "");

/** Where stray errors go, and whose they may be when their stack does not tell. */
export interface StrayErrorOptions {
  log(text: string): void;
  scripts(): readonly string[];
}

/** Logs stray errors of addons instead of ending the process, until the function that is returned is called. */
export function catchStrayErrors({ log, scripts }: StrayErrorOptions): () => void {
  const take = (event: Event, thrown: unknown) => {
    const names = scripts();
    if (event.defaultPrevented || names.length === 0 || !isTheirs(thrown)) return;
    event.preventDefault();
    log(describeStrayError(names.join(" or "), thrown));
  };
  const onRejection = (event: PromiseRejectionEvent) => take(event, event.reason);
  const onError = (event: ErrorEvent) => take(event, event.error);
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return () => {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}

/** True with a frame of an addon in the stack, and without any of weir: a `fetch` that was not awaited has neither. */
function isTheirs(thrown: unknown): boolean {
  return isFromAddon(thrown) || !stackOf(thrown).includes(OWN);
}
