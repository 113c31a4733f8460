/**
 * Hooks: their names and types, calling them, and loading addons (again and again). The floor under the proxy.
 * @module
 */
export type * from "./addon.ts";
export { forAddons } from "./addon.ts";
export type * from "./gate.ts";
export * from "./names.ts";
export { Dispatcher, type LoadedAddon } from "./dispatch.ts";
export { AddonManager, type AddonSource } from "./loader.ts";
export { FileWatcher, traitsOf } from "./watch.ts";
export { describeHookError } from "./describe.ts";
