import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { checkStreamValue, type StreamValue } from "../../src/streams/hook.ts";
import {
  bodyOfPieces,
  next,
  pieces,
  TestBody,
  text,
  throughHook,
  turn,
  utf8,
  whole,
  wholeText,
} from "./support.ts";

const GONE = new WeirError("client", "closed", "The client has gone.");
const CUT = new WeirError("server", "closed", "The server closed the connection in the middle of a body.");

// Parameter types come from the context: these compile only while `StreamValue` gives them.
const generator: StreamValue = async function* (chunks) {
  for await (const chunk of chunks) yield chunk;
};
const perChunk: StreamValue = (chunk) => chunk.length === 0 ? null : chunk;

/** Every way to pass a body on unchanged; made anew for each test. */
const IDENTITIES: Record<string, () => StreamValue> = {
  "async function*": () => generator,
  "bound async function*": () => (generator as CallableFunction).bind(null) as StreamValue,
  "per chunk": () => perChunk,
  "per chunk, async": () => async (chunk) => await Promise.resolve(chunk),
  "per chunk, iterable": () => (chunk) => [chunk.subarray(0, 1), new Uint8Array(0), chunk.subarray(1)],
  "per chunk, sync generator": () => (chunk) =>
    function* () {
      yield chunk;
    }(),
  "per chunk, async iterable": () => (chunk) =>
    async function* () {
      yield chunk.subarray(0, 1);
      await Promise.resolve();
      yield chunk.subarray(1);
    }(),
  "per chunk, promise of an iterable": () => async (chunk) => await Promise.resolve([chunk]),
  "TransformStream": () => new TransformStream(),
  "{ readable, writable }": () => {
    const { readable, writable } = new TransformStream();
    return { readable, writable };
  },
  "an array of all kinds": () => [generator, perChunk, new TransformStream(), generator],
  "an empty array": () => [],
};

for (const [name, make] of Object.entries(IDENTITIES)) {
  Deno.test(`${name}: a body passes byte-exact, at any split, with its trailers`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 6000 }), { maxLength: 8 }),
        fc.boolean(),
        async (parts, chunked) => {
          const source = bodyOfPieces(parts, { chunked });
          source.trailers = ["x-sum", "1"];
          const body = throughHook(source, make());
          assertEquals(await whole(body), concat(parts));
          assertEquals(body.trailers, ["x-sum", "1"]);
          assertEquals(body.take(), null);
        },
      ),
      { numRuns: 30 },
    );
  });

  Deno.test(`${name}: one event in is one event out`, async () => {
    const source = new TestBody();
    const body = throughHook(source, make());
    const got: string[] = [];
    const reading = (async () => {
      for (let piece = await next(body); piece !== null; piece = await next(body)) got.push(text(piece));
    })();
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      source.push(event);
      await turn();
      assertEquals(got.join(""), event);
      got.length = 0;
    }
    source.end();
    await reading;
  });

  Deno.test(`${name}: a source that is cut short cuts the body, and is nobody else's fault`, async () => {
    const faults: WeirError[] = [];
    const body = throughHook(new TestBody().push("x").end(CUT), make(), {
      onAddonError: (e) => faults.push(e),
    });
    const got: string[] = [];
    const error = await assertRejects(async () => {
      for (let piece = await next(body); piece !== null; piece = await next(body)) got.push(text(piece));
    });
    assertStrictEquals(error, CUT);
    assertEquals(faults, []);
  });

  Deno.test(`${name}: cancelling ends a reader that waits and cancels the source`, async () => {
    const source = new TestBody();
    const body = throughHook(source, make());
    body.take();
    const filling = body.fill();
    await turn();
    body.cancel(GONE);
    assertStrictEquals(await assertRejects(() => filling), GONE);
    assertStrictEquals(source.cancelled, GONE);
    await turn();
  });

  Deno.test(`${name}: nothing is read ahead of a reader that has stopped but what one write sends`, async () => {
    const source = new TestBody();
    for (let i = 0; i < 500; i++) source.push(new Uint8Array(4096));
    const body = throughHook(source, make());
    await next(body);
    await turn();
    // 64 KiB of 4096 each, for every stage of the array, and one on its way.
    const stages = name.includes("array of all") ? 3 : 1;
    assert(source.taken <= stages * 17 + 1, `${source.taken} were read`);
    body.cancel(GONE);
    await turn();
  });
}

