/**
 * Finds the end of the last whole record of a flow file, from the lengths alone: what is to be added must come behind it, since
 * readers stop at the first broken byte.
 * @module
 */
import { FormatError } from "../error.ts";
import { MAX_DIGITS, parsePrefix } from "../tnetstring/mod.ts";

/** A file that can be read at any place. */
export interface RandomSource {
  /** Bytes in all. */
  readonly size: number;
  /** Up to `count` bytes from `offset` on; fewer only at the end. */
  read(offset: number, count: number): Promise<Uint8Array>;
}

/** What there is of whole records. */
export interface WholeFlows {
  /** How many. */
  readonly count: number;
  /** Where the last of them ends: 0 without any. */
  readonly end: number;
  /** Bytes behind them, of one that was cut off. */
  readonly dropped: number;
}

const WINDOW = 64 * 1024;
/** A record's tag, and the prefix of the next. */
const STEP = MAX_DIGITS + 2;
const DICT = 0x7d;

/**
 * Finds where the records of a flow file begin and end, without reading what is in them.
 * @throws {FormatError} where there is anything else than records, one of which may be cut off at the end.
 */
export async function scanFlowFile(source: RandomSource): Promise<WholeFlows> {
  const { size } = source;
  let window = new Uint8Array(), from = 0, count = 0, end = 0;
  /** So many bytes from `at` on, fewer at the end of the file. */
  const peek = async (at: number, length: number): Promise<Uint8Array> => {
    if (at < from || at + length > from + window.length) {
      window = new Uint8Array(await source.read(at, WINDOW));
      from = at;
    }
    return window.subarray(at - from, at - from + length);
  };
  while (end < size) {
    const prefix = parsePrefix(await peek(end, STEP), 0, end);
    if (prefix === undefined || end + prefix.size + prefix.length >= size) break;
    const tagAt = end + prefix.size + prefix.length;
    // A key comes first, and it has a length.
    if (prefix.length > 0) parsePrefix(await peek(end + prefix.size, STEP), 0, end + prefix.size);
    if ((await peek(tagAt, 1))[0] !== DICT) throw new FormatError(end, "this is no flow");
    end = tagAt + 1;
    count++;
  }
  return { count, end, dropped: size - end };
}
