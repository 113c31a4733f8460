/** The public module `weir`: types and helpers for addons, never the proxy itself. @module */
export {};
