/**
 * Loaded before each test file: with `WEIR_TEST_SEED=N` property tests (fast-check) make the same inputs each time, so that a run
 * of CI says something about the commit and can be repeated. Without it each run looks at other inputs.
 * @module
 */
const seed = Deno.env.get("WEIR_TEST_SEED");
if (seed !== undefined) {
  const { default: fc } = await import("fast-check");
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
}