Deno.test("booleans change nothing", () => {
  const source = new TestBody();
  assertStrictEquals(throughHook(source, true), source);
  assertStrictEquals(throughHook(source, false), source);
});

Deno.test("the length is known only at the end, and every piece is a chunk", async () => {
  const body = throughHook(
    new TestBody({ size: 3 }).push("foo").end(),
    (chunk) => text(chunk).replace("foo", "longer"),
  );
  assertEquals([body.size, body.chunked], [null, true]);
  assertEquals((await pieces(body)).map(text), ["longer"]);
  assertEquals(body.chunkLeft, 0);
});

Deno.test("without boundaries hooks see at most 4096 bytes, with them whole wire chunks", async () => {
  const seen: number[] = [];
  const see: StreamValue = (chunk) => void seen.push(chunk.length);
  await whole(throughHook(bodyOfPieces([new Uint8Array(9000)]), see));
  assertEquals(seen.splice(0), [4096, 4096, 808, 0]);
  const source = new TestBody({ chunked: true }).push(new Uint8Array(5000), 4000).push(new Uint8Array(4000))
    .push("x");
  await whole(throughHook(source.end(), see));
  assertEquals(seen, [9000, 1, 0]);
});

Deno.test("wire chunks that a hook does not change go out with the same boundaries", async () => {
  for (const value of [generator, perChunk, new TransformStream()]) {
    const source = new TestBody({ chunked: true }).push("ab", 2).push("cd").push("e").push("fgh").end();
    assertEquals((await pieces(throughHook(source, value))).map(text), ["abcd", "e", "fgh"]);
  }
});

Deno.test("a per-chunk hook is called once more with an empty chunk, and may then send what it kept", async () => {
  const kept: Uint8Array[] = [];
  const body = throughHook(bodyOfPieces(["a", "b"]), (chunk) => {
    if (chunk.length === 0) return concat(kept);
    kept.push(chunk);
  });
  assertEquals(await wholeText(body), "ab");
});

Deno.test("an empty body calls a per-chunk hook once; what it gives is the body", async () => {
  assertEquals(await wholeText(throughHook(bodyOfPieces([]), (chunk) => `${chunk.length}`)), "0");
});

Deno.test("empty output is nothing, wherever it comes from", async () => {
  const values: StreamValue[] = [
    () => "",
    () => null,
    () => undefined,
    () => [],
    () => ["", new Uint8Array(0)],
    () => [null],
    async (_chunk) => await Promise.resolve([null, ""]),
    (_chunk) =>
      (async function* () {
        yield null;
      })(),
    () => Promise.resolve(new Uint8Array(0)),
    async function* (chunks) {
      for await (const _ of chunks) yield new Uint8Array(0);
    },
    new TransformStream({ transform: (_, controller) => controller.enqueue(new Uint8Array(0)) }),
  ];
  for (const value of values) assertEquals(await pieces(throughHook(bodyOfPieces(["a", "b"]), value)), []);
});

Deno.test("strings and every kind of buffer are bytes", async () => {
  const outputs = ["ä", utf8("b"), utf8("c").buffer, new DataView(utf8("xdx").buffer, 1, 1)];
  let i = 0;
  const body = throughHook(
    bodyOfPieces(["1", "2", "3", "4"]),
    (chunk) => chunk.length === 0 ? null : outputs[i++],
  );
  assertEquals(await wholeText(body), "äbcd");
});

Deno.test("outputs that are there at once are taken without waiting in between", async () => {
  for (const [name, make] of Object.entries(IDENTITIES)) {
    const body = throughHook(bodyOfPieces(Array(10).fill("x")), make());
    if (body.take() === undefined) await body.fill();
    else continue;
    let taken = 0;
    while (body.take()) taken++;
    assert(taken >= 8, `${name}: ${taken} pieces after one fill`);
    await whole(body);
  }
});

