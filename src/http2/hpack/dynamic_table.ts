/**
 * The dynamic table of HPACK (RFC 7541 §2.3.2, §4): first in, first out, bounded by the size of its entries.
 *
 * Entries are numbered from 0 in the order of their insertion and never renumbered; the index on the wire follows from
 * the number (the newest has the lowest index). The encoder's lookup maps keep these numbers.
 * @module
 */

/** RFC 7541 §4.1: what an entry costs beyond its name and value. */
export const ENTRY_OVERHEAD = 32;
/** RFC 9113 §6.5.2: SETTINGS_HEADER_TABLE_SIZE unless said otherwise. Both directions of weir use it and no more. */
export const DEFAULT_TABLE_SIZE = 4096;

/** Names and values with a bound on their size. */
export class DynamicTable {
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  /** Position of the oldest entry in the arrays; what lies before it is removed now and then. */
  #start = 0;
  /** Number of the oldest entry. */
  #oldest = 0;
  #size = 0;
  #maxSize: number;
  readonly #onEvicted: ((name: string, value: string) => void) | null;

  constructor(
    maxSize: number,
    onEvicted: ((name: string, value: string) => void) | null = null,
  ) {
    this.#maxSize = maxSize;
    this.#onEvicted = onEvicted;
  }

  get count(): number {
    return this.#names.length - this.#start;
  }

  get maxSize(): number {
    return this.#maxSize;
  }

  /** The number that the next entry will have. */
  get next(): number {
    return this.#oldest + this.count;
  }

  /** The name of the entry that has this place, 0 being the newest. The caller has checked `place < count`. */
  nameAt(place: number): string {
    return this.#names[this.#names.length - 1 - place];
  }

  valueAt(place: number): string {
    return this.#values[this.#values.length - 1 - place];
  }

  /** RFC 7541 §4.4: makes room first; an entry larger than the table empties it and is not kept. True when kept. */
  add(name: string, value: string): boolean {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#shrinkTo(this.#maxSize - size);
    if (size > this.#maxSize) return false;
    this.#names.push(name);
    this.#values.push(value);
    this.#size += size;
    return true;
  }

  /** RFC 7541 §4.3. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    this.#shrinkTo(maxSize);
  }

  #shrinkTo(size: number): void {
    while (this.#size > size && this.count > 0) {
      const name = this.#names[this.#start], value = this.#values[this.#start];
      this.#size -= name.length + value.length + ENTRY_OVERHEAD;
      this.#start++;
      this.#oldest++;
      this.#onEvicted?.(name, value);
    }
    // Removed in bulk: a table holds at most 128 entries, so the arrays stay short.
    if (this.#start >= 128) {
      this.#names.splice(0, this.#start);
      this.#values.splice(0, this.#start);
      this.#start = 0;
    }
  }
}
