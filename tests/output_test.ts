import { assert, assertEquals } from "@std/assert";
import { type AsyncWriter, OutputQueue } from "../src/output.ts";
import { FakeClock } from "./support/fake_clock.ts";

/** A reader that takes what it is let take. */
class Reader implements AsyncWriter {
  readonly writes: string[] = [];
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};

  /** Reads nothing until {@linkcode wake}. */
  sleep(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
  }

  wake(): void {
    this.#open();
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#gate;
    this.writes.push(new TextDecoder().decode(bytes));
    return bytes.length;
  }
}

const HOUR = 3_600_000;

Deno.test("output is written at once; what comes meanwhile leaves with the next write, in order", async () => {
  const reader = new Reader();
  const queue = new OutputQueue(reader);
  reader.sleep();
  for (const text of ["a\n", "b\n", "é\n"]) assertEquals(queue.print(text), undefined);
  reader.wake();
  assertEquals(await queue.flush(HOUR), true);
  assertEquals(reader.writes, ["a\n", "b\né\n"]);
  queue.print("d\n");
  assertEquals(await queue.flush(HOUR), true);
  assertEquals(reader.writes.at(-1), "d\n");
});

Deno.test("partial writes, interruptions and full pipes are gone on after; a reader that is gone ends it quietly", async () => {
  const steps: (number | Error)[] = [
    2,
    new Deno.errors.Interrupted(),
    new Deno.errors.WouldBlock(),
    new Deno.errors.WouldBlock(),
    100,
    new Deno.errors.BrokenPipe(),
  ];
  let text = "";
  const queue = new OutputQueue({
    write(bytes) {
      const step = steps.shift()!;
      if (step instanceof Error) return Promise.reject(step);
      text += new TextDecoder().decode(bytes.subarray(0, step));
      return Promise.resolve(Math.min(step, bytes.length));
    },
  });
  queue.print("hello\n");
  assertEquals(await queue.flush(HOUR), true);
  assertEquals(text, "hello\n");
  queue.print("to nobody\n");
  assertEquals(await queue.flush(HOUR), true);
  assertEquals(queue.print("nor this\n"), undefined);
  assertEquals([text, steps.length], ["hello\n", 0]);
});

Deno.test("a reader that sleeps costs a bounded amount, and is told how much is missing when it wakes", async () => {
  const reader = new Reader();
  const queue = new OutputQueue(reader);
  reader.sleep();
  const line = `${"x".repeat(999)}\n`;
  let room: Promise<void> | undefined;
  for (let i = 0; i < 50_000; i++) room = queue.print(line) ?? room;
  assert(room !== undefined);
  assertEquals(await queue.flush(1), false);
  reader.wake();
  await room;
  assertEquals(await queue.flush(HOUR), true);
  const text = reader.writes.join("");
  const whole = text.split("\n").filter((shown) => shown.length === 999).length;
  const [, missing] = /\n\((\d+) lines or more are missing here: nobody read them in time\)\n/.exec(text)!;
  assertEquals(whole + Number(missing), 50_000);
  assert(whole * 1000 <= 17 * 1024 * 1024, `${whole} lines were kept`);
});

Deno.test("who has more to say waits for room, but not for a reader that never wakes", async () => {
  using clock = new FakeClock();
  const reader = new Reader();
  const queue = new OutputQueue(reader);
  reader.sleep();
  const room = queue.print("x".repeat(2 * 1024 * 1024));
  assert(room !== undefined);
  let isOver = false;
  void room.then(() => isOver = true);
  await clock.pass(1_900);
  assertEquals(isOver, false);
  await clock.pass(200);
  assertEquals(isOver, true);
  reader.wake();
});
