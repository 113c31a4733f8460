import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../../src/errors.ts";
import { drop } from "../../../src/streams/drop.ts";
import { decoded, piped, stagesOf } from "../../../src/streams/mod.ts";
import { type SseEvent, type SseEventInit, sseStream } from "../../../src/streams/units/mod.ts";
import { bodyOfPieces, next, TestBody, text, turn, utf8, whole } from "../support.ts";
import { byteByByte, cutAt, cuts, Fed, textThrough, through } from "./support.ts";

/** Lines as in event streams, well and badly made. */
const line = fc.oneof(
  fc.constantFrom(
    "",
    "",
    "",
    "data: a",
    "data:b",
    "data:  two",
    "data",
    "data:",
    "event: x",
    "event:",
    "id: 1",
  ),
  fc.constantFrom(
    "id: a\0b",
    "id",
    "retry: 10",
    "retry: x1",
    ": comment",
    ":",
    "foo: bar",
    "datas: 1",
    "é: ü",
  ),
);
const lineEnd = fc.constantFrom("\n", "\n", "\r\n", "\r");
const stream = fc.tuple(
  fc.constantFrom("", "", "\ufeff"),
  fc.array(fc.tuple(line, lineEnd), { maxLength: 30 }),
  fc.constantFrom("", "data: rest", "\ufeff"),
).map(([bom, lines, rest]) => bom + lines.flat().join("") + rest);

/** Events as the standard says, from the whole text: what a client sees. */
function eventsOf(whole: string): SseEvent[] {
  const events: SseEvent[] = [];
  const lines = whole.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  // What follows the last line end is no line.
  lines.pop();
  let event: Partial<SseEvent> = {};
  for (const line of lines) {
    if (line === "") {
      if (event.data !== undefined) {
        const { event: type = null, data, id = null, retry = null } = event;
        events.push({ event: type, data, id, retry });
      }
      event = {};
      continue;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (field === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    if (field === "event") event.event = value;
    if (field === "id" && !value.includes("\0")) event.id = value;
    if (field === "retry" && /^\d+$/.test(value)) event.retry = Number(value);
  }
  return events;
}

const runs = { numRuns: 300 };

Deno.test("a function that only looks sees the standard's events, and every byte passes, at every split", async () => {
  await fc.assert(
    fc.asyncProperty(stream, cuts, async (whole, places) => {
      for (const pieces of [cutAt(utf8(whole), places), byteByByte(utf8(whole))]) {
        const seen: SseEvent[] = [];
        assertEquals(await textThrough(sseStream((event) => void seen.push(event)), pieces), whole);
        assertEquals(seen, eventsOf(whole));
      }
    }),
    runs,
  );
});

/** What functions do with an event, by its number. */
const DEEDS: ((event: SseEvent) => SseEventInit | null | typeof drop | void | SseEventInit[])[] = [
  () => {},
  () => null,
  () => drop,
  (event) => {
    event.data += "!\nmore";
  },
  (event) => {
    event.event = event.event === null ? "new" : null;
    event.id = "7";
  },
  (event) => ({ ...event, data: "\n" }),
  () => ({ data: "alone" }),
  (event) => [{ data: "before", retry: 5 }, event, { data: "after", event: "x" }],
  () => [],
];

const deed = (number: number, event: SseEvent) => DEEDS[number % DEEDS.length](event);

Deno.test("changed, dropped and added events are what a client sees, at every split", async () => {
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.nat(), { minLength: 1 }), cuts, async (whole, deeds, places) => {
      const expected = eventsOf(whole).flatMap((event, index) => {
        const given = deed(deeds[index % deeds.length], event);
        if (given === null || given === drop) return [];
        return ([given ?? event].flat() as SseEventInit[]).map((event) => ({
          event: null,
          id: null,
          retry: null,
          ...event,
        }));
      });
      const stage = () => {
        let index = 0;
        return sseStream((event) => {
          const given = deed(deeds[index++ % deeds.length], event);
          return Array.isArray(given) ? given.values() : given;
        });
      };
      const out = await textThrough(stage(), [utf8(whole)]);
      assertEquals(eventsOf(out), expected);
      assertEquals(await textThrough(stage(), cutAt(utf8(whole), places)), out);
      assertEquals(await textThrough(stage(), byteByByte(utf8(whole))), out);
    }),
    { numRuns: 500 },
  );
});

Deno.test("only the lines of what changed are written anew", async () => {
  const block = ": why\r\nevent:e\r\nfoo: bar\r\ndata:1\r\nid:  9\r\ndata: 2\r\nid: a\0\r\n\r\n";
  const change = (fn: (event: SseEvent) => void) => textThrough(sseStream(fn), [block]);
  assertEquals(
    await change((event) => void (event.data = "x\ny\rz")),
    block
      .replace("data:1\r\n", "data: x\r\ndata: y\r\ndata: z\r\n").replace("data: 2\r\n", ""),
  );
  assertEquals(await change((event) => void (event.event = null)), block.replace("event:e\r\n", ""));
  assertEquals(await change((event) => void (event.id = "new")), block.replace("id:  9", "id: new"));
  assertEquals(
    await change((event) => void (event.retry = 5)),
    block.replace("data:1", "retry: 5\r\ndata:1"),
  );
});

