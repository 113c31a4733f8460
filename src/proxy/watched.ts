/**
 * Those who watch a body on its way (`message.watch`): what they do can neither change nor cut it.
 * @module
 */
import { messageOf } from "../errors.ts";
import { type Body, observe, type Observer } from "../streams/mod.ts";

/** `body`, seen by each of these; one that fails is left out from then on, and `warn` is told. */
export function watched(body: Body, watchers: readonly Observer[], warn: (text: string) => void): Body {
  return watchers.reduce((source, watcher) => observe(harmless(watcher, warn)).through(source), body);
}

function harmless(watcher: Observer, warn: (text: string) => void): Observer {
  let hasFailed = false;
  const failed = (thrown: unknown) => {
    if (!hasFailed) warn(`A watcher of the body failed and sees no more of it: ${messageOf(thrown)}`);
    hasFailed = true;
  };
  const guarded = (look: () => Promise<void> | void): Promise<void> | void => {
    if (hasFailed) return;
    try {
      const done = look();
      if (done !== undefined) return Promise.resolve(done).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  };
  return {
    piece: (bytes) => guarded(() => watcher.piece?.(bytes)),
    end: (error) => guarded(() => watcher.end?.(error)),
  };
}
