/**
 * What a peer may send before it is given credit for more (RFC 9113 §6.9): of one stream, or of the connection.
 *
 * Credit goes back in steps of half a window, to save frames. A window that may grow begins small and doubles as its bytes
 * are taken, so that many stalled streams hold little.
 * @module
 */

/** The window for what is received. */
export class ReceiveWindow {
  /** Bytes that the peer may still send. */
  #left: number;
  #size: number;
  readonly #maximum: number;
  /** Bytes that were taken, and for which no credit was given yet. */
  #uncredited = 0;

  /** It grows up to `maximum`; by default it stays as it is. */
  constructor(size: number, maximum = size) {
    this.#left = this.#size = size;
    this.#maximum = maximum;
  }

  /** Bytes have come. False when there was no room for them (FLOW_CONTROL_ERROR). */
  receive(count: number): boolean {
    this.#left -= count;
    return this.#left >= 0;
  }

  /** Bytes were taken. Returns what WINDOW_UPDATE is to say; 0 when none is due. `isOpen`: the peer may send more. */
  take(count: number, isOpen = true): number {
    this.#uncredited += count;
    if (!isOpen || this.#uncredited < this.#size / 2) return 0;
    if (this.#size < this.#maximum) {
      this.#uncredited += this.#size;
      this.#size *= 2;
    }
    const credit = this.#uncredited;
    this.#left += credit;
    this.#uncredited = 0;
    return credit;
  }
}
