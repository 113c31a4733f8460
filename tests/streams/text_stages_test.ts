import { assertEquals } from "@std/assert";
import zlib from "node:zlib";
import { WeirError } from "../../src/errors.ts";
import { Headers } from "../../src/http/mod.ts";
import { decoded } from "../../src/streams/coding_stream.ts";
import { jsonStream } from "../../src/streams/json.ts";
import { linesStream } from "../../src/streams/lines.ts";
import { redactStream } from "../../src/streams/redact.ts";
import { replaceStream } from "../../src/streams/replace.ts";
import { next, TestBody, text, throughHook, utf8 } from "./support.ts";

/** Each stage, with an event that it changes and what comes of it. */
const STAGES: Record<
  string,
  [stage: () => TransformStream<Uint8Array, Uint8Array>, event: string, out: string]
> = {
  literal: [() => replaceStream("hunter2hunter2", "***"), "data: hunter2hunter2\n\n", "data: ***\n\n"],
  expression: [() => replaceStream(/hunter\d[a-z]+\d\b/, "***"), "data: hunter2hunter2\n\n", "data: ***\n\n"],
  redact: [() => redactStream("hunter2hunter2", "***"), "data: hunter2hunter2\n\n", "data: ***\n\n"],
  lines: [() => linesStream((line) => line.replace("2hunter2", "")), "hunter2hunter2\n", "hunter\n"],
  json: [() => jsonStream({ "$[*]": (n: number) => n + 1 }), "[1, 2, ", "[2, 3"],
};

for (const [name, [stage, event, out]] of Object.entries(STAGES)) {
  Deno.test(`${name}: an event comes out in the turn in which it went in`, () => {
    const source = new TestBody(), body = throughHook(source, stage());
    source.push(event);
    assertEquals(text(body.take()!), out);
    assertEquals(body.take(), undefined);
  });

  for (const coding of ["gzip", "br"] as const) {
    Deno.test(`${name}: through ${coding}, an event is out before more comes in`, async () => {
      const headers = new Headers([["content-encoding", coding]]);
      const source = new TestBody(), body = throughHook(source, decoded({ headers }, stage()));
      const encoder = coding === "gzip" ? zlib.createGzip() : zlib.createBrotliCompress();
      const decoder = coding === "gzip" ? zlib.createGunzip() : zlib.createBrotliDecompress();
      let seen = "";
      decoder.on("data", (bytes: Uint8Array) => seen += text(bytes));
      encoder.on("data", (bytes: Uint8Array) => source.push(Uint8Array.from(bytes)));
      encoder.write(utf8(event));
      await new Promise<void>((resolve) => encoder.flush(() => resolve()));
      while (seen !== out) {
        const piece = await next(body);
        await new Promise<void>((resolve) => decoder.write(piece!, () => resolve()));
      }
      encoder.destroy();
      decoder.destroy();
      body.cancel(new WeirError("client", "closed", "seen"));
    });
  }
}
