/** The proxy, for embedding. @module */
export {};
