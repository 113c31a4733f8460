// `@std/yaml` as npm redistributes it (JSR may be out of reach), with the types that npm's copy lacks.
// @ts-types="./yaml.d.ts"
export * from "npm:deno-std@1.4.0/yaml/mod.js";
