/** Flows that end in the same moment are one write, and what has room is kept where not all has. @module */
import { assertEquals } from "@std/assert";
import type { EncodedFlow } from "weir";
import { type FlowSink, FlowWriter } from "../../../addons/flows/writer.ts";

/** A flow whose record is so many of this letter. */
function record(letter: string, size = 3): EncodedFlow {
  const bytes = new TextEncoder().encode(letter.repeat(size));
  return {
    size,
    isLong: false,
    bytes: () => bytes,
    copyInto: (target, at) => target.set(bytes, at),
    async *chunks() {
      yield bytes;
    },
    hold: () => ({ [Symbol.dispose]() {} }),
  };
}

/** One that lies in a file in part, whose second half comes when `more` resolves. */
function long(letter: string, more: Promise<void>): EncodedFlow {
  return {
    ...record(letter, 4),
    isLong: true,
    async *chunks() {
      yield new TextEncoder().encode(letter.repeat(2));
      await more;
      yield new TextEncoder().encode(letter.repeat(2));
    },
  };
}

/** A disk with so much room: what is on it, write by write. */
class Disk implements FlowSink {
  readonly writes: string[] = [];
  content = "";
  closed = false;
  #end = 0;

  constructor(readonly room = Infinity) {}

  writeSync(bytes: Uint8Array): void {
    const text = new TextDecoder().decode(bytes);
    this.writes.push(text);
    this.content += text.slice(0, Math.max(0, this.room - this.content.length));
    if (this.content.length >= this.room) throw new Error("No space left on device");
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => resolve(this.writeSync(bytes)));
  }

  rollBack(): void {
    this.content = this.content.slice(0, this.#end);
  }

  commit(): void {
    this.#end = this.content.length;
  }

  close(): void {
    this.closed = true;
  }
}

function writerTo(disk: Disk) {
  const failures: string[] = [];
  const writer = new FlowWriter(disk, {
    onFailure: (error, lost) => failures.push(`${(error as Error).message}: ${lost}`),
    onLost: (error) => failures.push(String(error)),
  });
  return { writer, failures };
}

Deno.test("flows that end in one moment are one write, those of the next another", async () => {
  const disk = new Disk(), { writer } = writerTo(disk);
  for (const letter of "abc") writer.add(record(letter));
  assertEquals(disk.writes, []);
  await Promise.resolve();
  assertEquals(disk.writes, ["aaabbbccc"]);
  writer.add(record("d"));
  await Promise.resolve();
  assertEquals(disk.writes, ["aaabbbccc", "ddd"]);
  await writer.close();
  assertEquals([disk.writes.length, disk.closed], [2, true]);
});

Deno.test("flush writes at once, and close what is left", async () => {
  const disk = new Disk(), { writer } = writerTo(disk);
  writer.add(record("a"));
  writer.flush();
  assertEquals(disk.content, "aaa");
  writer.add(record("b"));
  await writer.close();
  assertEquals(disk.content, "aaabbb");
});

Deno.test("more than fits into one write is several, and nothing is out of order", async () => {
  const disk = new Disk(), { writer } = writerTo(disk);
  const sizes = [100_000, 100_000, 100_000, 300_000, 5];
  sizes.forEach((size, i) => writer.add(record("abcde"[i], size)));
  await writer.close();
  assertEquals(disk.content, sizes.map((size, i) => "abcde"[i].repeat(size)).join(""));
});

Deno.test("a disk that is full in the middle of a moment keeps the flows that have room, and none in part", async () => {
  for (const [room, kept, lost] of [[7, "aaabbb", 2], [2, "", 4], [11, "aaabbbccc", 1]] as const) {
    const disk = new Disk(room), { writer, failures } = writerTo(disk);
    for (const letter of "abcd") writer.add(record(letter));
    await Promise.resolve();
    assertEquals([disk.content, failures], [kept, [`No space left on device: ${lost}`]]);
    writer.add(record("e"));
    await writer.close();
    assertEquals([disk.content, failures.length], [kept, 1]);
  }
});

Deno.test("what came before a long flow is in front of it, and what came meanwhile behind it", async () => {
  const disk = new Disk(), { writer } = writerTo(disk);
  const more = Promise.withResolvers<void>();
  writer.add(record("a"));
  writer.add(long("L", more.promise));
  writer.add(record("b"));
  assertEquals(disk.content.slice(0, 3), "aaa");
  more.resolve();
  await writer.close();
  assertEquals(disk.content, "aaaLLLLbbb");
});

Deno.test("what waits behind a long flow counts as lost when the disk is full", async () => {
  const disk = new Disk(5), { writer, failures } = writerTo(disk);
  writer.add(record("a"));
  writer.add(long("L", Promise.resolve()));
  writer.add(record("b"));
  writer.add(record("c"));
  await writer.close();
  assertEquals([disk.content, failures], ["aaa", ["No space left on device: 3"]]);
});
