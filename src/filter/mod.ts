/**
 * The filter language: a text in, a function of a flow out. Nothing here changes a flow or reads a file.
 * @module
 */
export { FilterError } from "./error.ts";
export { type Filter, parseFilter } from "./filter.ts";
export { type Condition, type FlowFacts, flowFacts } from "./narrow.ts";
export type { Need } from "./operators.ts";
export { PatternError, type PatternOptions, pythonRegex } from "./python_regex.ts";