Deno.test("a generator may use one buffer again for all that it yields", async () => {
  const body = throughHook(bodyOfPieces(["a", "b", "c"]), async function* (chunks) {
    const buffer = new Uint8Array(1);
    for await (const chunk of chunks) {
      buffer[0] = chunk[0] - 32;
      yield buffer;
    }
  });
  await body.fill();
  assertEquals(await wholeText(body), "ABC");
});

Deno.test("a hook that awaits has one chunk, and no other is read until it goes on", async () => {
  const values: ((wait: () => Promise<void>) => StreamValue)[] = [
    (wait) => async (chunk) => (await wait(), chunk),
    (wait) =>
      async function* (chunks) {
        for await (const chunk of chunks) {
          await wait();
          yield chunk;
        }
      },
    (wait) =>
      new TransformStream({
        async transform(chunk, controller) {
          await wait();
          controller.enqueue(chunk);
        },
      }),
  ];
  for (const make of values) {
    const source = bodyOfPieces(["a", "b", "c", "d"]);
    const gates: PromiseWithResolvers<void>[] = [];
    const value = make(() => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    });
    const body = throughHook(source, value);
    const reading = wholeText(body);
    for (let n = 1; n <= 3; n++) {
      await turn();
      assertEquals(gates.length, n);
      assert(source.taken <= n + 1, `${source.taken} chunks were read while the hook had the ${n}th`);
      gates[n - 1].resolve();
    }
    const opening = setInterval(() => gates.at(-1)?.resolve(), 0);
    assertEquals(await reading, "abcd");
    clearInterval(opening);
  }
});

Deno.test("an iterable for one chunk is pulled as it is read, and the next chunk comes after it", async () => {
  let made = 0;
  const endless: StreamValue = () =>
    async function* () {
      for (;;) {
        made++;
        yield new Uint8Array(16 * 1024);
      }
    }();
  const source = bodyOfPieces(["a", "b"]);
  const body = throughHook(source, endless);
  for (let i = 0; i < 20; i++) await next(body);
  await turn();
  assert(made >= 20 && made <= 20 + 5, `${made} were made for 20`);
  assertEquals(source.taken, 1);
  body.cancel(GONE);
});

Deno.test("what a sync iterable gives is asked for one by one", async () => {
  let made = 0;
  const body = throughHook(bodyOfPieces(["a"]), () =>
    function* () {
      while (made < 10) yield `${made++}`;
    }());
  await next(body);
  assertEquals(made, 1);
  body.cancel(GONE);
});

const BROKEN: Record<string, { value: () => StreamValue; message: string }> = {
  "throws": {
    value: () => () => {
      throw new Error("out of ideas");
    },
    message: "out of ideas",
  },
  "rejects": { value: () => () => Promise.reject(new Error("out of ideas")), message: "out of ideas" },
  "throws from a generator": {
    value: () =>
      // deno-lint-ignore require-yield -- it throws before
      async function* () {
        throw new Error("out of ideas");
      },
    message: "out of ideas",
  },
  "throws from an iterable": {
    value: () => () =>
      // deno-lint-ignore require-yield -- it throws before
      function* () {
        throw new Error("out of ideas");
      }(),
    message: "out of ideas",
  },
  "throws from an async iterable": {
    value: () => () =>
      // deno-lint-ignore require-yield -- it throws before
      async function* () {
        throw new Error("out of ideas");
      }(),
    message: "out of ideas",
  },
  "throws in a TransformStream": {
    value: () =>
      new TransformStream({
        transform() {
          throw new Error("out of ideas");
        },
      }),
    message: "out of ideas",
  },
  "throws in a TransformStream's flush": {
    value: () =>
      new TransformStream({
        flush() {
          throw new Error("out of ideas");
        },
      }),
    message: "out of ideas",
  },
  "refuses what is written": {
    value: () => ({
      readable: new ReadableStream(),
      writable: new WritableStream({
        write() {
          throw new Error("out of ideas");
        },
      }),
    }),
    message: "out of ideas",
  },
  "returns a number": { value: () => (() => 42) as unknown as StreamValue, message: "the number 42" },
  "returns an object": { value: () => (() => ({})) as unknown as StreamValue, message: "type Object" },
  "resolves to a Map of things": {
    value: () => (() => Promise.resolve(new Date(0))) as unknown as StreamValue,
    message: "type Date",
  },
  "returns a list of numbers": {
    value: () => (() => [1]) as unknown as StreamValue,
    message: "the number 1",
  },
  "yields undefined": {
    value: () =>
      async function* () {
        yield undefined as unknown as string;
      },
    message: "undefined",
  },
  "yields an object for a chunk": {
    value: () => () =>
      async function* () {
        yield {} as unknown as string;
      }(),
    message: "type Object",
  },
  "enqueues an object": {
    value: () => new TransformStream({ transform: (_, controller) => controller.enqueue({}) }),
    message: "type Object",
  },
  "has a broken iterator": {
    value: () => () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(7 as never) }) }),
    message: "the number 7",
  },
};

