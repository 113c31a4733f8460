import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import type { Body } from "../../src/streams/body.ts";
import { limit, observe } from "../../src/streams/observe.ts";
const limited = (body: Body, most: number, make: (n: number) => WeirError) =>
  limit(most, () => make(most)).through(body);
const metered = (body: Body, bytes: (n: number) => void, end: (e: WeirError | null) => void) =>
  observe({ piece: (p) => void bytes(p.length), end }).through(body);
import { bodyOfPieces, next, TestBody, text, turn, whole, wholeText } from "./support.ts";

const CUT = new WeirError("server", "closed", "The server closed the connection in the middle of a body.");
const tooLarge = (size: number) => new WeirError("client", "limit", `${size} bytes`, { statusCode: 413 });

Deno.test("limited: as many bytes as are allowed pass", async () => {
  assertEquals(await wholeText(limited(bodyOfPieces(["abc", "def"]), 6, tooLarge)), "abcdef");
});

Deno.test("limited: one byte more fails the body there, and cancels the source", async () => {
  const source = bodyOfPieces(["abc", "def"]);
  const body = limited(source, 5, tooLarge);
  assertEquals(text((await next(body))!), "abc");
  const error = assertThrows(() => body.take(), WeirError, "5 bytes");
  assertEquals(error.statusCode, 413);
  assertStrictEquals(source.cancelled, error);
  assertStrictEquals(await assertRejects(() => body.fill()), error);
  assertThrows(() => body.take(), WeirError, "5 bytes");
});

Deno.test("limited and metered: size, boundaries and trailers pass", async () => {
  const source = new TestBody({ size: 4, chunked: true }).push("ab", 2).push("cd").end();
  source.trailers = ["a", "b"];
  const body = metered(limited(source, 10, tooLarge), () => {}, () => {});
  assertEquals([body.size, body.chunked], [4, true]);
  body.take();
  assertEquals(body.chunkLeft, 2);
  await whole(body);
  assertEquals(body.trailers, ["a", "b"]);
});

/** What a meter reports for a body. */
function meterOf(source: TestBody) {
  const seen: (number | WeirError | null)[] = [];
  const body = metered(source, (n) => seen.push(n), (error) => seen.push(error));
  return { body, seen };
}

Deno.test("metered: counts every piece and tells the end once", async () => {
  const { body, seen } = meterOf(bodyOfPieces(["abc", "de"]));
  await whole(body);
  body.take();
  body.cancel(CUT);
  assertEquals(seen, [3, 2, null]);
});

Deno.test("metered: tells the error that cut the body short, whether take or fill found it", async () => {
  const taken = meterOf(new TestBody().push("a").end(CUT));
  await assertRejects(() => whole(taken.body));
  assertEquals(taken.seen, [1, CUT]);

  const source = new TestBody();
  const filled = meterOf(source);
  const filling = filled.body.fill();
  source.cancel(CUT);
  assertStrictEquals(await assertRejects(() => filling), CUT);
  assertEquals(filled.seen, [CUT]);
});

Deno.test("metered: tells the reason for which a body was cancelled", async () => {
  const source = new TestBody();
  const { body, seen } = meterOf(source);
  const filling = body.fill();
  body.cancel(CUT);
  await assertRejects(() => filling);
  await turn();
  assertEquals(seen, [CUT]);
  assertStrictEquals(source.cancelled, CUT);
});
