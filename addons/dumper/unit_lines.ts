/**
 * A body that is made of units, shown unit by unit: events, lines of JSON, gRPC messages, parts of a form.
 * @module
 */
import { type BodyUnit, escapeControl, type UnitReader } from "weir";
import { Part, style } from "./printer.ts";
import { sizeText } from "./words.ts";

/** How the content of a unit is set out: like a body of that type. */
export type ContentLines = (content: Uint8Array, type: string | null) => Iterable<string | Part>;

/** The type of what is no text, though its bytes may look like some. */
export const BINARY = "application/protobuf";

/** Bytes that are read at a time. */
const PIECE = 64 * 1024;

/**
 * The lines of a body; `isWhole` when nothing of it is left out. One without any unit is not what its type
 * says, and plain.
 */
export function* unitLines(
  reader: UnitReader,
  body: Uint8Array,
  isWhole: boolean,
  contentLines: ContentLines,
): Generator<string | Part> {
  const before: BodyUnit[] = [];
  let count = 0;
  for (const unit of unitsOf(reader, body, isWhole)) {
    if (count === 0 && unit.kind === "rest") {
      before.push(unit);
      continue;
    }
    if (count === 0) { for (const rest of before) yield* oneUnit(rest, 0, contentLines); }
    if (unit.kind !== "rest") count++;
    yield* oneUnit(unit, count, contentLines);
  }
  if (count === 0) yield* contentLines(body, null);
}

function* unitsOf(reader: UnitReader, body: Uint8Array, isWhole: boolean): Generator<BodyUnit> {
  for (let at = 0; at < body.length; at += PIECE) yield* reader.push(body.subarray(at, at + PIECE));
  if (isWhole) yield* reader.end();
}

/** A unit: what it is, and what it says. */
export function* oneUnit(
  unit: BodyUnit,
  number: number,
  contentLines: ContentLines,
): Generator<string | Part> {
  if (unit.kind !== "rest") yield style(unitTitle(unit, number), "blue");
  const indent = unit.kind === "rest" ? "" : "    ";
  let isInside = false;
  const type = unit.type ?? (unit.kind === "event" ? "+json" : unit.kind === "message" ? BINARY : null);
  for (const line of contentLines(unit.content, type)) {
    const start = isInside ? "" : indent;
    isInside = line instanceof Part;
    yield typeof line === "string" ? start + line : new Part(start + line.text);
  }
  if (isInside) yield "";
  if (unit.isCut) yield style(`${indent}(cut off)`, "dim");
}

/** `[3] event tick, id 7, 23b` */
function unitTitle({ kind, name, about, size }: BodyUnit, number: number): string {
  const words = [`[${number}] ${kind}${name === "" ? "" : ` ${name}`}`, about, sizeText(size)];
  return escapeControl(words.filter((word) => word !== "").join(", "));
}