for (const [name, { value, message }] of Object.entries(BROKEN)) {
  Deno.test(`a hook that ${name} fails the body, is named once, and the source is cancelled`, async () => {
    const faults: WeirError[] = [];
    const source = new TestBody().push("a").push("b");
    const body = throughHook(source, value(), { onAddonError: (error) => faults.push(error) });
    if (name.includes("flush")) source.end();
    const error = await assertRejects(() => whole(body), WeirError, message);
    assertEquals([error.side, error.code], ["weir", "addon"]);
    assertEquals(faults, [error]);
    if (!name.includes("flush")) assertStrictEquals(source.cancelled, error);
    assertThrows(() => body.take(), WeirError, message);
    await turn();
  });
}

Deno.test("what a hook gave before it failed is still passed on", async () => {
  const body = throughHook(bodyOfPieces(["a", "b"]), async function* (chunks) {
    for await (const chunk of chunks) {
      if (text(chunk) === "b") throw new Error("no b");
      yield chunk;
    }
  });
  assertEquals(text((await next(body))!), "a");
  await assertRejects(() => next(body), WeirError, "no b");
});

Deno.test("a generator that swallows its source's failure does not make a clean end of it", async () => {
  const faults: WeirError[] = [];
  const body = throughHook(new TestBody().push("a").end(CUT), async function* (chunks) {
    try {
      for await (const chunk of chunks) yield chunk;
    } catch {
      yield "all is well";
    }
  }, { onAddonError: (error) => faults.push(error) });
  assertEquals(text((await next(body))!), "a");
  assertStrictEquals(await assertRejects(() => next(body)), CUT);
  assertEquals(faults, []);
});

Deno.test("a generator that ends early ends the body; the rest of the source is read and dropped", async () => {
  const source = new TestBody();
  source.trailers = ["a", "b"];
  const body = throughHook(source, async function* (chunks) {
    for await (const chunk of chunks) {
      yield chunk;
      if (text(chunk) === "b") return;
    }
  });
  source.push("a").push("b").push("c");
  assertEquals(await wholeText(body), "ab");
  assertEquals(body.trailers, null);
  assertEquals(source.finished, false);
  source.push("d").end();
  await turn();
  assertEquals([source.finished, source.cancelled], [true, null]);
});

Deno.test("a generator that knows the end without having seen it gets the trailers passed on", async () => {
  const source = bodyOfPieces(["a"]);
  source.trailers = ["a", "b"];
  const body = throughHook(source, async function* (chunks) {
    const step = await chunks[Symbol.asyncIterator]().next();
    yield step.value as Uint8Array;
  });
  assertEquals(await wholeText(body), "a");
  assertEquals(body.trailers, ["a", "b"]);
});

Deno.test("a rest that is too large to be dropped is cancelled", async () => {
  const source = new TestBody();
  for (let i = 0; i < 100; i++) source.push(new Uint8Array(64 * 1024));
  // deno-lint-ignore require-yield -- it ends the body at once
  const body = throughHook(source, async function* () {
    return;
  });
  assertEquals(await whole(body), new Uint8Array(0));
  await turn();
  assert(source.cancelled !== null && source.taken < 70, `${source.taken} pieces were read`);
});

