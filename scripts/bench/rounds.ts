/**
 * One case, done by each proxy in turn: A B C, A B C, … so that whatever else the machine does hits all of them.
 * @module
 */
import type { Case, Sample, Work } from "./cases/case.ts";
import type { Peer, PeerName, Running } from "./peers/peer.ts";

/** What one proxy did in one case. */
export interface Outcome {
  readonly peer: PeerName;
  /** One for each round, unless it failed. */
  readonly samples: Sample[];
  /** Why it could not go on. */
  failure: string | null;
}

/**
 * Measures `work` for all `peers`, `rounds` times, after a first time that does not count: connections are made, code
 * is compiled, and a certificate authority is on the disk, as it is for users from their second start on.
 */
export async function measure(
  job: Case,
  work: Work,
  peers: readonly Peer[],
  rounds: number,
  progress: (text: string) => void,
): Promise<Outcome[]> {
  const contestants = peers.filter(({ name }) => job.peers.includes(name)).map((peer) => ({
    peer,
    outcome: { peer: peer.name, samples: [], failure: null } as Outcome,
  }));
  await using stack = new AsyncDisposableStack();
  const kept = new Map<Peer, Running>();
  for (let round = 0; round <= rounds; round++) {
    for (const { peer, outcome } of contestants) {
      if (outcome.failure !== null) continue;
      try {
        if (round === 0) {
          const running = await peer.start(work, job.setup ?? {});
          if (job.fresh) await running[Symbol.asyncDispose]();
          else {
            kept.set(peer, stack.use(running));
            await job.measure(warmUp(work), running, peer);
          }
          continue;
        }
        const sample = job.fresh
          ? await measureFresh(job, work, peer)
          : await job.measure(work, kept.get(peer)!, peer);
        outcome.samples.push(sample);
        progress(`${job.name} / ${peer.name}: ${Math.round(sample.value * 100) / 100} ${job.unit}`);
      } catch (error) {
        outcome.failure = lastLine(error);
        progress(`${job.name} / ${peer.name}: ${outcome.failure}`);
      }
    }
  }
  return contestants.map(({ outcome }) => outcome);
}

async function measureFresh(job: Case, work: Work, peer: Peer): Promise<Sample> {
  await using running = await peer.start(work, job.setup ?? {});
  return await job.measure(work, running, peer);
}

/** A fraction of the work. */
function warmUp(work: Work): Work {
  const { sizes } = work;
  return {
    ...work,
    sizes: { ...sizes, large: Math.ceil(sizes.large / 8), seconds: Math.min(1, sizes.seconds), events: 10 },
  };
}

/** What a program says last is mostly what it died of. */
function lastLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trimEnd().split("\n").pop()!;
}
