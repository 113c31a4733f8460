// `@std/bytes` as npm redistributes it (JSR may be out of reach), with the types that npm's copy lacks.
// @ts-types="./bytes.d.ts"
export * from "npm:deno-std@1.4.0/bytes/mod.js";
