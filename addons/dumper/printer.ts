/**
 * Where flows are printed: stdout or stderr, in colours on a terminal.
 * @module
 */

import type { Context } from "weir";

/** Where flows are printed, and what it is. */
const out = {
  print: (_text: string): Promise<void> | undefined => undefined,
  isTerminal: false,
};

/** Prints there from now on. */
export function printTo(stream: "stdout" | "stderr", ctx: Context): void {
  out.print = (text) => ctx.print(text, stream);
  out.isTerminal = Deno[stream].isTerminal();
}

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

/** Part of a line: no line break follows. */
export class Part {
  constructor(readonly text: string) {}
}

/** Characters that are put together for one write; most flows are less. */
const PIECE = 256 * 1024;

/** Characters of flows that wait for a long one to be printed, without holding up their own ends. */
const MAX_WAITING = 4 * 1024 * 1024;

/** What is being printed piece by piece; what comes meanwhile waits for its end. */
let printing: Promise<void> | null = null;
let waiting = 0;

/**
 * One write per flow, so that flows do not mix. What is longer is made and written piece by piece, with a turn of the event
 * loop in between; then it is printed when the promise that is returned resolves, and what it is made of must stay so long.
 */
export function print(lines: Iterable<string | Part>): Promise<void> | undefined {
  const rest = lines[Symbol.iterator]();
  const { text, isAll } = nextPiece(rest);
  if (printing === null) {
    out.print(text);
    if (isAll) return undefined;
    return follow(printRest(null, "", rest));
  }
  if (!isAll || waiting + text.length > MAX_WAITING) return follow(printRest(printing, text, rest));
  waiting += text.length;
  void follow(printRest(printing, text, rest).finally(() => waiting -= text.length));
}

function follow(mine: Promise<void>): Promise<void> {
  const last = printing = mine.finally(() => {
    if (printing === last) printing = null;
  });
  return last;
}

async function printRest(
  before: Promise<void> | null,
  first: string,
  rest: Iterator<string | Part>,
): Promise<void> {
  // Whoever had them printed is told of lines that could not be made.
  await before?.catch(() => {});
  await out.print(first);
  for (let isDone = false; !isDone;) {
    await new Promise((resolve) => setTimeout(resolve));
    const { text, isAll } = nextPiece(rest);
    await out.print(text);
    isDone = isAll;
  }
}

function nextPiece(rest: Iterator<string | Part>): { text: string; isAll: boolean } {
  let text = "";
  while (text.length < PIECE) {
    const { value, done } = rest.next();
    if (done) return { text, isAll: true };
    text += typeof value === "string" ? `${value}\n` : value.text;
  }
  return { text, isAll: false };
}
