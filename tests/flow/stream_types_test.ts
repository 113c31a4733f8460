/** What TypeScript makes of addons that set `stream`: this file has only to compile. @module */
import { assertEquals } from "@std/assert";
import { type HttpFlow, replaceStream } from "weir";
import { httpFlow } from "../support/addon_host.ts";

const SETS: ((flow: HttpFlow) => void)[] = [
  // Functions written in place: the parameter needs no type.
  ({ request }) => request.stream = (chunk) => chunk,
  ({ request }) =>
    request.stream = (chunk) => {
      const bytes: Uint8Array = chunk;
      return bytes.length === 0 ? "end" : [bytes, "x"];
    },
  ({ request }) =>
    request.stream = async (chunk) => chunk.length > 0 ? await crypto.subtle.digest("SHA-1", chunk) : null,
  ({ request }) => request.stream = (chunk) => new Blob([chunk]).stream(),
  ({ request }) => request.stream = (chunk: Uint8Array) => chunk.map((byte) => byte ^ 1),
  ({ request }) => request.stream = () => {},
  // The classic form: chunks are inferred.
  ({ request }) =>
    request.stream = async function* (chunks) {
      for await (const chunk of chunks) {
        const bytes: Uint8Array = chunk;
        yield bytes;
      }
      yield "end";
    },
  ({ request }) =>
    request.stream = async function* (chunks: AsyncIterable<Uint8Array>) {
      yield* chunks;
    },
  // The web's streams, in place, typed, and those that only take bytes of their own.
  ({ request }) =>
    request.stream = new TransformStream({
      transform: (chunk, controller) => controller.enqueue(chunk),
    }),
  ({ request }) => request.stream = new TransformStream<Uint8Array, Uint8Array>(),
  ({ request }) => request.stream = new CompressionStream("gzip"),
  ({ request }) => request.stream = [new DecompressionStream("gzip"), replaceStream("a", "b")],
  ({ request }) =>
    request.stream = [(chunk) => chunk, async function* (chunks) {
      for await (const chunk of chunks) yield chunk;
    }, { readable: new ReadableStream(), writable: new WritableStream() }],
  ({ request }) => request.stream = [new TextDecoderStream(), new TextEncoderStream()],
  // @ts-expect-error a number is nothing that can be sent
  ({ request }) => request.stream = () => 5,
];

Deno.test("every form of stream hook is accepted, and its parameter inferred", () => {
  for (const set of SETS) {
    const flow = httpFlow();
    set(flow);
    assertEquals(["function", "object"].includes(typeof flow.request.stream), true);
  }
});
