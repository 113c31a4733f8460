import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import type { Conn } from "../../src/net/conn.ts";
import { incomingBody } from "../../src/http1/body.ts";
import { Output } from "../../src/http1/output.ts";
import { ReadBuffer } from "../../src/http1/read_buffer.ts";
import { writeBody } from "../../src/http1/write_body.ts";
import { latin1, memoryConnPair, splitBy, whole } from "../support/memory_conn.ts";
import { bytes, ScriptedBody } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

/** A connection that keeps its writes apart. */
class Writes implements Conn {
  readonly localAddr = { hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr = this.localAddr;
  readonly tls = null;
  readonly texts: string[] = [];
  read(): Promise<number | null> {
    return Promise.resolve(null);
  }
  write(piece: Uint8Array): Promise<void> {
    this.texts.push(latin1(piece));
    return Promise.resolve();
  }
  closeWrite(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {}
  reset(): void {}
}

async function withHead(conn: Conn): Promise<Output> {
  const output = new Output(conn);
  await output.head("HEAD\r\n\r\n", 2);
  return output;
}

Deno.test("head and body that are here together leave in one write", async () => {
  const conn = new Writes(), large = "x".repeat(100_000);
  await writeBody(await withHead(conn), "length", new ScriptedBody(["ab", "cd"], { size: 4 }));
  assertEquals(conn.texts.splice(0), ["HEAD\r\n\r\nabcd"]);
  await writeBody(await withHead(conn), "length", new ScriptedBody([large], { size: large.length }));
  assertEquals(conn.texts.splice(0), [`HEAD\r\n\r\n${large}`]);
  await writeBody(await withHead(conn), "chunked", new ScriptedBody(["ab", "c"], { trailers: ["T", "1"] }));
  assertEquals(conn.texts, ["HEAD\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"]);
});

Deno.test("before anything is waited for, what is here goes out", async () => {
  for (const mode of ["length", "chunked", "close"] as const) {
    const conn = new Writes(), gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const body = new ScriptedBody([gates[0].promise, "ab", gates[1].promise, "cd"], {
      size: mode === "length" ? 4 : undefined,
    });
    const written = writeBody(await withHead(conn), mode, body);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(conn.texts, ["HEAD\r\n\r\n"]);
    gates[0].resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(conn.texts.length, 2);
    gates[1].resolve();
    await written;
    assertEquals(conn.texts[1], mode === "chunked" ? "2\r\nab\r\n" : "ab");
    assertEquals(conn.texts[2], mode === "chunked" ? "2\r\ncd\r\n0\r\n\r\n" : "cd");
  }
});

Deno.test("many pieces that are here leave in few writes, none larger than the buffer", async () => {
  const conn = new Writes(), pieces = Array.from({ length: 300 }, (_, i) => String(i % 10).repeat(4096));
  await writeBody(await withHead(conn), "length", new ScriptedBody([...pieces], { size: 300 * 4096 }));
  assertEquals(conn.texts.join(""), `HEAD\r\n\r\n${pieces.join("")}`);
  assertEquals(conn.texts.length <= 6, true, `${conn.texts.length} writes`);
});

Deno.test("a source that gives more or less than it declared is an error", async () => {
  const gives = async (steps: string[], size: number) => {
    const conn = new Writes();
    await assertRejects(
      async () => writeBody(await withHead(conn), "length", new ScriptedBody(steps, { size })),
      WeirError,
    );
    return conn.texts.join("");
  };
  assertEquals(await gives(["abc"], 4), "HEAD\r\n\r\nabc");
  assertEquals(await gives(["abc", "def"], 4), "HEAD\r\n\r\nabc");
});

Deno.test("a source that breaks is written as far as it came, without an end", async () => {
  const conn = new Writes(), broken = new WeirError("server", "closed", "cut");
  const error = await assertRejects(
    async () => writeBody(await withHead(conn), "chunked", new ScriptedBody(["ab", broken])),
    WeirError,
  );
  assertEquals(error, broken);
  assertEquals(conn.texts, ["HEAD\r\n\r\n2\r\nab\r\n"]);
});

/** Reads `wire` as a chunked body and writes it again. */
async function rechunked(wire: string, reads: (available: number) => number): Promise<string> {
  const [from, to] = memoryConnPair({ split: reads, capacity: 2 * 1024 * 1024 });
  await from.write(bytes(wire));
  const conn = new Writes(), body = incomingBody(new ReadBuffer(to, "server"), "chunked", () => {});
  await writeBody(new Output(conn), "chunked", body);
  return conn.texts.join("");
}

Deno.test("chunk boundaries go out as they came in, at any split of the reads", async () => {
  const wire = `3\r\nabc\r\n1\r\nd\r\n2710\r\n${"e".repeat(10000)}\r\n2\r\nfg\r\n0\r\nT: 1\r\n\r\n`;
  assertEquals(await rechunked(wire, whole), wire);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }), async (splits) => {
      assertEquals(await rechunked(wire, splitBy(splits)), wire);
    }),
    { numRuns: 50 },
  );
});

Deno.test("chunks larger than every buffer keep their boundary", async () => {
  const wire = `ea60\r\n${"x".repeat(60000)}\r\nf4240\r\n${"y".repeat(1000000)}\r\n0\r\n\r\n`;
  assertEquals(await rechunked(wire, whole), wire);
});

Deno.test("the size and first bytes of a chunk go out before the rest is here", async () => {
  const [from, to] = memoryConnPair(), [out, far] = memoryConnPair();
  const written = writeBody(
    new Output(out),
    "chunked",
    incomingBody(new ReadBuffer(to, "server"), "chunked", () => {}),
  );
  await from.writeText("a\r\nabc");
  assertEquals(await far.readUntil("c"), "a\r\nabc");
  await from.writeText("defghij\r\n");
  assertEquals(await far.readUntil("\r\n"), "defghij\r\n");
  await from.writeText("0\r\n\r\n");
  await written;
  assertEquals(await far.readUntil("0\r\n\r\n"), "0\r\n\r\n");
});
