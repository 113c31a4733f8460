import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import zlib from "node:zlib";
import { CloseCode, WebSocketError } from "../../src/websocket/close.ts";
import { Deflater, Inflater } from "../../src/websocket/deflate.ts";
import { hangUp, startRelay, TAKEOVER, textOf } from "./support.ts";

/** The same cases in every run. */
fc.configureGlobal({ seed: 10 });

function inflate(inflater: Inflater, compressed: Uint8Array, size = compressed.length || 1): Uint8Array {
  const pieces: number[] = [];
  const give = (piece: Uint8Array) => piece.forEach((byte) => pieces.push(byte));
  for (let at = 0; at < compressed.length; at += size) {
    inflater.push(compressed.subarray(at, at + size), give);
  }
  inflater.end(give);
  return new Uint8Array(pieces);
}

Deno.test("messages come back, with and without takeover, in any window, whole and byte by byte", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.string().map((s) => new TextEncoder().encode(s.repeat(9))),
        ),
      ),
      fc.boolean(),
      fc.integer({ min: 9, max: 15 }),
      fc.integer({ min: 1, max: 50 }),
      (messages, takeover, bits, size) => {
        const deflater = new Deflater(bits, takeover), inflater = new Inflater("server", takeover);
        for (const message of messages) {
          assertEquals(inflate(inflater, deflater.deflate(message), size), message);
        }
        deflater.close();
        inflater.close();
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("messages around the size of the output buffer come back", () => {
  const deflater = new Deflater(15, true), inflater = new Inflater("server", true);
  for (let size = 65536 - 40; size < 65536 + 20; size++) {
    const message = crypto.getRandomValues(new Uint8Array(65536)).subarray(0, size);
    const long = new Uint8Array(size * 2);
    long.set(message);
    for (const each of [message, long]) {
      const back = inflate(inflater, deflater.deflate(each));
      assert(back.length === each.length && back.every((byte, i) => byte === each[i]));
    }
  }
  deflater.close();
  inflater.close();
});

Deno.test("with takeover a repeated message is tiny, without it is not", () => {
  const message = crypto.getRandomValues(new Uint8Array(1000));
  for (const takeover of [true, false]) {
    const deflater = new Deflater(15, takeover);
    deflater.deflate(message);
    assertEquals(deflater.deflate(message).length < 100, takeover);
    deflater.close();
  }
});

Deno.test("RFC 7692 §7.2.3's examples inflate: BFINAL, two blocks, no compression", () => {
  const hex = (text: string) => new Uint8Array(text.split(" ").map((byte) => parseInt(byte, 16)));
  for (
    const example of [
      "f2 48 cd c9 c9 07 00",
      "00 05 00 fa ff 48 65 6c 6c 6f 00",
      "f3 48 cd c9 c9 07 00 00",
      "f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
    ]
  ) {
    const inflater = new Inflater("server", true);
    for (let i = 0; i < 3; i++) assertEquals(textOf(inflate(inflater, hex(example), 1 + i)), "Hello");
    inflater.close();
  }
});

Deno.test("a bomb is stopped long before it is inflated", () => {
  const bomb = zlib.deflateRawSync(new Uint8Array(100 << 20));
  const inflater = new Inflater("client", true);
  let given = 0;
  const stop = new Error("enough");
  assertThrows(
    () =>
      inflater.push(bomb, (piece) => {
        given += piece.length;
        if (given > 1000) throw stop;
      }),
    Error,
    "enough",
  );
  assert(given <= 64 * 1024);
  inflater.close();
});

Deno.test("what cannot be inflated is 1007", () => {
  const inflater = new Inflater("client", false);
  const error = assertThrows(() => inflate(inflater, new Uint8Array([255, 255, 255])), WebSocketError);
  assertEquals([error.closeCode, error.side], [CloseCode.invalidPayload, "client"]);
  inflater.close();
});

Deno.test("compressed fragments go out as they came until a message is changed; then both ends still agree", async () => {
  for (const takeover of [true, false]) {
    const deflate = { ...TAKEOVER, clientNoContextTakeover: !takeover };
    const test = startRelay({
      deflate,
      onMessage(message) {
        if (message.text.startsWith("change")) message.text = "changed by the hook";
        if (message.text.startsWith("drop")) message.drop();
      },
    });
    const deflater = new Deflater(15, takeover), inflater = new Inflater("client", takeover);
    const read = async () => {
      const parts: number[] = [];
      let first = null;
      for (let fin = false; !fin;) {
        const frame = await test.server.frame();
        first ??= frame;
        parts.push(...frame.payload);
        fin = frame.fin;
      }
      const wire = new Uint8Array(parts);
      return { wire, text: textOf(first!.rsv === 4 ? inflate(inflater, wire) : wire) };
    };
    const texts = [
      "the first one",
      "the first one again",
      "change me",
      "the first one again",
      "drop me",
      "the end",
      "",
    ];
    for (const text of texts) {
      const wire = deflater.deflate(new TextEncoder().encode(text));
      await test.client.send(
        { fin: false, rsv: 4, opcode: 1, payload: wire.subarray(0, 2) },
        { opcode: 0, payload: wire.subarray(2) },
      );
      if (text.startsWith("drop")) continue;
      const seen = await read();
      assertEquals(seen.text, text === "change me" ? "changed by the hook" : text);
      if (text === texts[0] || !takeover && text !== "change me") assertEquals(seen.wire, wire.slice());
    }
    await hangUp(test);
    deflater.close();
    inflater.close();
  }
});

Deno.test("where the window is too small for zlib, changed messages go uncompressed", async () => {
  const test = startRelay({
    deflate: { ...TAKEOVER, clientMaxWindowBits: 8 },
    onMessage(message) {
      message.text = message.text.toUpperCase();
    },
  });
  const deflater = new Deflater(9, true);
  await test.client.send({ rsv: 4, opcode: 1, payload: deflater.deflate(new TextEncoder().encode("small")) });
  assertEquals(await test.server.brief(), "text SMALL");
  deflater.close();
  await hangUp(test);
});

Deno.test("a message that inflates beyond the limit closes with 1009", async () => {
  for (const stream of [false, true]) {
    const test = startRelay({ deflate: TAKEOVER, messageLimit: 1 << 20, stream });
    const bomb = zlib.deflateRawSync(new Uint8Array(64 << 20));
    await test.server.send({ rsv: 4, opcode: 2, payload: bomb });
    const close = await test.server.frame();
    assertEquals([close.opcode, close.payload[0] << 8 | close.payload[1]], [8, 1009]);
    test.client.conn.close();
    test.server.conn.close();
    assertEquals((await test.relay.ended)?.code, "limit");
  }
});
