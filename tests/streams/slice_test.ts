/** Bytes of a stored body, read when they are looked at. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { WeirError } from "../../src/errors.ts";
import { BodySlice, StoredBody } from "../../src/streams/mod.ts";

const KIB = 1024;

for (const size of [10 * KIB, 3 * KIB * KIB + 100]) {
  Deno.test(`a slice is what lies there, in memory, in the file and across both (${size} bytes)`, async () => {
    using body = new StoredBody();
    const bytes = new Uint8Array(size).map((_, i) => i % 251);
    for (let at = 0; at < size; at += 7000) await body.append(bytes.subarray(at, at + 7000));
    const places = [[0, size], [0, 0], [size, 0], [size - 1, 1], [5, size - 9], [size >> 1, size >> 2], [
      size - 300 * KIB,
      300 * KIB,
    ]];
    for (const [at, length] of places.filter(([at]) => at >= 0)) {
      assertEquals(new BodySlice(body, at, length).read(), bytes.slice(at, at + length), `${at}, ${length}`);
    }
    for (const [at, length] of [[0, size + 1], [size, 1]]) {
      assertThrows(() => new BodySlice(body, at, length).read(), WeirError, "thrown away");
    }
    body.dispose();
    assertThrows(() => new BodySlice(body, 0, 1).read(), WeirError, "thrown away");
  });
}
