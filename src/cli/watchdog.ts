/**
 * Ends weir when an addon keeps the main isolate in an endless loop: signals are heard there by nobody then, so an isolate of
 * its own hears them as well. At the second one it asks whether anybody is there, and ends the process when it gets no answer.
 *
 * It costs some megabytes, so there is one only where addons of the user's are loaded.
 * @module
 */
import { messageOf } from "../errors.ts";

/** How long (ms) the main isolate has for an answer; at other times it gives one within a turn. */
const ANSWER_MS = 1_000;
/** A data: URL, so that it needs no file in an executable either. It may not import anything. */
const PROGRAM = `
const SIGNALS = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
let count = 0, answered = 0;
onmessage = ({ data }) => answered = data;
for (const signal of SIGNALS) {
  Deno.addSignalListener(signal, () => {
    const number = ++count;
    if (number === 1) return;
    postMessage(number);
    setTimeout(() => {
      if (answered >= number) return;
      const text = "weir: error: an addon is in an endless loop; the second signal ends weir\\n";
      void Deno.stderr.write(new TextEncoder().encode(text));
      setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), 50);
    }, ${ANSWER_MS});
  });
}
postMessage("ready");
`;

/** Something that listens for signals beside the main isolate. */
export interface Watchdog {
  stop(): void;
}

/** Resolves when it listens. Never rejects: weir does without where there can be none. */
export function startWatchdog(debug: (text: string) => void): Promise<Watchdog> {
  const { promise, resolve } = Promise.withResolvers<Watchdog>();
  const none: Watchdog = { stop() {} };
  try {
    const worker = new Worker(`data:application/javascript,${encodeURIComponent(PROGRAM)}`, {
      type: "module",
      name: "weir watchdog",
    });
    worker.onmessage = ({ data }) => {
      if (data === "ready") resolve({ stop: () => worker.terminate() });
      else worker.postMessage(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      debug(`There is no watchdog: ${event.message}`);
      resolve(none);
    };
  } catch (error) {
    debug(`There is no watchdog: ${messageOf(error)}`);
    resolve(none);
  }
  return promise;
}