Deno.test("cancelling stops the dropping of a rest", async () => {
  const source = new TestBody();
  // deno-lint-ignore require-yield -- it ends the body at once
  const body = throughHook(source, async function* () {
    return;
  });
  await whole(body);
  body.cancel(GONE);
  assertStrictEquals(source.cancelled, GONE);
});

Deno.test("a generator may look at the first chunks in one loop and pass on the others in a second", async () => {
  const body = throughHook(bodyOfPieces(["head", "a", "b"]), async function* (chunks) {
    for await (const chunk of chunks) {
      yield text(chunk).toUpperCase();
      break;
    }
    for await (const chunk of chunks) yield chunk;
  });
  assertEquals(await wholeText(body), "HEADab");
});

Deno.test("a generator that asks for several chunks at once gets them in order", async () => {
  const source = new TestBody();
  const body = throughHook(source, async function* (chunks) {
    const iterator = chunks[Symbol.asyncIterator]();
    const steps = await Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    for (const step of steps) yield step.done ? "END" : step.value;
  });
  const reading = wholeText(body);
  for (const event of ["a", "b"]) {
    await turn();
    source.push(event);
  }
  await turn();
  source.end();
  assertEquals(await reading, "abEND");
});

Deno.test("cancelling runs the finally blocks of a generator, wherever it is", async () => {
  for (const where of ["at a yield", "waiting for a chunk", "waiting for something else"]) {
    const source = new TestBody().push("a");
    const gate = Promise.withResolvers<void>();
    let cleaned = false;
    const body = throughHook(source, async function* (chunks) {
      try {
        for await (const chunk of chunks) {
          if (where === "waiting for something else") await gate.promise;
          yield chunk;
          if (where === "at a yield") yield new Uint8Array(100_000);
        }
      } finally {
        cleaned = true;
      }
    });
    body.take();
    const filling = body.fill().catch(() => {});
    await turn();
    body.cancel(GONE);
    gate.resolve();
    await filling;
    await turn();
    assertEquals([where, cleaned], [where, true]);
    assertStrictEquals(source.cancelled, GONE);
  }
});

Deno.test("cancelling closes the iterable that a per-chunk hook gave, also one that comes too late", async () => {
  for (const kind of ["sync", "async", "late"]) {
    let cleaned = false;
    const gate = Promise.withResolvers<void>();
    const sync = function* () {
      try {
        for (;;) yield "x";
      } finally {
        cleaned = true;
      }
    };
    const async_ = async function* () {
      try {
        for (;;) yield "x".repeat(70_000);
      } finally {
        cleaned = true;
      }
    };
    const late = new ReadableStream<string>({ cancel: () => void (cleaned = true) });
    const body = throughHook(
      bodyOfPieces(["a"]),
      () => kind === "sync" ? sync() : kind === "async" ? async_() : gate.promise.then(() => late),
    );
    if (body.take() === undefined && kind === "async") await body.fill();
    await turn();
    body.cancel(GONE);
    gate.resolve();
    await turn();
    assertEquals([kind, cleaned], [kind, true]);
  }
});

Deno.test("a failing hook's iterable is closed, and the source's failure closes it too", async () => {
  let cleaned = 0;
  const count = async function* (output: unknown) {
    try {
      yield output as string;
      yield output as string;
    } finally {
      cleaned++;
    }
  };
  await assertRejects(() => whole(throughHook(bodyOfPieces(["a"]), () => count(42))), WeirError, "42");
  await turn();
  assertEquals(cleaned, 1);
});

Deno.test("cancelling aborts the streams of a pair", async () => {
  let aborted: unknown, cancelled: unknown;
  const source = new TestBody().push("a");
  const body = throughHook(source, {
    writable: new WritableStream({ abort: (reason) => void (aborted = reason) }),
    readable: new ReadableStream({ cancel: (reason) => void (cancelled = reason) }),
  });
  const filling = body.fill();
  await turn();
  body.cancel(GONE);
  await assertRejects(() => filling, WeirError, "gone");
  assertEquals([aborted, cancelled, source.cancelled], [GONE, GONE, GONE]);
});

