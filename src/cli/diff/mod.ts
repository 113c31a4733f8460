/**
 * `weir diff A B`: two sessions side by side, flow files or HARs, each by its content.
 * @module
 */
import { messageOf } from "../../errors.ts";
import { escapeControl } from "../../escape.ts";
import { readFlows } from "../../formats/mod.ts";
import { UsageError } from "../flags.ts";
import { type SyncWriter, writeText } from "../output.ts";
import { differences } from "./compare.ts";
import { digestOf, type FlowDigest } from "./digest.ts";

/** Fields that differ without a meaning. */
const IGNORED = ["date"];

const HELP = `usage: weir diff [--ignore-header NAME]... A B

Compares two sessions, flow files of weir or mitmproxy, or HARs: a line for each request that is missing, was added or
has moved, and for each status, field or body that differs. The status is 1 where they differ, else 0.

  --ignore-header NAME  A field that may differ, besides ${IGNORED.join(", ")}; may be given several times
  -h, --help            Show this
`;

interface DiffLine {
  readonly files: readonly [string, string];
  readonly ignored: ReadonlySet<string>;
}

/** Runs the command with what stands behind `diff`; resolves to the exit status. @throws {UsageError} */
export async function diff(argv: readonly string[], stdout: SyncWriter): Promise<number> {
  const line = parseLine(argv);
  if (line === null) {
    writeText(stdout, HELP);
    return 0;
  }
  const { files: [a, b], ignored } = line;
  const [first, second] = [await session(a, ignored), await session(b, ignored)];
  let count = 0;
  for (const text of differences(first.digests, second.digests)) {
    count++;
    writeText(stdout, `${escapeControl(text)}\n`);
  }
  const error = first.error ?? second.error;
  if (error !== null) throw error;
  return count > 0 ? 1 : 0;
}

/** Null when help is asked for. */
function parseLine(argv: readonly string[]): DiffLine | null {
  const files: string[] = [], ignored = new Set(IGNORED);
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i];
    if (argument === "-h" || argument === "--help") return null;
    const option = /^--ignore-header(?:=(.*))?$/s.exec(argument);
    if (option !== null) {
      const names = option[1] ?? argv[++i];
      if (!names) throw new UsageError("--ignore-header needs the name of a field");
      for (const name of names.split(",")) ignored.add(name.trim().toLowerCase());
    } else if (argument.startsWith("-") && argument !== "-") {
      throw new UsageError(`unknown flag ${argument}; weir diff has --ignore-header NAME`);
    } else files.push(argument);
  }
  const [a, b] = files;
  if (files.length !== 2) throw new UsageError("diff needs two files: weir diff A B");
  return { files: [a, b], ignored };
}

/** What is kept of the flows of a file; `error` tells why they are not all. */
interface Session {
  readonly digests: readonly FlowDigest[];
  readonly error: Error | null;
}

/** Reads a file; what is whole of a broken one counts. @throws {Error} that names it when nothing is. */
async function session(path: string, ignored: ReadonlySet<string>): Promise<Session> {
  const digests: FlowDigest[] = [];
  try {
    const source = path === "-" ? Deno.stdin.readable : (await Deno.open(path)).readable;
    for await (const flow of readFlows(source)) {
      digests.push(await digestOf(flow, digests.length + 1, ignored));
    }
  } catch (error) {
    const reason = messageOf(error).replace(/ \(os error \d+\).*/, "");
    const named = new Error(`${path === "-" ? "standard input" : path}: ${reason}`, { cause: error });
    if (digests.length === 0) throw named;
    return { digests, error: named };
  }
  return { digests, error: null };
}
