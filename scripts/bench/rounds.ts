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

/** Measures `work` for all `peers`, `rounds` times, after a first time that does not count. */
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
  const first = job.fresh ? 1 : 0;
  for (let round = first; round <= rounds; round++) {
    for (const { peer, outcome } of contestants) {
      if (outcome.failure !== null) continue;
      try {
        if (round === 0) kept.set(peer, stack.use(await peer.start(work, job.setup ?? {})));
        const sample = job.fresh
          ? await measureFresh(job, work, peer)
          : await job.measure(round === 0 ? warmUp(work) : work, kept.get(peer)!, peer);
        if (round > 0) outcome.samples.push(sample);
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

/** A fraction of the work: connections are made, code is compiled. */
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
