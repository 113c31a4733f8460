import { assertEquals } from "@std/assert";
import { onStopSignal } from "../../src/cli/signals.ts";

/** Signals that come when the test says so. */
class FakeSignals {
  readonly listeners = new Map<string, () => void>();
  readonly exits: number[] = [];
  addSignalListener(signal: string, listener: () => void) {
    this.listeners.set(signal, listener);
  }
  removeSignalListener(signal: string, listener: () => void) {
    if (this.listeners.get(signal) === listener) this.listeners.delete(signal);
  }
  exit(code: number) {
    this.exits.push(code);
  }
  send(signal: string) {
    this.listeners.get(signal)?.();
  }
}

function started(os: typeof Deno.build.os = "linux", ignoresHangup = false) {
  const signals = new FakeSignals();
  let stops = 0;
  const remove = onStopSignal(() => stops++, signals, os, () => ignoresHangup);
  return { signals, remove, stops: () => stops };
}

Deno.test("the first SIGINT stops, the second exits at once", () => {
  const { signals, stops } = started();
  signals.send("SIGINT");
  assertEquals([stops(), signals.exits], [1, []]);
  signals.send("SIGINT");
  assertEquals([stops(), signals.exits], [1, [130]]);
});

Deno.test("SIGTERM stops once; SIGINT after it exits at once", () => {
  const { signals, stops } = started();
  signals.send("SIGTERM");
  signals.send("SIGTERM");
  assertEquals([stops(), signals.exits], [1, []]);
  signals.send("SIGINT");
  assertEquals([stops(), signals.exits], [1, [130]]);
});

Deno.test("SIGHUP stops once, like SIGTERM, unless weir was started to ignore it", () => {
  const { signals, stops } = started();
  signals.send("SIGHUP");
  signals.send("SIGHUP");
  assertEquals([stops(), signals.exits], [1, []]);
  const other = started("linux", true);
  other.signals.send("SIGHUP");
  assertEquals(other.stops(), 0);
});

Deno.test("Windows has SIGBREAK in the place of SIGTERM, and all listeners can be removed", () => {
  const { signals, remove } = started("windows");
  assertEquals([...signals.listeners.keys()], ["SIGINT", "SIGBREAK", "SIGHUP"]);
  remove();
  assertEquals(signals.listeners.size, 0);
});

Deno.test("listeners of the real process leave nothing behind", () => {
  onStopSignal(() => {})();
});
