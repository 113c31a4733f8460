/**
 * What a message, and what it unfolds to, have to know of the flow that they belong to.
 * @module
 */

/** What a message has to know of its flow. */
export interface MessageOwner {
  /** The addon whose hook is running, or null. */
  readonly addon: string | null;
  /** Tells the log, naming that addon. */
  warn(text: string): void;
  /** Bytes that the flow may hold besides what it does (`memory_limit`). */
  readonly room: number;
  /** Books bytes that are held for the flow; what it says was booked: nothing when the flow has ended. */
  hold(bytes: number): number;
}
