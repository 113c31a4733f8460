/** What streams is seen while it is on its way, and stays as it is: `message.watch`, and the dumper's events at level 3. @module */
import { assert, assertEquals } from "@std/assert";
import { createGzip } from "node:zlib";
import { replaceStream } from "weir";
import { absolute, Client, exchange } from "./support/client.ts";
import { origin, withLength } from "./support/origin.ts";
import { startProxy } from "./support/proxy.ts";
import { startWeir } from "./support/weir.ts";
import { Events } from "./support/within.ts";

for (const coding of ["", "gzip"]) {
  Deno.test(`--flow-detail 3 prints each event while the stream is open (${coding || "plain"})`, async () => {
    const printed = new Events();
    await using server = await origin(async (wire) => {
      const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
      await wire.send(head + (coding && "Content-Encoding: gzip\r\n") + "Transfer-Encoding: chunked\r\n\r\n");
      const zip = createGzip({ flush: 2 });
      for (const n of [1, 2, 3]) {
        let bytes: Uint8Array = new TextEncoder().encode(`event: tick\ndata: {"n":${n}}\n\n`);
        if (coding) {
          await new Promise((resolve) => zip.write(bytes, resolve));
          bytes = zip.read();
        }
        await wire.send(`${bytes.length.toString(16)}\r\n`);
        await wire.send(bytes);
        await wire.send("\r\n");
        // The next one is sent when this one is on the screen.
        await printed.seen(`${n}`);
      }
      zip.destroy();
      await wire.send("0\r\n\r\n");
    });
    await using weir = await startWeir({ args: ["--flow-detail", "3"] });
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url("/events")));
    const body = client.body(await client.head());
    let received = 0;
    for (const n of [1, 2, 3]) {
      received += (await body.next())!.length;
      await weir.stdout.until(
        () => weir.stdout.list.some((line) => line.includes(`"n": ${n}`)),
        `event ${n}`,
      );
      printed.push(`${n}`);
    }
    assertEquals(await body.next(), null);
    const isEnd = (line: string) => line.includes("shown above");
    await weir.stdout.until(() => weir.stdout.list.some(isEnd), "the end of the flow");
    const lines = weir.stdout.list.map((line) => line.replaceAll(/127\.0\.0\.1:\d+/g, "HOST"));
    const start = lines.indexOf("HOST <- HOST/events");
    assertEquals(lines.slice(start, start + 6), [
      "HOST <- HOST/events",
      "    [1] event tick, 27b",
      "        {",
      '            "n": 1',
      "        }",
      "",
    ]);
    assert(received > 0);
  });
}

Deno.test("who watches a body sees what is sent, and changes nothing by it", async () => {
  const seen: string[] = [];
  await using server = await origin(withLength("hello foo", "Content-Type: text/plain\r\n"));
  for (const stream of [true, replaceStream("foo", "bars")]) {
    await using proxy = await startProxy({
      responseheaders: ({ response }) => void (response!.stream = stream),
      response: ({ response }) => {
        response!.watch({
          piece: (bytes) => void seen.push(new TextDecoder().decode(bytes)),
          end: (error) => void seen.push(`end ${error}`),
        });
        response!.watch({
          piece() {
            throw new Error("oh no");
          },
        });
      },
    });
    const { head, text, end } = await exchange(proxy, server.url());
    assertEquals([text, end], [stream === true ? "hello foo" : "hello bars", "complete"]);
    assertEquals(head.get("content-length"), stream === true ? "9" : null);
    await proxy.logged(/^warn: .*A watcher of the body failed and sees no more of it: oh no/);
    assertEquals(proxy.log.list.filter((line) => line.includes("watcher")).length, 1);
    assertEquals([seen.slice(0, -1).join(""), seen.at(-1)], [text, "end null"]);
    seen.length = 0;
  }
});

Deno.test("who watches a body that is cut is told", async () => {
  const ends = new Events();
  await using server = await origin(async (wire) => {
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    wire.close();
  });
  await using proxy = await startProxy({
    responseheaders: ({ response }) => void (response!.stream = true),
    response: ({ response }) => response!.watch({ end: (error) => void ends.push(`${error}`) }),
  });
  assertEquals((await exchange(proxy, server.url())).end !== "complete", true);
  await ends.until(() => ends.list.length > 0, "the end");
  assert(/WeirError: .*closed/i.test(ends.list[0]), ends.list[0]);
});
