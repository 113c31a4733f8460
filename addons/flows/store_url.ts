/**
 * The URLs of stores, which are recognised before anything of a store is loaded.
 * @module
 */

/** True for what can be a store's URL: `sqlite:…`, `postgres://…`, `postgresql://…`. */
export function isStoreUrl(text: string): boolean {
  return /^(?:sqlite:|postgres(?:ql)?:\/\/)/.test(text);
}

/** A URL without its password. */
export function shownUrl(url: string): string {
  return url.replace(/^(\w+:\/\/[^/?#@:]*):[^/?#@]*@/, "$1@").replace(/([?&]password=)[^&#]*/i, "$1…");
}
