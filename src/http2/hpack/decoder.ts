/**
 * Header blocks to field lists (RFC 7541 §3.2, §6).
 * @module
 */
import { MAX_FIELD_BLOCK, MAX_FIELDS } from "../../http/mod.ts";
import { HpackError } from "./error.ts";
import { DEFAULT_TABLE_SIZE, DynamicTable, ENTRY_OVERHEAD } from "./dynamic_table.ts";
import { huffmanDecode, latin1Decode } from "./huffman.ts";
import { Cursor } from "./integer.ts";
import { STATIC_COUNT, STATIC_TABLE } from "./static_table.ts";

/** Name, value, name, value, …; null when there were too many for a limit (the decoder's state is then still right). */
export type DecodedFields = string[] | null;

/** One direction's decoder; blocks must be given in the order of the wire. */
export class HpackDecoder {
  readonly #table = new DynamicTable(DEFAULT_TABLE_SIZE);
  readonly #maxFields: number;

  /** @param maxFields how many fields a block may have, pseudo-header fields not counted */
  constructor(maxFields: number = MAX_FIELDS) {
    this.#maxFields = maxFields;
  }

  /** @throws {HpackError} when the block is broken; the connection cannot go on. */
  decode(block: Uint8Array): DecodedFields {
    const cursor = new Cursor(block, 0, block.length);
    const fields: string[] = [];
    let listSize = 0, regular = 0, started = false, hasCookie = false;
    while (cursor.at < cursor.end) {
      const first = block[cursor.at];
      if ((first & 0xe0) === 0x20) {
        // §4.2: a size update stands at the beginning of a block.
        if (started) throw new HpackError("A dynamic table size update comes after a field.");
        this.#updateSize(cursor.integer(5));
        continue;
      }
      started = true;
      let name: string, value: string;
      if (first >= 0x80) {
        // §6.1 indexed field.
        const index = cursor.integer(7);
        name = this.#name(index);
        value = this.#value(index);
      } else {
        // §6.2.1 with incremental indexing: 01; §6.2.2 without: 0000; §6.2.3 never: 0001.
        const indexing = first >= 0x40;
        const index = cursor.integer(indexing ? 6 : 4);
        name = index === 0 ? this.#string(cursor) : this.#name(index);
        value = this.#string(cursor);
        if (indexing) this.#table.add(name, value);
      }
      // Past a limit the block is still decoded, for the table's sake, but nothing is kept.
      listSize += name.length + value.length + ENTRY_OVERHEAD;
      // RFC 9113 §8.2.3: the crumbs of a cookie are one field.
      if (name === "cookie") {
        if (!hasCookie) regular++;
        hasCookie = true;
      } else if (!name.startsWith(":")) regular++;
      if (listSize <= MAX_FIELD_BLOCK && regular <= this.#maxFields) fields.push(name, value);
    }
    return listSize <= MAX_FIELD_BLOCK && regular <= this.#maxFields ? fields : null;
  }

  #updateSize(size: number): void {
    if (size > DEFAULT_TABLE_SIZE) {
      throw new HpackError(`A dynamic table of ${size} bytes is beyond the ${DEFAULT_TABLE_SIZE} allowed.`);
    }
    this.#table.resize(size);
  }

  #name(index: number): string {
    this.#check(index);
    return index <= STATIC_COUNT ? STATIC_TABLE[index - 1][0] : this.#table.nameAt(index - STATIC_COUNT - 1);
  }

  #value(index: number): string {
    return index <= STATIC_COUNT ? STATIC_TABLE[index - 1][1] : this.#table.valueAt(index - STATIC_COUNT - 1);
  }

  #check(index: number): void {
    if (index === 0 || index > STATIC_COUNT + this.#table.count) {
      throw new HpackError(`Index ${index} is in neither table.`);
    }
  }

  /** §5.2. */
  #string(cursor: Cursor): string {
    if (cursor.at >= cursor.end) throw new HpackError("A header block ends in mid field.");
    const huffman = cursor.bytes[cursor.at] >= 0x80;
    const length = cursor.integer(7);
    const start = cursor.at, end = start + length;
    if (end > cursor.end) throw new HpackError("A string is longer than its header block.");
    cursor.at = end;
    return huffman ? huffmanDecode(cursor.bytes, start, end) : latin1Decode(cursor.bytes, start, end);
  }
}
