import { assertEquals, assertMatch } from "@std/assert";
import { formatLine, type LogLevel, TermLog } from "../../src/cli/log.ts";
import { writeText } from "../../src/cli/output.ts";

const NOW = new Date(2026, 10, 22, 17, 3, 19, 23);

function recorder() {
  const written: string[] = [];
  const writer = {
    writeSync(bytes: Uint8Array) {
      written.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  };
  return { written, writer };
}

function logAll(level: LogLevel, color = false): string {
  const { written, writer } = recorder();
  const log = new TermLog({ level: () => level, writer, color, now: () => NOW });
  log.error("e");
  log.warn("w");
  log.info("i");
  log.debug("d");
  return written.join("");
}

Deno.test("a log line has the time, and its level unless it is information", () => {
  assertEquals(
    logAll("debug"),
    "[17:03:19.023] error: e\n[17:03:19.023] warn: w\n[17:03:19.023] i\n[17:03:19.023] debug: d\n",
  );
});

Deno.test("what is beyond the level is not shown, and the level may change", () => {
  assertEquals(logAll("error").split("\n").length, 2);
  assertEquals(logAll("warn").split("\n").length, 3);
  assertEquals(logAll("info").split("\n").length, 4);
  const { written, writer } = recorder();
  let level: LogLevel = "error";
  const log = new TermLog({ level: () => level, writer, color: false });
  log.info("one");
  level = "info";
  log.info("two");
  assertEquals(written.length, 1);
  assertMatch(written[0], /^\[\d\d:\d\d:\d\d\.\d{3}\] two\n$/);
});

Deno.test("colour is put around whole lines, only when it is wanted", () => {
  assertEquals(logAll("error", true), "\x1b[31m[17:03:19.023] error: e\x1b[0m\n");
});

Deno.test("text cannot act on the terminal or forge a line of the log", () => {
  assertEquals(
    formatLine("info", "a\x1b[31mb\rc\u202e\n[17:03:20.000] forged\t!\n", NOW),
    "[17:03:19.023] a\\x1b[31mb\\rc\\u202e\n               [17:03:20.000] forged\\t!",
  );
});

Deno.test("writing goes on after partial writes, interruptions and a pipe that is full for a while", () => {
  const steps: (number | Error)[] = [
    2,
    new Deno.errors.Interrupted(),
    new Deno.errors.WouldBlock(),
    new Deno.errors.WouldBlock(),
    100,
  ];
  let text = "";
  const writer = {
    writeSync(bytes: Uint8Array) {
      const step = steps.shift()!;
      if (step instanceof Error) throw step;
      text += new TextDecoder().decode(bytes.subarray(0, step));
      return Math.min(step, bytes.length);
    },
  };
  assertEquals(writeText(writer, "hello\n"), true);
  assertEquals([text, steps.length], ["hello\n", 0]);
});

Deno.test("when nobody reads the log any more it falls silent", () => {
  let calls = 0;
  const writer = {
    writeSync(): number {
      calls++;
      throw new Deno.errors.BrokenPipe();
    },
  };
  const log = new TermLog({ level: () => "info", writer, color: false });
  log.info("one");
  log.info("two");
  assertEquals(calls, 1);
});
