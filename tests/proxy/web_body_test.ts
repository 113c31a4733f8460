import { assertEquals, assertRejects } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { internals } from "../../src/internals.ts";
import { Response } from "../../src/flow/response.ts";
import type { Log } from "../../src/proxy/context.ts";
import { webBody } from "../../src/proxy/web_body.ts";
import { httpFlow } from "../support/addon_host.ts";
import { next, pieces, text, turn, utf8, wholeText } from "../streams/support.ts";

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

function bodyFor(init: BodyInit | null) {
  return webBody(Response.fromWeb(new globalThis.Response(init)), SILENT);
}

/** A stream that is fed by hand. */
function source() {
  let controller!: ReadableStreamDefaultController<unknown>;
  const cancelled = Promise.withResolvers<unknown>();
  const stream = new ReadableStream<unknown>({
    start: (given) => void (controller = given),
    cancel: (reason) => cancelled.resolve(reason),
  });
  return { stream: stream as ReadableStream<Uint8Array>, controller, cancelled: cancelled.promise };
}

const KNOWN: [string, () => BodyInit, string][] = [
  ["a string", () => "grün", "grün"],
  ["bytes", () => utf8("bytes"), "bytes"],
  ["a blob", () => new Blob(["blob"]), "blob"],
  ["a stream that is all there", () => ReadableStream.from([utf8("a"), utf8("b")]), "ab"],
];
for (const [what, init, expected] of KNOWN) {
  Deno.test(`${what} is known at once, so its length is`, async () => {
    const body = (await bodyFor(init()))!;
    assertEquals([body.size, await wholeText(body)], [utf8(expected).length, expected]);
  });
}

Deno.test("no body, an empty one, and an empty stream are no body", async () => {
  assertEquals([await bodyFor(null), await bodyFor(""), await bodyFor(ReadableStream.from([]))], [
    null,
    null,
    null,
  ]);
});

Deno.test("the body is taken over once", async () => {
  const response = Response.fromWeb(new globalThis.Response("once"));
  assertEquals([(await webBody(response, SILENT))?.size, await webBody(response, SILENT)], [4, null]);
});

Deno.test("a stream that makes weir wait is passed on as it comes", async () => {
  const { stream, controller } = source();
  controller.enqueue(utf8("first"));
  const body = (await bodyFor(stream))!;
  assertEquals([body.size, text((await next(body))!), body.take()], [null, "first", undefined]);
  const waiting = next(body);
  controller.enqueue(utf8("second"));
  assertEquals(text((await waiting)!), "second");
  controller.close();
  assertEquals(await next(body), null);
});

Deno.test("a large stream is not read to its end to learn its length, and comes whole", async () => {
  let made = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (made === 100) controller.close();
      else controller.enqueue(new Uint8Array(64 * 1024).fill(made++));
    },
  }, { highWaterMark: 0 });
  const body = (await bodyFor(stream))!;
  assertEquals([body.size, made < 20], [null, true]);
  const all = await pieces(body);
  assertEquals(all.reduce((sum, piece) => sum + piece.length, 0), 100 * 64 * 1024);
  assertEquals(
    all.flatMap((piece) => piece.length > 0 ? [piece[0]] : []).every((byte, i, list) =>
      i === 0 || byte >= list[i - 1]
    ),
    true,
  );
});

Deno.test("a stream that fails, early or late, fails the body after what came before", async () => {
  for (const late of [false, true]) {
    const { stream, controller } = source();
    controller.enqueue(utf8("first"));
    // Pulled apart, or else the failure would empty the stream's queue.
    const pending = bodyFor(stream);
    await Promise.resolve();
    if (!late) controller.error(new Error("oops"));
    const body = (await pending)!;
    if (late) controller.error(new Error("oops"));
    assertEquals(text((await next(body))!), "first");
    const error = await assertRejects(() => next(body), WeirError, "flow.response threw: oops");
    assertEquals(error.code, "addon");
  }
});

Deno.test("a stream that fails while nobody reads is no accident of the process", async () => {
  const { stream, controller } = source();
  controller.enqueue(new Uint8Array(1024 * 1024 + 1));
  const body = (await bodyFor(stream))!;
  controller.error(new Error("oops"));
  await turn();
  body.cancel(new WeirError("weir", "killed", "Killed."));
  await turn();
});

Deno.test("what is no bytes fails the body", async () => {
  const { stream, controller } = source();
  controller.enqueue(5);
  controller.close();
  const body = (await bodyFor(stream))!;
  await assertRejects(() => next(body), WeirError, "number 5");
});

Deno.test("cancelling the body cancels the stream", async () => {
  const { stream, cancelled } = source();
  const body = (await bodyFor(stream))!;
  const reason = new WeirError("weir", "killed", "Killed.");
  body.cancel(reason);
  assertEquals(await cancelled, reason);
});

Deno.test("a body that went to another flow meanwhile is the addon's error", async () => {
  const web = new globalThis.Response("canned");
  const [one, two] = [Response.fromWeb(web), Response.fromWeb(web)];
  assertEquals(await wholeText((await webBody(one, SILENT))!), "canned");
  const error = await assertRejects(() => webBody(two, SILENT), WeirError, "new Response for each flow");
  assertEquals(error.code, "addon");
});

Deno.test("a long string is known at once; a stream without an end is streamed, unless an addon wants it buffered", async () => {
  const long = Response.fromWeb(new globalThis.Response("x".repeat(3 * 1024 * 1024)));
  assertEquals([(await webBody(long, SILENT))!.size, long.stream], [3 * 1024 * 1024, false]);
  for (const [set, expected] of [[undefined, true], [false, false]] as const) {
    const response = Response.fromWeb(new globalThis.Response(source().stream));
    if (set !== undefined) response.stream = set;
    const body = (await webBody(response, SILENT))!;
    assertEquals([body.size, response.stream], [null, expected]);
    body.cancel(new WeirError("weir", "killed", "Killed."));
  }
});

Deno.test("the log names the addon whose answer's stream failed, once, and where", async () => {
  const errors: string[] = [];
  const flow = httpFlow();
  flow[internals].addon = "addon1";
  const { stream, controller } = source();
  flow.response = new globalThis.Response(stream);
  const body = (await webBody(flow.response!, { ...SILENT, error: (text) => errors.push(text) }))!;
  controller.error("oops");
  await assertRejects(() => next(body), WeirError, "oops");
  assertEquals(errors, ["Addon addon1: oops (in flow.response); the flow is cut"]);
});
