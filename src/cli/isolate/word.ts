/** The word by which weir starts itself inside of `exec --isolate`. @module */
export const INNER = "isolated-command";