Deno.test("an event with bytes that are no UTF-8 passes as it is", async () => {
  const bytes = Uint8Array.of(...utf8("data: "), 0xff, 0xc3, 10, 10);
  const seen: string[] = [];
  assertEquals(await through(sseStream((event) => void seen.push(event.data)), [bytes]), bytes);
  assertEquals(seen, ["\ufffd\ufffd"]);
});

Deno.test("bytes that are no UTF-8 stay in the lines that did not change", async () => {
  const block = (event: string) =>
    Uint8Array.of(...utf8(": "), 0xff, 10, ...utf8(`event: ${event}\ndata: `), 0xc3, 10, 10);
  const stage = sseStream((event) => void (event.event = "ü"));
  assertEquals(await through(stage, [block("x")]), block("ü"));
});

Deno.test("an event goes out with the byte that ends it, before more is asked for and in the same turn", async () => {
  const fed = new Fed(sseStream((event) => void (event.data += "!")));
  assertEquals(await fed.push("data: 1\n"), "");
  assertEquals(await fed.push("\n"), "data: 1!\n\n");
  assertEquals(await fed.push("data: 2\r\n\r"), "data: 2!\r\n\r");
  assertEquals(await fed.push("\ndata: 3\r\r"), "\ndata: 3!\r\r");
  assertEquals(await fed.push("data: 4\n\ndata: 5\n\ndata: 6"), "data: 4!\n\ndata: 5!\n\n");
  assertEquals(await fed.push("\n\n: ping\n\n"), "data: 6!\n\n: ping\n\n");
  assertEquals(await fed.push("data: rest\n"), "");
  assertEquals(await fed.end(), "data: rest\n");
});

Deno.test("a byte order mark goes out when it is one", async () => {
  const fed = new Fed(sseStream(() => null));
  assertEquals(await fed.push(Uint8Array.of(0xef, 0xbb)), "");
  assertEquals(await fed.push(Uint8Array.of(0xbf)), "\ufeff");
  assertEquals(await fed.push("data: x\n\n"), "");
});

Deno.test("a body that ends in a byte order mark, or is nothing else, passes", async () => {
  for (const bytes of [[0xef], [0xef, 0xbb], [0xef, 0xbb, 0xbf]].map((each) => Uint8Array.from(each))) {
    for (const pieces of [[bytes], byteByByte(bytes)]) {
      assertEquals(await through(sseStream(() => null), pieces), bytes);
    }
  }
});

Deno.test("what only begins like a byte order mark is the first line's", async () => {
  const bytes = Uint8Array.of(0xef, 0xbb, 0x41, ...utf8(": x\ndata: 1\n\n"));
  for (const pieces of [[bytes], byteByByte(bytes)]) {
    const seen: string[] = [];
    assertEquals(await through(sseStream((event) => void seen.push(event.data)), pieces), bytes);
    assertEquals(seen, ["1"]);
  }
});

Deno.test("of an event that is not sent, nothing is left, nor of its line ends", async () => {
  const whole = "data: 1\r\n\r\nevent: x\r\ndata: 2\r\n\r\n";
  for (const pieces of [[utf8(whole)], byteByByte(utf8(whole))]) {
    assertEquals(await textThrough(sseStream(() => null), pieces), "");
    const added = await textThrough(sseStream((event) => [{ data: "x" }, event].values()), pieces);
    assertEquals(added, "data: x\r\n\r\ndata: 1\r\n\r\ndata: x\r\n\r\nevent: x\r\ndata: 2\r\n\r\n");
  }
});

Deno.test("the next event waits for a function that awaits, and nothing more is read meanwhile", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let calls = 0;
  const fed = new Fed(sseStream(async (event) => {
    await gates[calls++].promise;
    event.data = `${calls}`;
  }));
  fed.source.push("data: a\n\ndata: b\n\n").push("data: c\n\n");
  const first = next(fed.body);
  await turn();
  assertEquals([calls, fed.source.taken], [1, 1]);
  gates[0].resolve();
  assertEquals(text((await first)!), "data: 1\n\n");
  const second = next(fed.body);
  await turn();
  assertEquals([calls, fed.source.taken], [2, 1]);
  gates[1].resolve();
  assertEquals(text((await second)!), "data: 2\n\n");
  fed.body.cancel(new WeirError("client", "closed", "gone"));
});

