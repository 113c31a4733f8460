/**
 * Where flows are printed: stdout or stderr, in colours on a terminal.
 * @module
 */

/** Where flows are printed, what it is, and whether whoever read it is gone (`weir | head`) or stuck. */
const out = {
  stream: Deno.stdout as typeof Deno.stdout | typeof Deno.stderr,
  isTerminal: false,
  isGone: false,
};

/** Prints to another stream from now on. */
export function printTo(stream: typeof out.stream): void {
  out.stream = stream;
  out.isTerminal = stream.isTerminal();
}
printTo(Deno.stdout);

/** Columns of the terminal; no end of them where there is none. */
export function columns(): number {
  return out.isTerminal ? Deno.consoleSize().columns : Infinity;
}

/** SGR codes (ECMA-48 §8.3.117). */
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, blue: 34, magenta: 35 };

/** Text in colour, where colours are shown. */
export function style(text: string, ...styles: (keyof typeof STYLES | null)[]): string {
  if (!out.isTerminal || Deno.noColor) return text;
  const codes = styles.filter((name) => name !== null).map((name) => STYLES[name]);
  return `\x1b[${codes.join(";")}m${text}\x1b[0m`;
}

/** How often and how long, in ms, to try again when a pipe that does not block is full. */
const FULL_RETRIES = 200, FULL_PAUSE = 5;
/** Nobody ever notifies it: waiting for it is sleeping. */
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** One write per flow, so that flows do not mix. */
export function print(lines: string[]): void {
  let bytes = new TextEncoder().encode(`${lines.join("\n")}\n`);
  for (let retries = 0; bytes.length > 0 && !out.isGone;) {
    try {
      bytes = bytes.subarray(out.stream.writeSync(bytes));
    } catch (thrown) {
      if (thrown instanceof Deno.errors.WouldBlock && ++retries <= FULL_RETRIES) {
        Atomics.wait(PAUSE, 0, 0, FULL_PAUSE);
      } else if (!(thrown instanceof Deno.errors.Interrupted)) out.isGone = true;
    }
  }
}
