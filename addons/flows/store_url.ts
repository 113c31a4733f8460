/**
 * The URLs of stores, which are recognised before anything of a store is loaded.
 * @module
 */

/** True for what can be a store's URL: `sqlite:…`, `postgres://…`, `postgresql://…`. */
export function isStoreUrl(text: string): boolean {
  return /^(?:sqlite:|postgres(?:ql)?:\/\/)/.test(text);
}

/** A URL without its password, which may have `@`, `/` and the like in it by mistake: all up to the last `@` is left out. */
export function shownUrl(url: string): string {
  return url.replace(/^(\w+:(?:\/\/)?[^/?#@:]*):.*@/s, "$1@").replace(/([?&]password=)[^&#]*/gi, "$1…");
}