Deno.test("each event of an iterator goes out as it is made", async () => {
  const gate = Promise.withResolvers<void>();
  const fed = new Fed(sseStream(async function* (event) {
    yield { data: "first" };
    await gate.promise;
    yield event;
  }));
  fed.source.push("data: a\n\n");
  assertEquals(text((await next(fed.body))!), "data: first\n\n");
  gate.resolve();
  assertEquals(text((await next(fed.body))!), "data: a\n\n");
  let made = 0;
  const endless = new Fed(sseStream(function* () {
    for (;;) yield { data: `${++made}` };
  }));
  endless.source.push("data: a\n\n");
  for (let n = 1; n <= 3; n++) assertEquals(text((await next(endless.body))!), `data: ${n}\n\n`);
  assertEquals(made, 3);
  endless.body.cancel(new WeirError("client", "closed", "gone"));
});

Deno.test("one event in, one event out through gzip and br", async () => {
  for (const coding of ["gzip", "br", "deflate", "zstd"]) {
    const headers = new Headers({ "content-encoding": coding });
    const [decode, , encode] = decoded({ headers }, sseStream(() => {})) as TransformStream[];
    const source = new TestBody();
    const body = piped(
      source,
      stagesOf([
        ...stagesOf([encode]),
        ...stagesOf(decoded({ headers }, sseStream((event) => void (event.data += "!")))),
        ...stagesOf([decode]),
      ]),
    );
    for (let n = 0; n < 5; n++) {
      source.push(`data: ${n}\n\n`);
      assertEquals(text((await next(body))!), `data: ${n}!\n\n`, coding);
    }
    source.end();
    assertEquals(await next(body), null);
  }
});

Deno.test("an event beyond the bound cuts the body, behind those that were whole before it", async () => {
  const fed = new Fed(sseStream(() => {}, { hold: 20 }));
  const whole = "data: ok\n\ndata: 345678901234\n\n";
  assertEquals(await fed.push(`${whole}data: ${"x".repeat(14)}`), whole);
  assertEquals(await fed.push("y"), "");
  const error = fed.error as WeirError;
  assertStringIncludes(error.message, "sseStream would have to hold back more than 20 bytes");
  assertEquals([error.code, fed.faults, fed.source.cancelled], ["limit", [error], error]);
});

Deno.test("a function that throws, or gives what is no event, cuts the body and is named", async () => {
  const bad: [(event: SseEvent) => unknown, string][] = [
    [() => {
      throw new Error("oh no");
    }, "The function of sseStream threw: oh no"],
    [() => Promise.reject(new Error("oh no")), "oh no"],
    [() => "text", "an event is { data: string, event?, id?, retry? }, but the string text"],
    [() => ({ event: "x" }), "its data is undefined"],
    [(event) => void (event.event = "a\nb"), "without line breaks"],
    [(event) => void (event.id = "a\rb"), "without line breaks"],
    [(event) => void (event.retry = -1), "whole number of milliseconds"],
    [(event) => [event, 5].values(), "but the number 5"],
    [async function* () {
      yield await Promise.resolve({ data: 5 });
    }, "its data is the number 5"],
  ];
  for (const [fn, message] of bad) {
    const faults: WeirError[] = [];
    const source = bodyOfPieces(["data: x\n\n"]);
    const stage = sseStream(fn as (event: SseEvent) => null);
    const body = piped(source, stagesOf(stage), (error) => faults.push(error));
    const error = await assertRejects(() => whole(body), WeirError, message);
    assertEquals((error as WeirError).code, "addon");
    assertEquals(faults, [error as WeirError]);
  }
});

Deno.test("a body that is cut stays cut: what was held does not go out as if it were whole", async () => {
  const cut = new WeirError("server", "closed", "cut");
  const fed = new Fed(sseStream(() => {}));
  fed.source.push("data: 1\n\ndata: 2").end(cut);
  assertEquals(text((await next(fed.body))!), "data: 1\n\n");
  assertEquals(await assertRejects(() => next(fed.body)), cut);
  assertEquals(fed.faults, []);
});

Deno.test("wrong arguments are refused when the stage is made, and a second use", async () => {
  const untyped = sseStream as unknown as (...given: unknown[]) => TransformStream;
  assertThrows(() => untyped(), TypeError, "sseStream takes a function");
  assertThrows(() => untyped({}), TypeError, "sseStream((event) =>");
  assertThrows(() => untyped(() => {}, { hold: 0 }), TypeError, "hold");
  const stage = sseStream(() => {});
  await through(stage, ["data: 1\n\n"]);
  await assertRejects(() => through(stage, ["data: 1\n\n"]), TypeError, "in use");
});

Deno.test("it is a web stream as well", async () => {
  const stage = sseStream((event) => void (event.data = "2"));
  assert(stage instanceof TransformStream);
  const source = new Response("data: 1\n\n").body!;
  assertEquals(await new Response(source.pipeThrough(stage)).text(), "data: 2\n\n");
});
