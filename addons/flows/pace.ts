/**
 * How fast a recording is played: at once, as it was, or a multiple of that.
 * @module
 */
import { OptionError } from "weir";

/** Times recorded ones; null: everything at once. */
export type Pace = number | null;

/** Reads `asap`, `recorded`, `2x`, `0.5x`. @throws {OptionError} that names the option. */
export function parsePace(option: string, text: string): Pace {
  if (text === "asap") return null;
  if (text === "recorded") return 1;
  const match = /^(\d+(?:\.\d+)?|\.\d+)x?$/.exec(text);
  const speed = match && Number(match[1]);
  if (speed) return speed;
  throw new OptionError(
    option,
    `option ${option}: ${JSON.stringify(text)} is none of asap, recorded, and a speed such as 2x or 0.5x`,
  );
}

/** Resolves after so many milliseconds, or when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      resolve();
    };
    const timer = setTimeout(stop, Math.max(0, ms));
    signal?.addEventListener("abort", stop);
  });
}
