/**
 * The bench's own flags.
 * @module
 */
import { parseArgs } from "node:util";

export interface Flags {
  /** Names of cases must match. */
  readonly only: RegExp;
  readonly rounds: number;
  readonly quick: boolean;
  /** Names of peers besides weir; null: all. */
  readonly peers: readonly string[] | null;
  readonly help: boolean;
}

export const USAGE = `deno task bench [--only REGEX] [--rounds N] [--peers NAME,NAME] [--quick]

  --only REGEX    only the cases whose name matches, in any case
  --rounds N      how often everything is measured (3, with --quick 1)
  --peers A,B     weir beside these alone (mitmdump, goproxy, mockttp, http-mitm-proxy, nginx, "no proxy")
  --quick         small sizes and short times: to see whether it runs, not how fast
`;

/** @throws {Error} that says which flag is wrong. */
export function parseFlags(args: readonly string[], peerNames: readonly string[]): Flags {
  const { values: parsed } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      peers: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const rounds = parsed.rounds === undefined ? (parsed.quick ? 1 : 3) : Number(parsed.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds ${parsed.rounds} is no number of rounds.`);
  }
  const peers = parsed.peers === undefined ? null : parsed.peers.split(",").map((name) => name.trim());
  const stranger = peers?.find((name) => !peerNames.includes(name));
  if (stranger !== undefined) throw new Error(`There is no peer ${stranger}: ${peerNames.join(", ")}.`);
  return { only: new RegExp(parsed.only ?? "", "i"), rounds, quick: parsed.quick, peers, help: parsed.help };
}
