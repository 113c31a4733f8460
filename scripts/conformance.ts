/**
 * Runs other people's protocol suites against weir, those that are installed: `H2SPEC=… LLHTTP=… WSTEST=… deno task
 * conformance`. Prints what differs and why, and what it skipped; exits 1 when something differs that is not known to.
 * @module
 */
import { autobahn } from "./conformance/autobahn.ts";
import { h2spec } from "./conformance/h2spec.ts";
import { llhttp } from "./conformance/llhttp.ts";
import { judge } from "./conformance/suite.ts";

if (import.meta.main) {
  let isRight = true;
  for (const suite of [h2spec, llhttp, autobahn]) {
    isRight = await judge(suite, (line) => console.log(line)) && isRight;
  }
  Deno.exit(isRight ? 0 : 1);
}
