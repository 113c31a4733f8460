import { assert, assertEquals } from "@std/assert";
import type { WeirError } from "../../src/errors.ts";
import type { ExchangeHandler } from "../../src/http/wire.ts";
import { Http1Connection } from "../../src/http1/mod.ts";
import type { MemoryConn } from "../support/memory_conn.ts";
import { byteByByte, memoryConnPair, type Split } from "../support/memory_conn.ts";
import { serving } from "./support.ts";

/** The two legs back to back: what a proxy does to a message that nobody looks at. */
function relay(
  capacity?: number,
  split?: Split,
): { handler: ExchangeHandler; origin: MemoryConn; connection: Http1Connection } {
  const [conn, origin] = memoryConnPair({ capacity, split });
  const connection = new Http1Connection(conn);
  const handler: ExchangeHandler = async (exchange) => {
    const out = connection.exchange();
    exchange.onGone((error) => out.abort(error));
    try {
      const { head, body } = await out.send(
        exchange.head,
        exchange.body,
        (interim) => exchange.informational(interim),
      );
      await exchange.respond(head, body);
      await out.sent;
    } catch (thrown) {
      out.abort(thrown as WeirError);
      exchange.abort(thrown as WeirError);
    }
  };
  return { handler, origin, connection };
}

Deno.test("messages pass through both legs byte by byte, trailers and chunks included", async () => {
  const { handler, origin, connection } = relay(undefined, byteByByte);
  const { client, served } = serving(handler, { split: byteByByte });
  const body = "3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
  await client.writeText(
    `POST http://a/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n${body}`,
  );
  assertEquals(
    await origin.readUntil("T: 1\r\n\r\n"),
    `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n${body}`,
  );
  const answer = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nX: y\r\n\r\n${body}`;
  await origin.writeText(answer);
  assertEquals(await client.readUntil("T: 1\r\n\r\n"), answer);
  client.close();
  connection.close();
  await served;
});

const SIZE = 64 * 1024 * 1024;

async function pour(conn: MemoryConn, bytes: number, piece: Uint8Array): Promise<void> {
  for (let left = bytes; left > 0; left -= piece.length) {
    await conn.write(piece.subarray(0, Math.min(left, piece.length)));
  }
}

Deno.test("a large body flows flat: down by length and in chunks, up by length", async () => {
  const { handler, origin, connection } = relay(256 * 1024);
  const { client, served } = serving(handler, { capacity: 256 * 1024 });
  const piece = new Uint8Array(100_000).fill(120);
  const before = Deno.memoryUsage();

  await client.writeText("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await origin.readUntil("\r\n\r\n");
  await Promise.all([
    origin.writeText(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`).then(() =>
      pour(origin, SIZE, piece)
    ),
    client.readUntil("\r\n\r\n").then(() => client.skip(SIZE)),
  ]);

  const chunk = new TextEncoder().encode(`10000\r\n${"x".repeat(0x10000)}\r\n`), count = SIZE / 0x10000;
  await client.writeText("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await origin.readUntil("\r\n\r\n");
  await Promise.all([
    origin.writeText("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      .then(() => pour(origin, count * chunk.length, chunk)).then(() => origin.writeText("0\r\n\r\n")),
    client.readUntil("\r\n\r\n").then(() => client.skip(count * chunk.length + 5)),
  ]);

  await client.writeText(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`);
  await origin.readUntil("\r\n\r\n");
  await Promise.all([pour(client, SIZE, piece), origin.skip(SIZE)]);
  await origin.writeText("HTTP/1.1 204 No Content\r\n\r\n");
  await client.readUntil("\r\n\r\n");

  const after = Deno.memoryUsage();
  const grown = after.external - before.external + after.heapUsed - before.heapUsed;
  assert(grown < 32 * 1024 * 1024, `grew by ${grown} bytes`);
  client.close();
  connection.close();
  await served;
});
