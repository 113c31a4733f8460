// `@std/cli/parse_args` as npm redistributes it (JSR may be out of reach), with the types that npm's copy lacks.
// @ts-types="./parse_args.d.ts"
export * from "npm:deno-std@1.4.0/cli/parse_args.js";
