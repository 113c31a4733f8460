/**
 * Contents as lines for people: JSON set out, other text as it is, bytes as a hex dump, long ones cut.
 *
 * Lines are made one by one, as they are printed, so that what a content takes in memory is what it is, however long its
 * lines are and however many it makes.
 * @module
 */
import { escapeControl, type Message, type UnitReader, unitReader } from "weir";
import { jsonLines, MAX_JSON } from "./json_lines.ts";
import { Part, style } from "./printer.ts";
import { BINARY, unitLines } from "./unit_lines.ts";

/** At level 3, what is shown of a body: so many lines, of so many bytes. */
const SHOWN_LINES = 70;
const SHOWN_BYTES = 64 * 1024;
/** At level 4 nothing is cut off, but what a body unfolds to beyond this, and beyond its size on the wire. */
const UNFOLDED_BYTES = 4 * 1024 * 1024;
const BYTES_PER_HEX_LINE = 16;
/** Bytes of text that are read at a time. */
const TEXT_PIECE = 64 * 1024;

/** A message of a conversation, behind the line that says whose it is. */
export function* conversationLines(
  line: string,
  content: Uint8Array,
  detail: number,
): Generator<string | Part> {
  yield line;
  yield* contentLines(content, true, null, detail);
  yield "";
}

/** The content of a request or response: JSON set out, text as it is, anything else as a hex dump. */
export function* bodyLines(message: Message, detail: number): Generator<string | Part> {
  const onWire = message.streamedBy === null ? message.size : 0;
  const most = detail >= 4 ? Math.max(UNFOLDED_BYTES, onWire) : SHOWN_BYTES;
  const start = message.contentStart(most);
  if (start !== null) {
    const reader = unitReader(message, shownOf(detail));
    yield* contentLines(start.bytes, start.isWhole, message.headers.get("content-type"), detail, reader);
  } else if (message.streamedBy !== null) {
    yield "";
    yield style("    (streamed, so there is no content to show)", "dim");
  }
}

/** Most bytes of a unit that are shown. */
export function shownOf(detail: number): number {
  return detail >= 4 ? UNFOLDED_BYTES : SHOWN_BYTES;
}

function* contentLines(
  content: Uint8Array,
  isWhole: boolean,
  type: string | null,
  detail: number,
  reader: UnitReader | null = null,
): Generator<string | Part> {
  if (content.length === 0 && isWhole) return;
  const shown = detail >= 4 ? content : content.subarray(0, SHOWN_BYTES);
  const isCut = !isWhole || shown.length < content.length;
  yield "";
  const lines = reader === null
    ? plainLines(shown, isCut ? null : type)
    : unitLines(reader, shown, !isCut, plainLines);
  yield* shortened(lines, detail, isCut);
}

/** Lines, set in; at level 3 so many of them. `isCut`: something else is missing. */
export function* shortened(
  lines: Iterable<string | Part>,
  detail: number,
  isCut = false,
): Generator<string | Part> {
  const most = detail >= 4 ? Infinity : SHOWN_LINES;
  let count = 0, isInside = false, isShort = false;
  for (const line of lines) {
    if (!isInside && count++ === most) {
      isShort = true;
      break;
    }
    const indent = isInside ? "" : "    ";
    isInside = line instanceof Part;
    yield typeof line === "string" ? indent + line : new Part(indent + line.text);
  }
  if (isInside) yield "";
  if (isShort || isCut) yield style("    (cut off)", "dim");
}

/** JSON set out, text as it is, anything else as a hex dump. */
export function plainLines(content: Uint8Array, type: string | null): Iterable<string | Part> {
  return type !== BINARY && isText(content) ? textLines(content, type) : hexLines(content);
}

/** False for what is not UTF-8, or has NULs as no text has. */
function isText(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    // A character that is cut at the end is no mistake.
    for (const piece of piecesOf(bytes)) decoder.decode(piece, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += TEXT_PIECE) yield bytes.subarray(at, at + TEXT_PIECE);
}

function* textLines(bytes: Uint8Array, type: string | null): Generator<string | Part> {
  if (type !== null && /[/+]json\b/i.test(type) && bytes.length <= MAX_JSON) {
    const lines = jsonLines(new TextDecoder().decode(bytes));
    if (lines !== null) {
      for (const line of lines) yield escaped(line);
      return;
    }
  }
  const decoder = new TextDecoder();
  // White space that may be the text's end, which is left out.
  let held = "";
  for (const piece of piecesOf(bytes)) {
    const text = held + decoder.decode(piece, { stream: true });
    const end = text.trimEnd().length || (text.length > TEXT_PIECE ? text.length : 0);
    held = text.slice(end);
    const lines = text.slice(0, end).split(/\r?\n/);
    const last = lines.pop()!;
    for (const line of lines) yield escaped(line);
    if (last !== "") yield new Part(escaped(last));
  }
}

function escaped(line: string): string {
  return line.split("\t").map(escapeControl).join("\t");
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** `0000000010 48 65 6c 6c 6f …  Hello` */
function* hexLines(bytes: Uint8Array): Generator<string> {
  for (let at = 0; at < bytes.length; at += BYTES_PER_HEX_LINE) {
    const end = Math.min(bytes.length, at + BYTES_PER_HEX_LINE);
    let hex = "", text = "";
    for (let i = at; i < end; i++) {
      const byte = bytes[i];
      hex += i === at ? HEX[byte] : ` ${HEX[byte]}`;
      text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
    }
    yield `${at.toString(16).padStart(10, "0")} ${hex.padEnd(3 * BYTES_PER_HEX_LINE - 1)}  ${text}`;
  }
}
