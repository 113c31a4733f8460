/**
 * What a suite of somebody else's says of weir, and what is known to differ and why.
 * @module
 */

/** Where weir differs on purpose: what is found in a case's name or what was said of it, and the reason. */
export interface Deviation {
  readonly found: RegExp;
  readonly reason: string;
}

/** One case that weir does not do as the suite would have it. */
export interface Difference {
  readonly name: string;
  readonly detail: string;
}

/** What running a suite gave; `skipped` says why it was not run. */
export type Outcome =
  | { readonly skipped: string }
  | { readonly total: number; readonly differences: readonly Difference[] };

/** A suite that may or may not be installed. */
export interface Suite {
  readonly name: string;
  /** The environment variable that says where it is. */
  readonly variable: string;
  /** What the variable has to name. */
  readonly wants: string;
  readonly deviations: readonly Deviation[];
  run(path: string): Promise<Outcome>;
}

/** Runs a suite where it is there, and prints what it found. True when nothing was unexpected. */
export async function judge(suite: Suite, print: (line: string) => void): Promise<boolean> {
  const path = Deno.env.get(suite.variable);
  const outcome: Outcome = path === undefined || path === ""
    ? { skipped: `set ${suite.variable} to ${suite.wants}` }
    : await isThere(path)
    ? await suite.run(path)
    : { skipped: `${suite.variable} names ${path}, which is not there` };
  if ("skipped" in outcome) {
    print(`${suite.name}: skipped, ${outcome.skipped}`);
    return true;
  }
  const { total, differences } = outcome;
  const deviationOf = ({ name, detail }: Difference) =>
    suite.deviations.find(({ found }) => found.test(`${name}: ${detail}`));
  const unexpected = differences.filter((difference) => deviationOf(difference) === undefined);
  const known = differences.length - unexpected.length;
  print(
    `${suite.name}: ${
      total - differences.length
    } of ${total} as it says, ${known} known to differ, ${unexpected.length} not`,
  );
  for (const difference of differences) {
    const deviation = deviationOf(difference);
    print(
      `  ${deviation === undefined ? "UNEXPECTED" : "known"}: ${difference.name}: ${
        deviation?.reason ?? difference.detail
      }`,
    );
  }
  return unexpected.length === 0;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
