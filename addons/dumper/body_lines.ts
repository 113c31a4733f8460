/**
 * Contents as lines for people: JSON set out, other text as it is, bytes as a hex dump, long ones cut.
 * @module
 */
import { escapeControl } from "weir";
import { style } from "./printer.ts";

/** At level 3, what is shown of a body: so many lines, of so many bytes. */
const SHOWN_LINES = 70;
const SHOWN_BYTES = 64 * 1024;
const BYTES_PER_HEX_LINE = 16;

/** A message of a conversation, from level 3 on. */
export function conversationLines(content: Uint8Array, detail: number): string[] {
  return detail < 3 ? [] : [...bodyLines(content, null, detail), ""];
}

/** A body: JSON set out, text as it is, anything else as a hex dump. */
export function bodyLines(content: Uint8Array, type: string | null, detail: number): string[] {
  if (content.length === 0) return [];
  const isWhole = detail >= 4;
  const shown = isWhole ? content : content.subarray(0, SHOWN_BYTES);
  const text = textOf(shown);
  let lines = text === null
    ? hexLines(shown, isWhole ? Infinity : SHOWN_LINES)
    : escapedLines(pretty(text, type));
  const isCut = shown.length < content.length || (!isWhole && lines.length > SHOWN_LINES);
  if (!isWhole) lines = lines.slice(0, SHOWN_LINES);
  lines = ["", ...lines.map((line) => `    ${line}`)];
  if (isCut) lines.push(style("    (cut off)", "dim"));
  return lines;
}

/** Null for what is not UTF-8, or has NULs as no text has. */
function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    // A character that is cut at the end is no mistake.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}

function pretty(text: string, type: string | null): string {
  if (type === null || !/[/+]json\b/i.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 4);
  } catch {
    return text;
  }
}

function escapedLines(text: string): string[] {
  return text.trimEnd().split(/\r?\n/).map((line) => line.split("\t").map(escapeControl).join("\t"));
}

/** `0000000010 48 65 6c 6c 6f …  Hello` */
function hexLines(bytes: Uint8Array, most: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && lines.length <= most; at += BYTES_PER_HEX_LINE) {
    const row = [...bytes.subarray(at, at + BYTES_PER_HEX_LINE)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(
      3 * BYTES_PER_HEX_LINE - 1,
    );
    const text = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(10, "0")} ${hex}  ${text}`);
  }
  return lines;
}
