/**
 * The door for weir itself to what addons must not touch on flows and messages. Not exported from the module `weir`.
 * @module
 */
export const internals: unique symbol = Symbol("weir.internals");
