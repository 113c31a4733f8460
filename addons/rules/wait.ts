/**
 * Rules whose filters ask for a body.
 * @module
 */
import type { Filter, HttpFlow, Message } from "weir";

/** Has a message wait for its body where a filter cannot be answered without it; then `request` or `response` is the place to ask. */
export function waitForBody(
  option: string,
  filters: readonly Filter[],
  flow: HttpFlow,
  message: Message,
): void {
  if (filters.some((filter) => filter.decideFor(flow, message) === undefined)) {
    message.needWhole(`${option}: a filter asks for the body`);
  }
}
