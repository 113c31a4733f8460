/**
 * All that is loaded when a store is used.
 * @module
 */
export { BodyFiles } from "./bodies.ts";
export { UnusableDatabase } from "./database.ts";
export { FlowQueue } from "./queue.ts";
export { type Keep, parseKeep } from "./retention.ts";
export { flowOf, type KeptBody, messageJson, rowOf } from "./row.ts";
export { databaseOf, FlowStore } from "./store.ts";