Deno.test("a TransformStream that terminates ends the body with what it gave", async () => {
  const source = new TestBody();
  const body = throughHook(
    source,
    new TransformStream<Uint8Array, Uint8Array>(
      {
        transform(chunk, controller) {
          controller.enqueue(chunk);
          if (text(chunk) === "b") controller.terminate();
        },
      },
      undefined,
      { highWaterMark: 10 },
    ),
  );
  source.push("a").push("b").push("c").push("d");
  assertEquals(await wholeText(body), "ab");
  source.end();
  await turn();
  assertEquals(source.finished, true);
});

Deno.test("a pair of which only the readable side matters", async () => {
  const source = bodyOfPieces(["ignored"]);
  const body = throughHook(source, {
    readable: ReadableStream.from(["x", "y"]),
    writable: new WritableStream(),
  });
  assertEquals(await wholeText(body), "xy");
  await turn();
  assertEquals(source.finished, true);
});

Deno.test("a stream that went to another message in the meantime fails the second one only", async () => {
  const stream = new TransformStream();
  const first = throughHook(bodyOfPieces(["a"]), stream);
  const faults: WeirError[] = [];
  const second = throughHook(bodyOfPieces(["b"]), stream, { onAddonError: (error) => faults.push(error) });
  assertEquals(await wholeText(first), "a");
  await assertRejects(() => whole(second), WeirError, "locked");
  assertEquals(faults.length, 1);
});

Deno.test("hooks of an array work one after another", async () => {
  const body = throughHook(bodyOfPieces(["foo"]), [
    (chunk) => text(chunk).replace("foo", "bar"),
    async function* (chunks) {
      for await (const chunk of chunks) yield text(chunk).toUpperCase();
      yield "!";
    },
    new TransformStream<Uint8Array, string>({ transform: (chunk, c) => c.enqueue(`<${text(chunk)}>`) }),
  ]);
  assertEquals(await wholeText(body), "<BAR><!>");
});

Deno.test("streams of an array that follow each other hand on their own values: text, objects", async () => {
  const shout = new TransformStream<string, { text: string }>({
    transform: (text, controller) => controller.enqueue({ text: text.toUpperCase() }),
  });
  const plain = new TransformStream<{ text: string }, string>({
    transform: ({ text }, controller) => controller.enqueue(text),
  });
  const body = throughHook(bodyOfPieces(["grüß", " dich"]), [
    new TextDecoderStream(),
    shout,
    plain,
    new TextEncoderStream(),
    (chunk) => chunk.length === 0 ? "!" : chunk,
  ]);
  assertEquals(await wholeText(body), "GRÜSS DICH!");
});

Deno.test("a failing stream in the middle of an array fails the body, is named, and the source is cancelled", async () => {
  const failing = new TransformStream({
    transform() {
      throw new Error("on purpose");
    },
  });
  const source = new TestBody().push("a");
  const errors: WeirError[] = [];
  const value = [new TransformStream(), failing, new TransformStream()];
  const body = throughHook(source, value, { onAddonError: (error) => errors.push(error) });
  const error = await assertRejects(() => whole(body), WeirError, "on purpose");
  assertEquals(errors, [error]);
  assert(source.cancelled !== null);
});

Deno.test("checkStreamValue takes every value of the contract", () => {
  for (const value of [true, false, ...Object.values(IDENTITIES).map((make) => make())]) {
    checkStreamValue(value);
  }
});

Deno.test("checkStreamValue refuses anything else and says what it was", () => {
  const locked = new TransformStream();
  locked.readable.getReader();
  const cases: [unknown, string][] = [
    [function* () {}, "async function*"],
    [[() => null, function* () {}], "at index 1"],
    [TransformStream, "new TransformStream"],
    [class Upper {}, "new Upper"],
    [undefined, "undefined"],
    [null, "null"],
    [1, "the number 1"],
    ["text", "the string text"],
    [{}, "type Object"],
    [new ReadableStream(), "type ReadableStream"],
    [{ readable: new ReadableStream() }, "type Object"],
    [[true], "the boolean true"],
    [[[]], "an array"],
    [locked, "in use"],
    [new Uint8Array(1), "type Uint8Array"],
  ];
  for (const [value, message] of cases) assertThrows(() => checkStreamValue(value), TypeError, message);
});
