/** Every example in addons/examples/ runs through the real proxy; one without a test here fails. @module */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { absolute, Client, exchange } from "./support/client.ts";
import { echo, type Origin, origin, untilClose, withChunks, withLength } from "./support/origin.ts";
import { startWeir, type Weir } from "./support/weir.ts";
import { Gate } from "./support/within.ts";

const FOLDER = new URL("../../addons/examples/", import.meta.url).pathname;

/** Replaces foo by bar in each kind of body, whatever the client's version, and across chunks. */
async function replaces(weir: Weir): Promise<void> {
  const parts = ["a foo", ", a f", "oo, f", "o", "o and a fo"];
  const expected = "a bar, a bar, bar and a fo";
  for (const serve of [withLength(parts.join("")), withChunks(parts), untilClose(parts.join(""))]) {
    await using server = await origin(serve);
    for (const version of ["HTTP/1.1", "HTTP/1.0"] as const) {
      const seen = await exchange(weir, server.url(), { version });
      assertEquals([seen.text, seen.end], [expected, "complete"]);
    }
  }
  await streams(weir, "text/plain");
}

/** The first piece of a response is here before the second is sent. */
async function streams(weir: Weir, type: string): Promise<void> {
  const gate = new Gate();
  await using server = await headThen(type, gate);
  await using client = await Client.connect(weir);
  await client.send(absolute(server.url()));
  const body = client.body(await client.head());
  assertEquals(await body.nextText(), "first,");
  gate.open();
  assertEquals(await body.text(), "second");
}

function headThen(type: string, gate: Gate): Promise<Origin> {
  return origin(async (wire) => {
    await wire.send(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: 12\r\n\r\nfirst,`);
    await gate.opened;
    await wire.send("second");
  });
}

const EXAMPLES: Record<string, (weir: Weir) => Promise<void>> = {
  "stream_everything.ts": async (weir) => {
    await streams(weir, "text/plain");
    await using server = await origin(echo);
    assertEquals((await exchange(weir, server.url(), { method: "POST", body: "abc" })).text, "abc");
  },
  "stream_by_type.ts": async (weir) => {
    await streams(weir, "video/mp4");
    const gate = new Gate();
    await using server = await headThen("text/plain", gate);
    await using client = await Client.connect(weir);
    await client.send(absolute(server.url()));
    // Buffered: an exchange on the side passes in the meantime, and nothing of this one has come.
    await streams(weir, "audio/ogg");
    assertEquals(client.bytesRead, 0);
    gate.open();
    assertEquals((await client.response()).text, "first,second");
  },
  "replace_generator.ts": replaces,
  "replace_chunks.ts": replaces,
  "replace_transform.ts": replaces,
  "answer_stream.ts": async (weir) => {
    await using client = await Client.connect(weir);
    await client.send(absolute("http://clock.example/?events=3"));
    const head = await client.head();
    assertEquals([head.statusCode, head.get("content-type")], [200, "text/event-stream"]);
    const body = client.body(head);
    for (let i = 1; i <= 3; i++) assertMatch((await body.nextText())!, new RegExp(`^id: ${i}\\n.*\\n\\n$`));
    assertEquals(await body.next(), null);
    await using server = await origin(withLength("not mine"));
    assertEquals((await exchange(weir, server.url())).text, "not mine");
  },
};

for await (const { name } of Deno.readDir(FOLDER)) {
  Deno.test(`example ${name}`, async () => {
    const test = EXAMPLES[name];
    assert(test !== undefined, `${name} has no test in tests/e2e/examples_test.ts`);
    await using weir = await startWeir({ args: ["-s", FOLDER + name] });
    await test(weir);
    await weir.stop();
    assertEquals(weir.stderr.list.filter((line) => /error|warn/i.test(line)), []);
  });
}
