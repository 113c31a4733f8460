/** Bodies of any size go through writer and reader with flat memory. @module */
import { assert, assertEquals } from "@std/assert";

const MIB = 1024 * 1024;
/** 2048 for what users may have. */
const BODY = Number(Deno.env.get("WEIR_TEST_BODY_MIB") ?? 192) * MIB;
/** What a process may grow by. */
const GROWTH = 64 * MIB;

/** Runs in a process of its own, whose memory is nobody else's; prints the growth, and whether all bytes came. */
const SCRIPT = `
import { encodeFlow, makeHttpFlow, readFlowFile, StoredBody } from "weir";
const [size] = Deno.args.map(Number);
const rss = () => Deno.memoryUsage().rss;
const block = new Uint8Array(65536);
const fill = (at) => { new Uint32Array(block.buffer).fill(Math.imul(at, 2654435761)); return block; };
async function flowOf(size) {
  const body = new StoredBody();
  for (let at = 0; at < size; at += block.length) await body.append(fill(at).subarray(0, size - at));
  body.end(null);
  return makeHttpFlow({ request: { url: "http://a/" }, response: { body } });
}
async function roundTrip(size) {
  const flow = await flowOf(size);
  let most = 0, written = 0, checked = 0, wrong = 0;
  async function* counted() {
    for await (const chunk of encodeFlow(flow).chunks()) {
      written += chunk.length;
      most = Math.max(most, rss());
      yield chunk;
    }
  }
  for await (const copy of readFlowFile(counted())) {
    let at = 0, expected = fill(0);
    for await (const piece of copy.response.readStored()) {
      for (let i = 0; i < piece.length; i += 4096) if (piece[i] !== fill((at + i) - (at + i) % 65536)[(at + i) % 65536]) wrong++;
      at += piece.length;
      most = Math.max(most, rss());
    }
    checked = at;
  }
  return { most, written, checked, wrong };
}
await roundTrip(8 * 1024 * 1024);
const before = rss();
const { most, ...counts } = await roundTrip(size);
console.log(JSON.stringify({ growth: most - before, ...counts }));
`;

Deno.test(`a body of ${BODY / MIB} MiB goes through writer and reader with flat memory, byte for byte`, async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/script.js`, SCRIPT);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, `${dir}/script.js`, String(BODY)],
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text !== "", new TextDecoder().decode(stderr));
    const { growth, written, checked, wrong } = JSON.parse(text);
    assertEquals([checked, wrong], [BODY, 0]);
    assert(written > BODY && written < BODY + 10_000, `${written} bytes were written`);
    assert(growth < GROWTH, `the process grew by ${growth / MIB} MiB`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
