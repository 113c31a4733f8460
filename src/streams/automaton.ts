/**
 * Finding any of several byte strings in one pass (Aho and Corasick 1975).
 *
 * Besides the transitions the table knows, for every state, how much of what was read last could still become
 * a match. That is what lets a stream be searched without holding back one byte too many.
 * @module
 */

/** Bytes in all patterns together: the table has a row for each, of up to 1 KiB. */
const MAX_PATTERN_BYTES = 64 * 1024;

/** The table; state 0 is the start. Rows are `width` wide, columns are given by `columnOf`. */
export class Automaton {
  readonly width: number;
  readonly columnOf = new Uint16Array(256);
  /** The state after `state` on a byte: `next[state * width + columnOf[byte]]`. */
  readonly next: Int32Array;
  /** The longest pattern that ends in a state, or -1. */
  readonly match: Int32Array;
  /** How many of the bytes read last are the beginning of a pattern that is longer than them. */
  readonly live: Int32Array;

  /** @throws {TypeError} on an empty pattern. @throws {RangeError} when they are too long together. */
  constructor(patterns: readonly Uint8Array[]) {
    const total = patterns.reduce((sum, pattern) => sum + pattern.length, 0);
    if (patterns.some((pattern) => pattern.length === 0)) throw new TypeError("A pattern is empty.");
    if (total > MAX_PATTERN_BYTES) {
      throw new RangeError(`The patterns have ${total} bytes together; ${MAX_PATTERN_BYTES} are allowed.`);
    }
    // Bytes that are in no pattern share column 0: they always lead back to the start.
    let width = 1;
    for (const pattern of patterns) {
      for (const byte of pattern) if (this.columnOf[byte] === 0) this.columnOf[byte] = width++;
    }
    this.width = width;
    this.next = new Int32Array((total + 1) * width);
    this.match = new Int32Array(total + 1).fill(-1);
    this.live = new Int32Array(total + 1);
    this.#link(this.#plant(patterns));
  }

  /** Builds the trie; gives its states, parents first, with their depth in `live`. */
  #plant(patterns: readonly Uint8Array[]): number {
    let states = 1;
    patterns.forEach((pattern, index) => {
      let state = 0;
      for (const byte of pattern) {
        const at = state * this.width + this.columnOf[byte];
        if (this.next[at] === 0) {
          this.live[states] = this.live[state] + 1;
          this.next[at] = states++;
        }
        state = this.next[at];
      }
      // Of two that are the same, the first counts.
      if (this.match[state] === -1) this.match[state] = index;
    });
    return states;
  }

  /**
   * Adds what happens where the trie has no edge, level by level: go on from the longest suffix that is in
   * the trie.
   */
  #link(states: number): void {
    const { next, match, live, width } = this;
    const fallback = new Int32Array(states);
    const queue: number[] = [];
    for (let column = 0; column < width; column++) if (next[column] !== 0) queue.push(next[column]);
    for (let head = 0; head < queue.length; head++) {
      const state = queue[head], suffix = fallback[state];
      let leaf = true;
      for (let column = 0; column < width; column++) {
        const child = next[state * width + column];
        const other = next[suffix * width + column];
        if (child === 0) next[state * width + column] = other;
        else {
          leaf = false;
          fallback[child] = other;
          queue.push(child);
        }
      }
      if (match[state] === -1) match[state] = match[suffix];
      // The end of a pattern that begins no other one can only go on as its suffix.
      if (leaf) live[state] = live[suffix];
    }
  }
}
